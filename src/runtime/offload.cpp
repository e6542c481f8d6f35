#include "galley/runtime/offload.hpp"

#include <string>

namespace galley::runtime {

namespace {

std::exception_ptr aborted() {
  return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
}

Error closed() { return {Errc::WrongState, "the pool was closed before the task began"}; }

Error refused(Submitted why) {
  if (why == Submitted::Closed) return closed();
  if (why == Submitted::NoThread) return {Errc::Unavailable, "no thread could be started for the task"};
  return {Errc::QueueFull, "as many tasks as the pool's max_waiting allows wait for room already"};
}

}  // namespace

/// What of it the pool holds. Whoever destroys it unrun, for whatever reason, has dropped the task.
class OffloadState::Awaited {
 public:
  explicit Awaited(std::shared_ptr<OffloadState> state) noexcept : state_(std::move(state)) {}
  Awaited(Awaited&&) noexcept = default;
  Awaited& operator=(Awaited&&) = delete;
  ~Awaited() {
    if (state_) state_->dropped();
  }
  void operator()(TaskContext& context) { std::exchange(state_, nullptr)->run(context); }

 private:
  std::shared_ptr<OffloadState> state_;
};

void OffloadState::submit(WorkerPool& pool, TaskOptions options) {
  pool_ = &pool;
  const auto self = shared_from_this();
  if (options.queue_timeout > Duration{0}) {
    // The pool says so while it still holds the task, and so this.
    options.on_dropped = [this, limit = options.queue_timeout, told = std::move(options.on_dropped)](Dropped why) {
      if (why == Dropped::QueueTimeout) {
        not_run_ = Error{Errc::TimedOut,
                         "the task has not begun within its queue_timeout of " + std::to_string(limit.count()) + " us"};
      }
      if (told) told(why);
    };
  }
  Task task = Awaited(self);
  try {
    ticket_ = pool.submit_then(std::move(task), options, [this](Submitted answer) {
      if (answer != Submitted::Accepted) not_run_ = refused(answer);
    });
  } catch (const Exception& failure) {
    not_run_ = failure.error();  // the task is still here, and says that it was dropped when this returns
  }
}

void OffloadState::run(TaskContext& context) {
  if (!move_on(Stage::Waiting, Stage::Running)) return context.withdrawn();
  try {
    call(context);
  } catch (...) {
    thrown_ = std::current_exception();
  }
  stage_ = Stage::Over;
  complete();
}

void OffloadState::dropped() noexcept {
  if (!move_on(Stage::Waiting, Stage::Over)) return;
  if (!not_run_) not_run_ = closed();
  complete();
}

void OffloadState::cancel() noexcept {
  if (!move_on(Stage::Waiting, Stage::Over)) return request_stop();
  if (const std::uint64_t ticket = ticket_; ticket != 0) pool_->withdraw(ticket);
  thrown_ = aborted();
  complete();
}

void OffloadState::request_stop() noexcept {
  std::stop_source source{std::nostopstate};
  {
    const std::lock_guard lock(mutex_);
    stop_requested_ = true;
    if (stop_) source = *stop_;
  }
  source.request_stop();  // may call the task's own callbacks: not under the lock
}

std::stop_token OffloadState::stop_token() {
  const std::lock_guard lock(mutex_);
  if (!stop_) {
    stop_.emplace();
    if (stop_requested_) stop_->request_stop();
  }
  return stop_->get_token();
}

std::stop_token AwaitedContext::stop_token() {
  if (!link_) link_.emplace(outer_.stop_token(), Forward{&state_});
  return state_.stop_token();
}

void SubmissionState::submit(WorkerPool& pool, Task task, const TaskOptions& options) {
  pool_ = &pool;
  const auto self = shared_from_this();
  try {
    ticket_ = pool.submit_then(std::move(task), options, [self](Submitted answer) {
      self->complete(nullptr, answer == Submitted::Accepted ? Result<void>() : Result<void>(refused(answer)));
    });
  } catch (const Exception&) {
    complete(std::current_exception(), {});
  }
}

void SubmissionState::cancel() noexcept {
  const std::uint64_t ticket = ticket_;
  if (ticket != 0 && pool_->withdraw(ticket)) complete(aborted(), {});
}

}  // namespace galley::runtime
