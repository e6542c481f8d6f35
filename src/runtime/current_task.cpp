#include "galley/runtime/current_task.hpp"

namespace galley {

namespace {

// Initialised by constants and linked into the program, so a signal handler may read it: nothing is allocated.
thread_local const TaskInfo* current = nullptr;

}  // namespace

const TaskInfo* current_task() noexcept { return current; }

TaskScope::TaskScope(const TaskInfo* task) noexcept : before_(std::exchange(current, task)) {}

TaskScope::~TaskScope() { current = before_; }

}  // namespace galley
