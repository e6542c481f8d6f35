#pragma once
// Every answer of a store as text, whole: for comparing two backends, and for saying where they differ.

#include <string>

#include "store/store.hpp"

namespace galley::store::contract {

[[nodiscard]] std::string to_text(FinishAnswer answer);
[[nodiscard]] std::string to_text(Operated operated);
[[nodiscard]] std::string to_text(const Enqueued& enqueued);
[[nodiscard]] std::string to_text(const job::Claim& claim);
[[nodiscard]] std::string to_text(const FinishAndClaimAnswer& answer);
[[nodiscard]] std::string to_text(const Renewed& renewed);
/// Without the workers, whose ids are each backend's own.
[[nodiscard]] std::string to_text(const StepAnswer& answer);
[[nodiscard]] std::string to_text(const job::JobRecord& job);
[[nodiscard]] std::string to_text(const job::AttemptRecord& attempt);
[[nodiscard]] std::string to_text(const LaneStats& lane);
[[nodiscard]] std::string to_text(const QueueStats& queue);
[[nodiscard]] std::string to_text(const WorkerStats& worker);
[[nodiscard]] std::string to_text(const BatchStats& batch);
[[nodiscard]] std::string to_text(const LimitStats& limit);
[[nodiscard]] std::string to_text(const Standing& standing);
[[nodiscard]] std::string to_text(const ScheduleStats& schedule);
[[nodiscard]] std::string to_text(const Minute& minute);
[[nodiscard]] std::string to_text(const std::optional<JobState>& state);

[[nodiscard]] inline std::string to_text(JobId id) { return std::to_string(id); }

template <class T>
[[nodiscard]] std::string to_text(const std::vector<T>& many) {
  std::string text;
  for (const T& one : many) text += to_text(one) + "\n";
  return text;
}

/// The answer, or only the error's code: its sentence is each backend's own.
template <class T>
[[nodiscard]] std::string to_text(const Result<T>& result) {
  if (!result) return "error " + std::to_string(static_cast<int>(result.error().code));
  if constexpr (std::is_void_v<T>) {
    return "done";
  } else {
    return to_text(*result);
  }
}

}  // namespace galley::store::contract
