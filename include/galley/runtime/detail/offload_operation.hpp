#pragma once
// What galley/runtime/offload.hpp is made of; not to be included by itself.
//
// An operation is one allocation: callable, outcome, and the handler that goes on with the coroutine. It is owned by
// the task in the pool, and by the coroutine's cancellation slot; when it is over it travels through the executor of
// the handler, which is called there.

#include <atomic>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "galley/runtime/detail/as_result.hpp"
#include "galley/runtime/worker_pool.hpp"

namespace galley::runtime {

template <class F>
auto called(F& f, TaskContext& context) {
  if constexpr (std::is_invocable_v<F&, TaskContext&>) {
    return f(context);
  } else {
    return f();
  }
}

template <class F>
using OffloadResult = typename detail::AsResult<
    std::remove_cvref_t<decltype(called(std::declval<F&>(), std::declval<TaskContext&>()))>>::Type;

template <class F>
struct OffloadWork {
  WorkerPool* pool;
  F f;
  TaskOptions options;
  OffloadWork(WorkerPool& its_pool, F its_f, TaskOptions its_options)
      : pool(&its_pool), f(std::move(its_f)), options(std::move(its_options)) {}
};

/// Where a task is between its submit and its end, apart from what it computes.
class OffloadState : public std::enable_shared_from_this<OffloadState> {
 public:
  OffloadState(const OffloadState&) = delete;
  OffloadState& operator=(const OffloadState&) = delete;

  /// Once. Whatever becomes of the task, complete() is called once.
  void submit(WorkerPool& pool, TaskOptions options);
  /// By the executor of whoever awaits.
  void cancel() noexcept;
  /// Of the task, while it runs.
  [[nodiscard]] std::stop_token stop_token();
  void request_stop() noexcept;

 protected:
  OffloadState() = default;
  virtual ~OffloadState() = default;
  /// Runs the callable, and destroys it.
  virtual void call(TaskContext& context) = 0;
  /// Hands over to the handler's executor.
  virtual void complete() noexcept = 0;

  std::optional<Error> not_run_;  ///< why it never began
  std::exception_ptr thrown_;

 private:
  class Awaited;
  enum class Stage : std::uint8_t { Waiting, Running, Over };
  void run(TaskContext& context);
  void dropped() noexcept;
  [[nodiscard]] bool move_on(Stage from, Stage to) noexcept { return stage_.compare_exchange_strong(from, to); }

  std::atomic<Stage> stage_{Stage::Waiting};
  std::atomic<std::uint64_t> ticket_{0};  ///< of one that waits for room
  WorkerPool* pool_ = nullptr;
  std::mutex mutex_;  ///< of the next two
  std::optional<std::stop_source> stop_;
  bool stop_requested_ = false;
};

/// What a task sees that somebody awaits: its stop token is requested by either side.
class AwaitedContext final : public TaskContext {
 public:
  AwaitedContext(TaskContext& outer, OffloadState& state) noexcept : outer_(outer), state_(state) {}
  [[nodiscard]] int dispatcher() const noexcept override { return outer_.dispatcher(); }
  [[nodiscard]] int worker() const noexcept override { return outer_.worker(); }
  [[nodiscard]] void* state() const noexcept override { return outer_.state(); }
  [[nodiscard]] std::stop_token stop_token() override;

 private:
  struct Forward {
    OffloadState* state;
    void operator()() const noexcept { state->request_stop(); }
  };
  TaskContext& outer_;
  OffloadState& state_;
  std::optional<std::stop_callback<Forward>> link_;
};

/// The handler, and the executor that is kept busy until it has been called.
template <class Handler>
class Reply {
 public:
  using Executor = boost::asio::associated_executor_t<Handler>;
  explicit Reply(Handler handler)
      : handler_(std::move(handler)), work_(boost::asio::get_associated_executor(handler_)) {}

  [[nodiscard]] Executor executor() const noexcept { return work_.get_executor(); }
  [[nodiscard]] auto slot() const noexcept { return boost::asio::get_associated_cancellation_slot(handler_); }
  /// On the executor.
  template <class Value>
  void operator()(std::exception_ptr thrown, Value&& value) {
    if (slot().is_connected()) slot().clear();
    std::move(handler_)(std::move(thrown), std::forward<Value>(value));
  }

 private:
  Handler handler_;
  boost::asio::executor_work_guard<Executor> work_;
};

/// From a thread that the executor's context does not know: were this the last work there, run() could return and the
/// context be destroyed while this thread is still inside post().
template <class Executor, class F>
void send(const Executor& executor, F&& f) {
  const boost::asio::executor_work_guard<Executor> until_posted(executor);
  boost::asio::post(executor, std::forward<F>(f));
}

template <class F, class Handler>
class OffloadOperation final : public OffloadState {
 public:
  OffloadOperation(F f, Handler handler) : f_(std::move(f)), reply_(std::in_place, std::move(handler)) {}

  void watch_for_cancellation() {
    auto slot = reply_->slot();
    if (!slot.is_connected()) return;
    slot.assign([self = shared_from_this()](boost::asio::cancellation_type type) {
      if (type != boost::asio::cancellation_type::none) self->cancel();
    });
  }

 private:
  using Outcome = OffloadResult<F>;

  /// Moved through the executor. One that is destroyed instead of called takes the coroutine along.
  struct Finish {
    std::shared_ptr<OffloadOperation> self;
    explicit Finish(std::shared_ptr<OffloadOperation> operation) noexcept : self(std::move(operation)) {}
    Finish(Finish&&) noexcept = default;
    Finish& operator=(Finish&&) = delete;
    ~Finish() {
      if (self) self->reply_.reset();
    }
    void operator()() {
      const auto operation = std::move(self);
      operation->finish();
    }
  };

