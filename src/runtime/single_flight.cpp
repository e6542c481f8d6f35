#include "galley/runtime/single_flight.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

namespace asio = boost::asio;

namespace galley::detail {

struct Flight::Work {
  asio::cancellation_signal signal;
  bool begun = false;
  bool cancelled = false;

  static asio::awaitable<void> supervise(std::shared_ptr<Flight> flight, asio::awaitable<void> work) {
    flight->work_->begun = true;
    if (flight->work_->cancelled) co_return;
    try {
      co_await std::move(work);
    } catch (...) {
      flight->error = std::current_exception();
    }
    // The last step of co_spawn throws out of the executor where a coroutine was cancelled and has never waited.
    co_await asio::this_coro::reset_cancellation_state();
  }
};

/// The end of the work's coroutine, also where its context is destroyed under it. It has no executor of its own: so
/// co_spawn passes a cancellation on at once, and not in a function that is posted and may come too late.
class Flight::End {
 public:
  using cancellation_slot_type = asio::cancellation_slot;

  explicit End(std::shared_ptr<Flight> flight) noexcept : flight_(std::move(flight)) {}
  End(End&& other) noexcept = default;
  ~End() {
    if (flight_ != nullptr) flight_->ended();
  }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return flight_->work_->signal.slot(); }
  void operator()(const std::exception_ptr&) {}  // supervise() has caught it

 private:
  std::shared_ptr<Flight> flight_;
};

Flight::Flight() = default;
Flight::~Flight() = default;

bool Flight::begin(Waiter& waiter) {
  if (over_) {
    waiter.outcome = Waiter::Outcome::Done;
    return true;
  }
  line_.push_back(waiter);
  ++callers_;
  auto& place = static_cast<Place&>(waiter);
  if (work_ == nullptr) {
    work_ = std::make_unique<Work>();
    asio::co_spawn(place.executor, Work::supervise(shared_from_this(), std::move(place.work)), End(shared_from_this()));
  }
  return false;
}

void Flight::cancel(Waiter& waiter) {
  if (!WaitList::has(waiter)) return;
  if (callers_ == 1) {
    leave();
    work_->cancelled = true;
    if (work_->begun) work_->signal.emit(asio::cancellation_type::terminal);
    return;  // he waits for its end
  }
  --callers_;
  line_.remove(waiter);
  waiter.outcome = Waiter::Outcome::Cancelled;
  waiter.complete();
}

bool Flight::abandon(Waiter& waiter) {
  if (!WaitList::has(waiter)) return false;
  line_.remove(waiter);
  --callers_;
  return true;
}

void Flight::ended() {
  over_ = true;
  leave();
  if (error == nullptr) error = cancellation();  // where there is no value either: it never began
  WaitList ready;
  while (Waiter* const waiter = line_.pop_front()) {
    waiter->outcome = Waiter::Outcome::Done;
    ready.push_back(*waiter);
  }
  callers_ = 0;
  ready.complete_all();
}

}  // namespace galley::detail
