#include "galley/runtime/semaphore.hpp"

#include <mutex>
#include <string>

#include "base/assert.hpp"
#include "galley/runtime/detail/waiting.hpp"
#include "galley/runtime/with_timeout.hpp"

namespace asio = boost::asio;

namespace galley {

namespace detail {

class SemaphoreCore final : public WaitSource, public std::enable_shared_from_this<SemaphoreCore> {
 public:
  /// One in line. What was granted and not taken, because its coroutine was destroyed, is given back.
  struct Place : Waiter {
    SemaphoreCore& core;
    std::size_t permits;
    Place(SemaphoreCore& source, std::size_t count) noexcept : Waiter(source), core(source), permits(count) {}
    ~Place() {
      if (outcome == Outcome::Done) core.give_back(permits);
    }
    Permit take() {
      outcome = Outcome::Waiting;
      return Permit(core.shared_from_this(), permits);
    }
  };

  explicit SemaphoreCore(std::size_t permits) : total_(permits), free_(permits) {}

  void check(std::size_t permits) const {
    if (permits >= 1 && permits <= total_) return;
    throw Exception(
        Error{Errc::InvalidInput,
              "permits is " + std::to_string(permits) + "; allowed are 1 to the semaphore's " + std::to_string(total_),
              Written::Nothing});
  }

  std::optional<Permit> try_acquire(std::size_t permits) {
    check(permits);
    {
      const std::lock_guard lock(mutex_);
      if (!take(permits)) return std::nullopt;
    }
    return Permit(shared_from_this(), permits);
  }

  void give_back(std::size_t permits) {
    WaitList ready;
    {
      const std::lock_guard lock(mutex_);
      free_ += permits;
      GALLEY_ASSERT(free_ <= total_);
      grant(ready);
    }
    ready.complete_all();
  }

  void cancel_all() {
    WaitList ready;
    {
      const std::lock_guard lock(mutex_);
      while (Waiter* const waiter = line_.pop_front()) {
        waiter->outcome = Waiter::Outcome::Cancelled;
        ready.push_back(*waiter);
      }
      waiting_ = 0;
    }
    ready.complete_all();
  }

  bool begin(Waiter& waiter) override {
    const std::lock_guard lock(mutex_);
    if (take(static_cast<Place&>(waiter).permits)) {
      waiter.outcome = Waiter::Outcome::Done;
      return true;
    }
    line_.push_back(waiter);
    ++waiting_;
    return false;
  }
  void cancel(Waiter& waiter) override {
    WaitList ready;
    {
      const std::lock_guard lock(mutex_);
      if (!leave(waiter)) return;
      waiter.outcome = Waiter::Outcome::Cancelled;
      ready.push_back(waiter);
      grant(ready);  // the next may want fewer than it did
    }
    ready.complete_all();
  }
  bool abandon(Waiter& waiter) override {
    WaitList ready;
    {
      const std::lock_guard lock(mutex_);
      if (!leave(waiter)) return false;
      grant(ready);
    }
    ready.complete_all();
    return true;
  }

  std::size_t available() const {
    const std::lock_guard lock(mutex_);
    return free_;
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  bool take(std::size_t permits) noexcept {
    if (!line_.empty() || free_ < permits) return false;
    free_ -= permits;
    return true;
  }
  bool leave(Waiter& waiter) noexcept {
    if (!WaitList::has(waiter)) return false;
    line_.remove(waiter);
    --waiting_;
    return true;
  }
  void grant(WaitList& ready) noexcept {
    while (!line_.empty() && static_cast<Place*>(line_.first())->permits <= free_) {
      Waiter* const waiter = line_.pop_front();
      --waiting_;
      free_ -= static_cast<Place*>(waiter)->permits;
      waiter->outcome = Waiter::Outcome::Done;
      ready.push_back(*waiter);
    }
  }

  mutable std::mutex mutex_;
  const std::size_t total_;
  std::size_t free_;
  std::size_t waiting_ = 0;
  WaitList line_;
};

namespace {

/// Holds the core, so that the semaphore may go while somebody waits.
asio::awaitable<Permit> acquire_from(std::shared_ptr<SemaphoreCore> core, std::size_t permits) {
  if (!may_go_on()) co_await give_way();
  if (auto now = core->try_acquire(permits)) co_return std::move(*now);
  SemaphoreCore::Place place(*core, permits);
  co_await wait(place);
  if (place.outcome != Waiter::Outcome::Done) throw_cancelled();
  co_return place.take();
}

asio::awaitable<Result<Permit>> acquire_within(std::shared_ptr<SemaphoreCore> core, Duration limit,
                                               std::size_t permits) {
  if (!may_go_on()) co_await give_way();
  if (auto now = core->try_acquire(permits)) co_return std::move(*now);
  if (limit <= Duration(0)) co_return timed_out(limit);
  auto granted = with_timeout(acquire_from(std::move(core), permits), limit);
  co_return co_await std::move(granted);
}

}  // namespace

}  // namespace detail

Permit& Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    release();
    core_ = std::move(other.core_);
    count_ = std::exchange(other.count_, 0);
  }
  return *this;
}

void Permit::release() noexcept {
  if (count_ == 0) return;
  const auto core = std::move(core_);
  core->give_back(std::exchange(count_, 0));
}

Semaphore::Semaphore(std::size_t permits) {
  if (permits < 1 || permits > kMaxPermits) {
    throw Exception(Error{Errc::InvalidInput,
                          "permits is " + std::to_string(permits) + "; allowed are 1 to " + std::to_string(kMaxPermits),
                          Written::Nothing});
  }
  core_ = std::make_shared<detail::SemaphoreCore>(permits);
}

Semaphore::~Semaphore() { core_->cancel_all(); }

asio::awaitable<Permit> Semaphore::acquire(std::size_t permits) { return detail::acquire_from(core_, permits); }

asio::awaitable<Result<Permit>> Semaphore::acquire_for(Duration limit, std::size_t permits) {
  return detail::acquire_within(core_, limit, permits);
}

std::optional<Permit> Semaphore::try_acquire(std::size_t permits) { return core_->try_acquire(permits); }

std::size_t Semaphore::available() const { return core_->available(); }

std::size_t Semaphore::waiting() const { return core_->waiting(); }

}  // namespace galley
