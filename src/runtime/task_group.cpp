#include "galley/runtime/task_group.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <list>
#include <mutex>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "galley/runtime/detail/children.hpp"
#include "galley/runtime/detail/waiting.hpp"
#include "galley/runtime/semaphore.hpp"
#include "galley/runtime/with_timeout.hpp"
#include "runtime/coroutine_end.hpp"
#include "runtime/named_executor.hpp"

namespace asio = boost::asio;

namespace galley {

namespace {

Error group_error(Errc code, const TaskGroupOptions& options, const std::string& task, const char* why) {
  return Error{code, "task '" + task + "' was not started: group '" + options.name + "' " + why, Written::Nothing};
}

}  // namespace

class TaskGroup::State final : public detail::WaitSource, public std::enable_shared_from_this<TaskGroup::State> {
 public:
  State(asio::any_io_executor executor, OnError on_error, const TaskGroupOptions& options)
      : executor_(std::move(executor)),
        on_error_(std::move(on_error)),
        options_(options),
        room_(std::make_unique<Semaphore>(options.max_tasks)) {}

  Result<void> spawn(std::string name, asio::awaitable<void> work, const boost::source_location& spawned_at) {
    std::optional<Permit> permit;
    {
      const std::lock_guard lock(mutex_);
      if (room_ == nullptr) return group_error(Errc::WrongState, options_, name, "is closed");
      permit = room_->try_acquire();
    }
    if (!permit) {
      const std::string full = "has " + std::to_string(options_.max_tasks) + " tasks, its max_tasks";
      return group_error(Errc::QueueFull, options_, name, full.c_str());
    }
    return start(std::move(name), std::move(work), spawned_at, std::move(*permit));
  }

  static asio::awaitable<Result<void>> spawn_when_room(std::shared_ptr<State> self, std::string name,
                                                       asio::awaitable<void> work, boost::source_location spawned_at) {
    Permit permit;
    if (auto room = self->acquire_room()) {
      try {
        permit = co_await std::move(*room);
      } catch (const boost::system::system_error&) {
        if (!self->closed()) throw;  // it is the caller who was cancelled
      }
    }
    if (!permit) co_return group_error(Errc::WrongState, self->options_, name, "is closed");
    co_return self->start(std::move(name), std::move(work), spawned_at, std::move(permit));
  }

  void close() {
    std::unique_ptr<Semaphore> room;
    const std::lock_guard lock(mutex_);
    room = std::move(room_);
  }

  void cancel() {
    close();
    asio::dispatch(executor_, [self = shared_from_this()] { self->cancel_tasks(); });
  }

  static asio::awaitable<void> join(std::shared_ptr<State> self) {
    detail::Waiter waiter(*self);
    co_await detail::wait(waiter);
    if (waiter.outcome != detail::Waiter::Outcome::Done) detail::throw_cancelled();
  }

  static asio::awaitable<std::vector<RunningTask>> join_for(std::shared_ptr<State> self, Duration limit) {
    auto joined = with_timeout(join(self), limit);
    static_cast<void>(co_await std::move(joined));
    co_return self->running();
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }

  std::vector<RunningTask> running() const {
    const base::Mono now = clock_.mono();
    const std::lock_guard lock(mutex_);
    std::vector<RunningTask> all;
    all.reserve(tasks_.size());
    for (const auto& task : tasks_) all.emplace_back(task->who.info(), now - task->since);
    return all;
  }

  bool begin(detail::Waiter& waiter) override {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) {
      waiter.outcome = detail::Waiter::Outcome::Done;
      return true;
    }
    joining_.push_back(waiter);
    return false;
  }
  void cancel(detail::Waiter& waiter) override {
    {
      const std::lock_guard lock(mutex_);
      if (!detail::WaitList::has(waiter)) return;
      joining_.remove(waiter);
      waiter.outcome = detail::Waiter::Outcome::Cancelled;
    }
    waiter.complete();
  }
  bool abandon(detail::Waiter& waiter) override {
    const std::lock_guard lock(mutex_);
    if (!detail::WaitList::has(waiter)) return false;
    joining_.remove(waiter);
    return true;
  }

 private:
  struct Entry {
    runtime::TaskRef who;
    Permit permit;
    base::Mono since;
    std::list<std::shared_ptr<Entry>>::iterator place;
    // Below: touched on the executor alone.
    asio::cancellation_signal signal;
    bool begun = false;
    bool cancelled = false;
    std::exception_ptr error;

    Entry(runtime::TaskRef task, Permit room, base::Mono now)
        : who(std::move(task)), permit(std::move(room)), since(now) {}
  };
  friend class CoroutineEnd<State, std::shared_ptr<Entry>>;