  void call(TaskContext& context) override {
    F f(std::move(*f_));
    f_.reset();
    AwaitedContext awaited(context, *this);
    if constexpr (std::is_void_v<decltype(called(f, context))>) {
      called(f, awaited);
      outcome_.emplace();
    } else {
      outcome_.emplace(called(f, awaited));
    }
  }
  void complete() noexcept override {
    const auto executor = reply_->executor();
    send(executor, Finish(std::static_pointer_cast<OffloadOperation>(shared_from_this())));
  }
  void finish() {
    f_.reset();  // of one that never began
    auto reply = std::move(*reply_);
    reply_.reset();
    if (thrown_) return reply(std::move(thrown_), Outcome(Error{}));
    if (not_run_) return reply(nullptr, Outcome(std::move(*not_run_)));
    reply(nullptr, std::move(*outcome_));
  }

  std::optional<F> f_;
  std::optional<Outcome> outcome_;
  std::optional<Reply<Handler>> reply_;
};

/// Answers through the executor of a handler; for what needs nothing else of an operation.
template <class Value, class Handler>
void answer(Handler handler, std::exception_ptr thrown, Value value) {
  const auto executor = boost::asio::get_associated_executor(handler);
  send(executor, [reply = Reply<Handler>(std::move(handler)), thrown = std::move(thrown),
                  value = std::move(value)]() mutable { reply(std::move(thrown), std::move(value)); });
}

[[nodiscard]] inline Error awaited_twice() {
  return {Errc::WrongState, "it has been awaited already: a task is run once"};
}

struct StartOffload {
  template <class Handler, class F>
  void operator()(Handler&& handler, std::optional<OffloadWork<F>> work) const {
    using Its = std::decay_t<Handler>;
    if (!work) return answer(Its(std::forward<Handler>(handler)), nullptr, OffloadResult<F>(awaited_twice()));
    WorkerPool& pool = *work->pool;
    TaskOptions options = std::move(work->options);
    const auto operation =
        std::make_shared<OffloadOperation<F, Its>>(std::move(work->f), std::forward<Handler>(handler));
    operation->watch_for_cancellation();
    operation->submit(pool,
                      std::move(options));  // from here on the coroutine may go on, and all but `operation` be gone
  }
};

/// One that waits for room.
class SubmissionState : public std::enable_shared_from_this<SubmissionState> {
 public:
  SubmissionState(const SubmissionState&) = delete;
  SubmissionState& operator=(const SubmissionState&) = delete;
  void submit(WorkerPool& pool, Task task, const TaskOptions& options);
  void cancel() noexcept;

 protected:
  SubmissionState() = default;
  virtual ~SubmissionState() = default;
  virtual void complete(std::exception_ptr thrown, Result<void> result) noexcept = 0;

 private:
  std::atomic<std::uint64_t> ticket_{0};
  WorkerPool* pool_ = nullptr;
};

template <class Handler>
class SubmissionOperation final : public SubmissionState {
 public:
  explicit SubmissionOperation(Handler handler) : handler_(std::in_place, std::move(handler)), work_(*handler_) {}
  void watch_for_cancellation() {
    auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
    if (!slot.is_connected()) return;
    slot.assign([self = shared_from_this()](boost::asio::cancellation_type type) {
      if (type != boost::asio::cancellation_type::none) self->cancel();
    });
  }

 private:
  struct Work {
    boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> guard;
    explicit Work(const Handler& handler) : guard(boost::asio::get_associated_executor(handler)) {}
  };
  void complete(std::exception_ptr thrown, Result<void> result) noexcept override {
    Handler handler = std::move(*handler_);
    handler_.reset();
    answer(std::move(handler), std::move(thrown), std::move(result));
    work_.guard.reset();
  }
  std::optional<Handler> handler_;
  Work work_;
};

struct StartSubmission {
  template <class Handler>
  void operator()(Handler&& handler, std::optional<OffloadWork<Task>> work) const {
    using Its = std::decay_t<Handler>;
    if (!work) return answer(Its(std::forward<Handler>(handler)), nullptr, Result<void>(awaited_twice()));
    OffloadWork<Task> its = std::move(*work);
    const auto operation = std::make_shared<SubmissionOperation<Its>>(std::forward<Handler>(handler));
    operation->watch_for_cancellation();
    operation->submit(*its.pool, std::move(its.f), its.options);
  }
};

struct StartClose {
  template <class Handler>
  void operator()(Handler&& handler, WorkerPool* pool, CloseMode mode, std::optional<Duration> deadline) const {
    using Its = std::decay_t<Handler>;
    const auto reply = std::make_shared<std::optional<Reply<Its>>>(std::in_place, Its(std::forward<Handler>(handler)));
    const auto tell = [reply](std::exception_ptr thrown, PoolClosed closed) {
      const auto executor = (*reply)->executor();
      send(executor, [its = std::move(**reply), thrown = std::move(thrown), closed = std::move(closed)]() mutable {
        its(std::move(thrown), std::move(closed));
      });
    };
    auto begun = pool->close_then(mode, deadline, [tell](PoolClosed closed) { tell(nullptr, std::move(closed)); });
    if (!begun) tell(std::make_exception_ptr(Exception(begun.error())), PoolClosed());
  }
};

}  // namespace galley::runtime
