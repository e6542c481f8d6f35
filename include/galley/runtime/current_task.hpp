#pragma once
// Which named task a thread runs just now, for reports: a stall names the task that blocks its loop, an error that
// nobody awaits names the one it came from.
//
// Thread-safety: each thread has its own; the functions touch no other's.

#include <boost/assert/source_location.hpp>
#include <string>
#include <utility>

namespace galley {

/// Who a task is: a name that a person gave it, and where it was spawned.
struct TaskInfo {
  std::string name;
  boost::source_location spawned_at;
  TaskInfo(std::string task_name, const boost::source_location& where)
      : name(std::move(task_name)), spawned_at(where) {}
};

/// Of this thread; null where none runs. May be called from a signal handler.
[[nodiscard]] const TaskInfo* current_task() noexcept;

/// While it lives, that task is the current one of this thread; then again the one before.
class TaskScope {
 public:
  explicit TaskScope(const TaskInfo* task) noexcept;
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

 private:
  const TaskInfo* before_;
};

}  // namespace galley
