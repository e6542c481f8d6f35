#pragma once
// Who a coroutine is, held by whoever resumes it: under named_executor() and yield(). Not for programs.
//
// Thread-safety: a value; its count may be shared by threads.

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/assert/source_location.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "galley/runtime/current_task.hpp"

namespace galley::runtime {

/// Shared by the copies of an executor. One pointer, so that the executor stands in an any_io_executor without a heap
/// allocation; a shared_ptr would not.
class TaskRef {
 public:
  TaskRef(std::string name, const boost::source_location& spawned_at)
      : shared_(std::make_unique<Shared>(std::move(name), spawned_at).release()) {}
  TaskRef(const TaskRef& other) noexcept : shared_(other.shared_) {
    shared_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  TaskRef(TaskRef&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  TaskRef& operator=(const TaskRef&) = delete;
  ~TaskRef() {
    if (shared_ != nullptr) drop(shared_);
  }

  [[nodiscard]] const TaskInfo& info() const noexcept { return shared_->info; }
  [[nodiscard]] bool operator==(const TaskRef& other) const noexcept { return shared_ == other.shared_; }

 private:
  struct Shared {
    TaskInfo info;
    std::atomic<int> refs{1};
    Shared(std::string name, const boost::source_location& spawned_at) : info(std::move(name), spawned_at) {}
  };
  static void drop(Shared* shared) noexcept;

  Shared* shared_;
};

/// Of a named_executor(); none: it is another one.
[[nodiscard]] std::optional<TaskRef> task_of(const boost::asio::any_io_executor& executor) noexcept;

}  // namespace galley::runtime
