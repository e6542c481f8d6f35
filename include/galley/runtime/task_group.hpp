#pragma once
// Owns background work: every coroutine that nobody awaits belongs to a group, has a name, is cancelled with the group
// and awaited by it.
//
//   galley::TaskGroup group{loop.get_executor(), report_error};
//   group.spawn("accept", accept_connections(acceptor)).value();
//   ...
//   group.cancel();
//   co_await group.join();   // now it may be destroyed
//
// Thread-safety: every function from any thread, but for the destructor. The executor must run one handler at a time: a
// loop, an io_context that one thread runs, a strand.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/assert/source_location.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/current_task.hpp"

namespace galley {

struct TaskGroupOptions {
  std::string name = "tasks";      ///< Of the group, for messages.
  std::size_t max_tasks = 10'000;  ///< At once, 1..10,000,000; what is beyond is refused or waits.
  TaskGroupOptions() {}            // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

struct RunningTask {
  TaskInfo info;
  Duration age{0};  ///< since it was spawned
  RunningTask(TaskInfo who, Duration since) : info(std::move(who)), age(since) {}
};

class TaskGroup {
 public:
  /// Gets what a task has thrown, exactly once, on the group's executor, before join() can return; must not throw.
  using OnError = std::function<void(const TaskInfo&, std::exception_ptr)>;

  /// Throws Exception: InvalidInput naming the option, or where on_error is empty: no error is dropped silently.
  TaskGroup(boost::asio::any_io_executor executor, OnError on_error, const TaskGroupOptions& options = {});
  /// Asserts that no task is left.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// The work begins on the group's executor, at the end of its line: never before this returns to that executor.
  /// Errors: QueueFull (max_tasks), WrongState (the group is closed); then the work is destroyed without having begun.
  [[nodiscard]] Result<void> spawn(std::string name, boost::asio::awaitable<void> work,
                                   const boost::source_location& spawned_at = BOOST_CURRENT_LOCATION);
  /// As spawn, but waits for room, first come, first served. Errors: WrongState.
  [[nodiscard]] boost::asio::awaitable<Result<void>> spawn_when_room(
      std::string name, boost::asio::awaitable<void> work,
      const boost::source_location& spawned_at = BOOST_CURRENT_LOCATION);

  /// Takes no more tasks; those that wait for room get WrongState.
  void close();
  /// Closes, and cancels every task (cancellation_type::terminal), on its executor. A task that then ends with
  /// operation_aborted has not failed. May be repeated.
  void cancel();

  /// Until no task is left. Cancelling the wait leaves the tasks alone.
  [[nodiscard]] boost::asio::awaitable<void> join();
  /// At most `limit`: what is still running then, for a report; nothing: none is left. On the group's executor.
  [[nodiscard]] boost::asio::awaitable<std::vector<RunningTask>> join_for(Duration limit);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// In the order of their start.
  [[nodiscard]] std::vector<RunningTask> running() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace galley
