#pragma once
// The executor adaptor behind named_executor().

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <type_traits>
#include <utility>

#include "galley/runtime/current_task.hpp"
#include "galley/runtime/detail/task_ref.hpp"

namespace galley::runtime {

template <class Inner>
class NamedExecutor {
 public:
  NamedExecutor(Inner inner, TaskRef task) noexcept : inner_(std::move(inner)), task_(std::move(task)) {}

  [[nodiscard]] const TaskRef& task() const noexcept { return task_; }

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
