#pragma once
// The executor adaptor behind named_executor().

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <memory>
#include <type_traits>
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

template <class Inner>
class NamedExecutor {
 public:
  NamedExecutor(Inner inner, TaskRef task) noexcept : inner_(std::move(inner)), task_(std::move(task)) {}

  template <class F>
  void execute(F&& f) const {
    inner_.execute(Scoped<std::decay_t<F>>(task_, std::forward<F>(f)));
  }

  template <class Property>
  requires boost::asio::can_query_v<const Inner&, Property>
  [[nodiscard]] decltype(auto) query(const Property& property) const
      noexcept(boost::asio::is_nothrow_query_v<const Inner&, Property>) {
    return boost::asio::query(inner_, property);
  }
  template <class Property>
  requires boost::asio::can_require_v<const Inner&, Property>
  [[nodiscard]] auto require(const Property& property) const { return wrap(boost::asio::require(inner_, property)); }
  template <class Property>
  requires(!boost::asio::can_require_v<const Inner&, Property> && boost::asio::can_prefer_v<const Inner&, Property>)
      [[nodiscard]] auto prefer(const Property& property) const {
    return wrap(boost::asio::prefer(inner_, property));
  }

  [[nodiscard]] friend bool operator==(const NamedExecutor& a, const NamedExecutor& b) noexcept {
    return a.task_ == b.task_ && a.inner_ == b.inner_;
  }
  [[nodiscard]] friend bool operator!=(const NamedExecutor& a, const NamedExecutor& b) noexcept { return !(a == b); }

 private:
  template <class F>
  struct Scoped {
    TaskRef task;
    F f;
    template <class G>
    Scoped(TaskRef of, G&& function) : task(std::move(of)), f(std::forward<G>(function)) {}
    void operator()() {
      const TaskScope scope(&task.info());
      std::move(f)();
    }
  };

  template <class Other>
  [[nodiscard]] NamedExecutor<std::decay_t<Other>> wrap(Other&& other) const {
    return NamedExecutor<std::decay_t<Other>>(std::forward<Other>(other), task_);
  }

  Inner inner_;
  TaskRef task_;
};

[[nodiscard]] boost::asio::any_io_executor named_executor(const boost::asio::any_io_executor& executor,
                                                          const TaskRef& task);

}  // namespace galley::runtime
