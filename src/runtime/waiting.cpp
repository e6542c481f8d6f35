#include "galley/runtime/detail/waiting.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/system_error.hpp>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/assert.hpp"
#include "galley/runtime/yield.hpp"

namespace asio = boost::asio;

namespace galley::detail {

/// Of each execution context: who waits on it. A waiting coroutine is owned by its own frame, so nobody else could
/// destroy it with its context.
class WaitingService final : public asio::execution_context::service {
 public:
  using key_type = WaitingService;
  static asio::execution_context::id id;

  /// Services end in the reverse order of their beginnings. The strands' has to end after this one: while it does, Asio
  /// 1.81 adds to a strand's queue without a lock what another thread posts, and loses it.
  explicit WaitingService(asio::execution_context& context) : service(context) {
    asio::use_service<asio::detail::strand_executor_service>(context);
  }

  void add(Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    waiter.service_ = this;
    waiter.service_next_ = first_;
    if (first_ != nullptr) first_->service_previous_ = &waiter;
    first_ = &waiter;
  }
  /// By whoever completes the waiter, on any thread, around the post: the context is there until end().
  void begin(Waiter& waiter) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return looked_at_ != &waiter; });
    unlink(waiter);
    ++posting_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    --posting_;
    if (ending_) changed_.notify_all();  // under the lock: this is gone as soon as it is free
  }

 private:
  void unlink(Waiter& waiter) noexcept {
    (waiter.service_previous_ != nullptr ? waiter.service_previous_->service_next_ : first_) = waiter.service_next_;
    if (waiter.service_next_ != nullptr) waiter.service_next_->service_previous_ = waiter.service_previous_;
    waiter.service_ = nullptr;
    waiter.service_next_ = waiter.service_previous_ = nullptr;
  }
  /// Each waiter is somebody's alone: of whoever has taken it out of its source's line, this or a thread that completes
  /// it. The latter is waited for, so that nothing is posted to a context that is gone.
  void shutdown() override {
    std::unique_lock lock(mutex_);
    ending_ = true;
    while (Waiter* const waiter = first_) {
      looked_at_ = waiter;  // and so not completed, nor destroyed, before it has been asked about
      lock.unlock();
      const bool taken = waiter->source_.abandon(*waiter);
      lock.lock();
      looked_at_ = nullptr;
      changed_.notify_all();
      if (taken) {
        unlink(*waiter);
        lock.unlock();
        destroy(*waiter);
        lock.lock();
      } else {
        changed_.wait(lock, [&] { return first_ != waiter && posting_ == 0; });
      }
    }
    changed_.wait(lock, [this] { return posting_ == 0; });
  }
  static void destroy(Waiter& waiter) {
    // Its end hands the frame to the context's own shutdown.
    const Waiter::Handler last = std::move(*waiter.handler_);
    waiter.handler_.reset();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Waiter* first_ = nullptr;
  Waiter* looked_at_ = nullptr;  ///< by shutdown()
  int posting_ = 0;
  bool ending_ = false;
};

asio::execution_context::id WaitingService::id;

struct StartWaiting {
  Waiter* waiter;
  explicit StartWaiting(Waiter& who) noexcept : waiter(&who) {}

  void operator()(Waiter::Handler&& handler) const {
    Waiter& who = *waiter;
    who.handler_.emplace(std::move(handler));
    auto slot = asio::get_associated_cancellation_slot(*who.handler_);
    if (slot.is_connected()) {
      slot.assign([&who](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) who.source_.cancel(who);
      });
    }
    asio::use_service<WaitingService>(asio::query(who.handler_->get_executor(), asio::execution::context)).add(who);
    if (who.source_.begin(who)) who.complete();
  }
};

void Waiter::complete() {
  GALLEY_ASSERT(handler_.has_value());
  WaitingService& service = *service_;
  service.begin(*this);
  {
    Handler handler = std::move(*handler_);
    handler_.reset();
    asio::post(std::move(handler));
  }
  service.end();
}

asio::awaitable<void> wait(Waiter& waiter) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(StartWaiting(waiter), asio::use_awaitable);
}

asio::awaitable<void> give_way() { co_await yield(); }

void throw_cancelled() { throw boost::system::system_error(asio::error::operation_aborted); }

void WaitList::push_back(Waiter& waiter) noexcept {
  waiter.next_ = nullptr;
  waiter.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &waiter;
  last_ = &waiter;
  waiter.linked_ = true;
}

Waiter* WaitList::pop_front() noexcept {
  Waiter* const waiter = first_;
  if (waiter != nullptr) remove(*waiter);
  return waiter;
}

void WaitList::remove(Waiter& waiter) noexcept {
  (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  waiter.next_ = waiter.previous_ = nullptr;
  waiter.linked_ = false;
}

void WaitList::complete_all() {
  while (Waiter* const waiter = pop_front()) waiter->complete();
}

}  // namespace galley::detail
