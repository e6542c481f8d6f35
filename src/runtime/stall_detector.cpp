#include "galley/runtime/stall_detector.hpp"

#include <csignal>
#include <cstdio>
#include <utility>

#include "galley/runtime/loop.hpp"
#include "runtime/stall_watcher.hpp"
#include "runtime/symbols.hpp"

namespace galley {

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& value, const std::string& allowed) {
  throw Exception(Error{Errc::InvalidInput, option + " " + value + " is not allowed: " + allowed});
}

StallOptions checked(StallOptions options) {
  if (options.signal < SIGRTMIN || options.signal > SIGRTMAX) {
    refuse("signal", std::to_string(options.signal),
           "SIGRTMIN..SIGRTMAX, " + std::to_string(SIGRTMIN) + ".." + std::to_string(SIGRTMAX));
  }
  if (options.threshold < std::chrono::milliseconds(1) || options.threshold > std::chrono::hours(1)) {
    refuse("threshold", std::to_string(options.threshold.count()) + " us", "1 ms..1 h");
  }
  if (options.reports_per_minute < 1 || options.reports_per_minute > 1'000) {
    refuse("reports_per_minute", std::to_string(options.reports_per_minute), "1..1000");
  }
  return options;
}

std::string ms(Duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(time.count()) / 1e3);
  return text;
}

std::string cause_text(const StallReport& report) {
  const std::string of = ms(report.on_cpu) + " of the last " + ms(report.observed) + " on a CPU";
  switch (report.cause) {
    case StallCause::Computing: return "it computes (" + of + ")";
    case StallCause::WaitingForCpu: return "it waits for a CPU (" + of + ")";
    case StallCause::Blocked:
      return "it is blocked" + (report.system_call.empty() ? std::string() : " in " + report.system_call);
    case StallCause::Unknown: break;
  }
  return "what it does is not known";
}

}  // namespace

std::string StallReport::text() const {
  std::string text = "loop \"" + loop + "\" " + (ended ? "goes on after " : "has been stalled for ") + ms(lasted);
  if (has_task) {
    text += " in task \"" + task + "\" (spawned at " + runtime::file_name(spawned_at.file_name()) + ":" +
            std::to_string(spawned_at.line()) + ")";
  }
  if (ended) return text + "\n";
  text += "; " + cause_text(*this);
  if (suppressed > 0) text += "; " + std::to_string(suppressed) + " stalls before it were not reported";
  if (stack.empty()) return text + "; no stack: " + no_stack + "\n";
  if (times > 1) {  // where it is, so that one need not look for the first report
    return text + "; the same stack as before (" + std::to_string(times) + " times): at " + to_text(stack.front()) +
           "\n";
  }
  return text + "\n" + to_text(stack);
}

StallDetector::StallDetector(StallOptions options) : impl_(std::make_shared<Impl>(checked(std::move(options)))) {}

StallDetector::~StallDetector() { impl_->stop(); }

StallWatch StallDetector::watch(std::string name, const runtime::Heartbeat& heartbeat, std::function<int()> thread) {
  const std::int64_t threshold_ns = std::chrono::nanoseconds(impl_->threshold()).count();
  auto watched = std::make_shared<Impl::Watched>(std::move(name), heartbeat, std::move(thread), threshold_ns);
  impl_->add(watched);
  const auto end = [impl = impl_, watched](void*) { impl->remove(*watched); };
  return StallWatch(std::shared_ptr<void>(watched.get(), end));
}

StallWatch StallDetector::watch(const Loop& loop) {
  return watch(loop.name(), loop.heartbeat(), [&loop] { return loop.thread_id(); });
}

StallStats StallDetector::stats() const { return impl_->stats(); }

}  // namespace galley
