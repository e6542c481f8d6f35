#pragma once
// A bound on how many coroutines do something at once.
//
//   galley::Semaphore connections{10};
//   const galley::Permit permit = co_await connections.acquire();   // given back at the end of the scope
//
// Fair: first come, first served; nobody overtakes, not even one who wants fewer permits than the first in line, and
// try_acquire fails while somebody waits. Waiting takes no memory but the coroutine's own.
//
// A wait that is cancelled throws boost::system::system_error (operation_aborted), as Asio's operations do. A permit is
// never lost: where cancellation and grant meet, the coroutine gets the permit, or the next in line does.
//
// Thread-safety: every function from any thread, but for the destructor; a coroutine goes on on its own executor. Its
// execution context may be destroyed meanwhile: who waits on it leaves the line.

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley {

namespace detail {
class SemaphoreCore;
}

/// Some permits of a semaphore; gives them back when it is destroyed, also after the semaphore itself. Move-only.
class Permit {
 public:
  Permit() noexcept = default;
  Permit(Permit&& other) noexcept : core_(std::move(other.core_)), count_(std::exchange(other.count_, 0)) {}
  Permit& operator=(Permit&& other) noexcept;
  ~Permit() { release(); }

  /// Gives them back now; once.
  void release() noexcept;
  /// 0: none, or given back.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] explicit operator bool() const noexcept { return count_ != 0; }

 private:
  friend class detail::SemaphoreCore;
  Permit(std::shared_ptr<detail::SemaphoreCore> core, std::size_t count) noexcept
      : core_(std::move(core)), count_(count) {}

  std::shared_ptr<detail::SemaphoreCore> core_;
  std::size_t count_ = 0;
};

class Semaphore {
 public:
  static constexpr std::size_t kMaxPermits = 1'000'000'000;

  /// 1..kMaxPermits; throws Exception: InvalidInput.
  explicit Semaphore(std::size_t permits);
  /// Who waits is cancelled.
  ~Semaphore();
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Throws Exception (InvalidInput) for none, or more permits than there are in all: that would wait for ever.
  [[nodiscard]] boost::asio::awaitable<Permit> acquire(std::size_t permits = 1);
  /// At most `limit`; 0 or less: only what is there now. Errors: TimedOut. Throws as acquire. Waits on executors that
  /// run one handler at a time.
  [[nodiscard]] boost::asio::awaitable<Result<Permit>> acquire_for(Duration limit, std::size_t permits = 1);
  /// Nothing where it would have to wait. Throws as acquire.
  [[nodiscard]] std::optional<Permit> try_acquire(std::size_t permits = 1);

  /// Not held by anybody.
  [[nodiscard]] std::size_t available() const;
  /// Coroutines in line.
  [[nodiscard]] std::size_t waiting() const;

 private:
  std::shared_ptr<detail::SemaphoreCore> core_;
};

}  // namespace galley
