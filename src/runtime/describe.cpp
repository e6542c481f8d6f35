#include <unistd.h>

#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "galley/runtime/uncaught.hpp"
#include "runtime/symbols.hpp"
#include "runtime/thread_times.hpp"
#include "runtime/throw_sites.hpp"

namespace galley {

namespace runtime {
constinit std::atomic<FindThrow> find_throw{nullptr};
}

namespace {

constexpr std::size_t kMaxCauses = 8;

/// An exception_ptr of libstdc++ is the address of the exception, and nothing else.
const void* object_of(const std::exception_ptr& error) noexcept {
  static_assert(sizeof error == sizeof(void*));
  return *reinterpret_cast<void* const*>(&error);
}

/// Without the recorder's own frames: all up to __cxa_throw.
Stack throw_site(const std::exception_ptr& error) {
  const runtime::FindThrow find = runtime::find_throw.load(std::memory_order_acquire);
  if (find == nullptr) return {};
  Stack stack = runtime::symbolise(find(object_of(error)));
  for (std::size_t at = 0; at < stack.size(); ++at) {
    if (!stack[at].function.starts_with("__cxa_throw")) continue;
    stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    break;
  }
  return stack;
}

/// Its text, and what it was thrown for.
std::pair<std::string, std::exception_ptr> look_into(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    const auto* const nested = dynamic_cast<const std::nested_exception*>(&thrown);
    return {thrown.what(), nested == nullptr ? nullptr : nested->nested_ptr()};
  } catch (const std::nested_exception& nested) {
    return {"", nested.nested_ptr()};
  } catch (const std::string& text) {
    return {text, nullptr};
  } catch (const char* text) {
    return {text == nullptr ? "" : text, nullptr};
  } catch (int number) {
    return {std::to_string(number), nullptr};
  } catch (...) {  // of a type that tells nothing
    return {"", nullptr};
  }
}

ThrownError describe_one(const std::exception_ptr& error, std::exception_ptr& cause) {
  ThrownError one;
  const std::type_info* const type = error.__cxa_exception_type();
  one.type = type == nullptr ? "?" : runtime::readable(runtime::demangled(type->name()));
  constexpr std::string_view kNested = "std::_Nested_exception<";  // what throw_with_nested wraps a type in
  if (one.type.starts_with(kNested) && one.type.ends_with('>')) {
    one.type = one.type.substr(kNested.size(), one.type.size() - kNested.size() - 1);
    if (one.type.ends_with(' ')) one.type.pop_back();
  }
  one.thrown_at = throw_site(error);
  std::tie(one.text, cause) = look_into(error);
  return one;
}

std::string one_text(const ThrownError& error) {
  std::string text = error.type.empty() ? "no exception" : error.type;
  if (!error.text.empty()) text += ": " + error.text;
  return text + "\n" + to_text(error.thrown_at);
}

}  // namespace

ErrorDescription describe(const std::exception_ptr& error) {
  ErrorDescription described;
  if (error == nullptr) return described;
  std::exception_ptr cause;
  static_cast<ThrownError&>(described) = describe_one(error, cause);
  while (cause != nullptr && described.causes.size() < kMaxCauses) {
    std::exception_ptr next;
    described.causes.push_back(describe_one(cause, next));
    cause = std::move(next);
  }
  return described;
}

std::string to_text(const ErrorDescription& error) {
  std::string text = one_text(error);
  for (const ThrownError& cause : error.causes) text += "caused by " + one_text(cause);
  return text;
}

std::string UncaughtReport::text() const {
  std::string text = "uncaught ";
  text += to_text(error);
  if (task) {
    text += "in task \"" + task->name + "\", spawned at " + runtime::file_name(task->spawned_at.file_name()) + ":" +
            std::to_string(task->spawned_at.line()) + "\n";
  }
  text += "on thread " + std::to_string(thread_id) + " \"" + thread + "\"\n";
  if (!stack.empty()) text += "terminated\n" + to_text(stack);
  return text;
}

UncaughtReport uncaught_report(const std::exception_ptr& error) {
  UncaughtReport report;
  report.error = describe(error);
  if (const TaskInfo* const task = current_task(); task != nullptr) report.task = *task;
  report.thread_id = ::gettid();
  report.thread = runtime::thread_name(report.thread_id);
  return report;
}

UncaughtReport uncaught_report(const TaskInfo& task, const std::exception_ptr& error) {
  const TaskScope scope(&task);
  return uncaught_report(error);
}

}  // namespace galley
