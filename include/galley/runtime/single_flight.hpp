#pragma once
// Callers who want the same thing at the same time share one computation.
//
//   galley::SingleFlight<std::string, Page> pages;
//   const Page page = co_await pages.run(url, fetch(url));   // fetched once, however many ask meanwhile
//
// It keeps nothing: who asks when the computation is over starts a new one (a cache is another thing).
//
// Thread-safety: on one executor, that runs one handler at a time: a loop, an io_context of one thread, a strand.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "galley/runtime/detail/children.hpp"
#include "galley/runtime/detail/waiting.hpp"

namespace galley {

namespace detail {

/// One computation, and who waits for it.
class Flight : public WaitSource, public std::enable_shared_from_this<Flight> {
 public:
  struct Place : Waiter {
    boost::asio::any_io_executor executor;
    boost::asio::awaitable<void> work;  ///< started for the first who waits
    Place(Flight& flight, boost::asio::any_io_executor on, boost::asio::awaitable<void> what)
        : Waiter(flight), executor(std::move(on)), work(std::move(what)) {}
  };

  Flight();
  virtual ~Flight();
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  bool begin(Waiter& waiter) override;
  void cancel(Waiter& waiter) override;
  bool abandon(Waiter& waiter) override;

  std::exception_ptr error;

 protected:
  /// Nobody may join it any more.
  virtual void leave() noexcept = 0;

 private:
  struct Work;
  class End;
  void ended();

  WaitList line_;
  std::size_t callers_ = 0;
  std::unique_ptr<Work> work_;
  bool over_ = false;
};

}  // namespace detail

/// T is copied to each caller; a std::shared_ptr<const X> where copies are dear.
template <class Key, class T, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  SingleFlight() : flights_(std::make_shared<Flights>()) {}
  SingleFlight(const SingleFlight&) = delete;
  SingleFlight& operator=(const SingleFlight&) = delete;

  /// What the computation of this key gives: the one under way, and then `work` is destroyed without having begun; else
  /// `work`, on the executor and under the name of this caller. What it throws, every caller gets.
  ///
  /// A caller who is cancelled leaves, with operation_aborted, and disturbs nobody. The last one takes the work along:
  /// it is cancelled, and he returns when it has ended, so that it never runs without anybody who awaits it; who asks
  /// meanwhile starts a new one.
  [[nodiscard]] boost::asio::awaitable<T> run(Key key, boost::asio::awaitable<T> work) {
    static_assert(!std::is_aggregate_v<Key> || std::is_trivially_destructible_v<Key>,
                  "give Key a constructor: g++ 12 destroys a temporary aggregate twice in co_await run(Key{...})");
    return fly(flights_, std::move(key), std::move(work));
  }

  /// Computations that may still be joined.
  [[nodiscard]] std::size_t size() const noexcept { return flights_->size(); }

 private:
  struct KeyFlight;
  using Flights = std::unordered_map<Key, std::shared_ptr<KeyFlight>, Hash>;

  struct KeyFlight final : detail::Flight {
    std::shared_ptr<Flights> flights;
    Key key;
    std::optional<T> value;
    KeyFlight(std::shared_ptr<Flights> all, Key of) : flights(std::move(all)), key(std::move(of)) {}
    void leave() noexcept override {
      const auto found = flights->find(key);
      if (found != flights->end() && found->second.get() == this) flights->erase(found);
    }
  };

  static boost::asio::awaitable<void> compute(std::shared_ptr<KeyFlight> flight, boost::asio::awaitable<T> work) {
    flight->value.emplace(co_await std::move(work));
  }

  static boost::asio::awaitable<T> fly(std::shared_ptr<Flights> flights, Key key, boost::asio::awaitable<T> work) {
    auto& entry = (*flights)[key];
    if (entry == nullptr) entry = std::make_shared<KeyFlight>(flights, std::move(key));
    const std::shared_ptr<KeyFlight> flight = entry;
    auto executor = co_await boost::asio::this_coro::executor;
    auto computation = compute(flight, std::move(work));
    detail::Flight::Place place(*flight, std::move(executor), std::move(computation));
    co_await detail::wait(place);
    if (place.outcome == detail::Waiter::Outcome::Cancelled) detail::throw_cancelled();
    if (!flight->value) std::rethrow_exception(flight->error);
    co_return *flight->value;
  }

  std::shared_ptr<Flights> flights_;
};

}  // namespace galley