  static asio::awaitable<void> supervise(std::shared_ptr<Entry> entry, asio::awaitable<void> work) {
    // Not only for the caller's sake: the cancellation of a coroutine that has not yet been suspended would make
    // co_spawn's own last step throw, out of the executor.
    co_await asio::post(asio::use_awaitable);
    entry->begun = true;
    if (entry->cancelled) co_return;
    try {
      co_await std::move(work);
    } catch (...) {
      entry->error = std::current_exception();
    }
  }

  std::optional<asio::awaitable<Permit>> acquire_room() {
    const std::lock_guard lock(mutex_);
    if (room_ == nullptr) return std::nullopt;
    return room_->acquire();
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return room_ == nullptr;
  }

  Result<void> start(std::string name, asio::awaitable<void> work, const boost::source_location& spawned_at,
                     Permit permit) {
    std::string refused = name;
    const runtime::TaskRef who(std::move(name), spawned_at);
    const auto entry = std::make_shared<Entry>(who, std::move(permit), clock_.mono());
    {
      const std::lock_guard lock(mutex_);
      if (room_ == nullptr) return group_error(Errc::WrongState, options_, refused, "is closed");
      entry->place = tasks_.insert(tasks_.end(), entry);
    }
    asio::co_spawn(runtime::named_executor(executor_, who), supervise(entry, std::move(work)),
                   CoroutineEnd<State, std::shared_ptr<Entry>>(shared_from_this(), entry));
    return {};
  }

  void cancel_tasks() {
    std::vector<std::shared_ptr<Entry>> all;
    {
      const std::lock_guard lock(mutex_);
      all.assign(tasks_.begin(), tasks_.end());
    }
    for (const auto& task : all) {
      task->cancelled = true;
      if (task->begun) task->signal.emit(asio::cancellation_type::terminal);
    }
  }

  void ended(Entry& entry) noexcept {
    if (entry.error != nullptr && !(entry.cancelled && detail::is_cancellation(entry.error))) {
      on_error_(entry.who.info(), std::exchange(entry.error, nullptr));
    }
    entry.permit.release();
    detail::WaitList ready;
    {
      const std::lock_guard lock(mutex_);
      tasks_.erase(entry.place);
      if (tasks_.empty()) {
        while (detail::Waiter* const waiter = joining_.pop_front()) {
          waiter->outcome = detail::Waiter::Outcome::Done;
          ready.push_back(*waiter);
        }
      }
    }
    ready.complete_all();
  }

  const asio::any_io_executor executor_;
  const OnError on_error_;
  const TaskGroupOptions options_;
  const base::SystemClock clock_;
  mutable std::mutex mutex_;
  std::unique_ptr<Semaphore> room_;  ///< null: closed
  std::list<std::shared_ptr<Entry>> tasks_;
  detail::WaitList joining_;
};

TaskGroup::TaskGroup(asio::any_io_executor executor, OnError on_error, const TaskGroupOptions& options) {
  if (!on_error) {
    throw Exception(Error{Errc::InvalidInput, "on_error is empty; a task group needs it", Written::Nothing});
  }
  constexpr std::size_t kMost = 10'000'000;
  if (options.max_tasks < 1 || options.max_tasks > kMost) {
    throw Exception(
        Error{Errc::InvalidInput,
              "max_tasks is " + std::to_string(options.max_tasks) + "; allowed are 1 to " + std::to_string(kMost),
              Written::Nothing});
  }
  state_ = std::make_shared<State>(std::move(executor), std::move(on_error), options);
}

TaskGroup::~TaskGroup() { GALLEY_ASSERT(empty()); }

Result<void> TaskGroup::spawn(std::string name, asio::awaitable<void> work, const boost::source_location& spawned_at) {
  return state_->spawn(std::move(name), std::move(work), spawned_at);
}

asio::awaitable<Result<void>> TaskGroup::spawn_when_room(std::string name, asio::awaitable<void> work,
                                                         const boost::source_location& spawned_at) {
  return State::spawn_when_room(state_, std::move(name), std::move(work), spawned_at);
}

void TaskGroup::close() { state_->close(); }

void TaskGroup::cancel() { state_->cancel(); }

asio::awaitable<void> TaskGroup::join() { return State::join(state_); }

asio::awaitable<std::vector<RunningTask>> TaskGroup::join_for(Duration limit) { return State::join_for(state_, limit); }

std::size_t TaskGroup::size() const { return state_->size(); }

std::vector<RunningTask> TaskGroup::running() const { return state_->running(); }

}  // namespace galley
