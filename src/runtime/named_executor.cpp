#include "runtime/named_executor.hpp"

#include <boost/asio/io_context.hpp>

#include "galley/runtime/named_executor.hpp"

namespace asio = boost::asio;

namespace galley {

namespace runtime {

void TaskRef::drop(Shared* shared) noexcept {
  if (shared->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) const std::unique_ptr<Shared> last(shared);
}

std::optional<TaskRef> task_of(const asio::any_io_executor& executor) noexcept {
  using OfContext = asio::io_context::executor_type;
  if (executor.target<OfContext>() != nullptr) return std::nullopt;  // mostly
  if (const auto* named = executor.target<NamedExecutor<OfContext>>()) return named->task();
  if (const auto* named = executor.target<NamedExecutor<asio::any_io_executor>>()) return named->task();
  return std::nullopt;
}

asio::any_io_executor named_executor(const asio::any_io_executor& executor, const TaskRef& task) {
  // Round the erased executor there would be two erasures on the way of each resumption.
  if (const auto* plain = executor.target<asio::io_context::executor_type>()) {
    return NamedExecutor<asio::io_context::executor_type>(*plain, task);
  }
  return NamedExecutor<asio::any_io_executor>(executor, task);
}

}  // namespace runtime

asio::any_io_executor named_executor(const asio::any_io_executor& executor, std::string name,
                                     const boost::source_location& spawned_at) {
  return runtime::named_executor(executor, runtime::TaskRef(std::move(name), spawned_at));
}

}  // namespace galley
