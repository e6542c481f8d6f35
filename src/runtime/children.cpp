#include "galley/runtime/detail/children.hpp"

#include <algorithm>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <vector>

#include "base/assert.hpp"
#include "galley/runtime/detail/waiting.hpp"
#include "runtime/coroutine_end.hpp"

namespace asio = boost::asio;

namespace galley::detail {

class Children::State final : public WaitSource, public std::enable_shared_from_this<State> {
 public:
  explicit State(asio::any_io_executor executor) : executor_(std::move(executor)), waiter_(*this) {}

  void add(asio::awaitable<void> work) {
    GALLEY_ASSERT(waiter_.outcome == Waiter::Outcome::Waiting && running_ == 0);
    children_.push_back(std::make_unique<Child>(std::move(work)));
  }
  void expire_after(Duration limit) { limit_ = limit; }
  Waiter& waiter() noexcept { return waiter_; }

  bool begin(Waiter&) override {
    running_ = children_.size() + 1;  // one more until all have been started: they may end meanwhile
    for (const auto& child : children_) {
      asio::co_spawn(executor_, supervise(shared_from_this(), *child, std::move(child->work)),
                     CoroutineEnd<State, Child*>(shared_from_this(), child.get()));
    }
    if (limit_ && running_ > 1) start_timer();
    if (--running_ != 0) return false;
    waiter_.outcome = Waiter::Outcome::Done;
    return true;
  }
  void cancel(Waiter&) override {
    cancelled_outside_ = true;
    cancel_children();
  }
  bool abandon(Waiter&) override {
    waiter_.outcome = Waiter::Outcome::Cancelled;
    return true;  // one executor: nobody completes it meanwhile
  }

  void cancel_children() {
    const auto self = shared_from_this();
    cancelled_ = true;
    for (const auto& child : children_) {
      if (child->begun && !child->ended) child->signal.emit(asio::cancellation_type::terminal);
    }
  }

  bool cancelled_ = false;
  bool cancelled_outside_ = false;
  bool expired_ = false;
  std::exception_ptr error_;

 private:
  struct Child {
    asio::awaitable<void> work;
    asio::cancellation_signal signal;
    bool begun = false;
    bool ended = false;
    explicit Child(asio::awaitable<void> what) : work(std::move(what)) {}
  };
  friend class CoroutineEnd<State, Child*>;

  static asio::awaitable<void> supervise(std::shared_ptr<State> all, Child& child, asio::awaitable<void> work) {
    child.begun = true;
    if (all->cancelled_) co_return;
    try {
      co_await std::move(work);
    } catch (...) {
      if (all->error_ == nullptr) all->error_ = std::current_exception();
    }
    // The last step of co_spawn throws out of the executor where a coroutine was cancelled and has never waited.
    co_await asio::this_coro::reset_cancellation_state();
  }

  void ended(Child& child) {
    child.ended = true;
    if (--running_ != 0) return;
    timer_.reset();
    if (waiter_.outcome != Waiter::Outcome::Waiting) return;  // abandoned with its context
    waiter_.outcome = Waiter::Outcome::Done;
    waiter_.complete();
  }

  void start_timer() {
    constexpr Duration kNever = std::chrono::hours(24 * 365 * 100);  // the timer counts nanoseconds
    timer_.emplace(executor_, std::min(*limit_, kNever));
    timer_->async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->running_ == 0) return;
      self->expired_ = true;
      self->cancel_children();
    });
  }

  const asio::any_io_executor executor_;
  Waiter waiter_;
  std::vector<std::unique_ptr<Child>> children_;
  std::size_t running_ = 0;
  std::optional<Duration> limit_;
  std::optional<asio::steady_timer> timer_;
};

Children::Children(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Children::~Children() = default;

void Children::add(asio::awaitable<void> work) { state_->add(std::move(work)); }

void Children::expire_after(Duration limit) { state_->expire_after(limit); }

asio::awaitable<void> Children::run() { return wait(state_->waiter()); }

void Children::cancel() { state_->cancel_children(); }

bool Children::cancelled() const noexcept { return state_->cancelled_; }

bool Children::cancelled_outside() const noexcept { return state_->cancelled_outside_; }

bool Children::expired() const noexcept { return state_->expired_; }

std::exception_ptr Children::error() const noexcept { return state_->error_; }

bool is_cancellation(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

std::exception_ptr cancellation() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

}  // namespace galley::detail
