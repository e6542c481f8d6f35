#include "engine/ending.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "job/expiry.hpp"

namespace galley::engine {

namespace {

constexpr std::array<std::string_view, 7> kReasonNames{"none",         "timed_out", "cancelled", "shutdown",
                                                       "lease_ending", "deadline",  "lost"};

/// A command put back at a shutdown: long enough for the worker to be gone, so that no other slot of it is in the way.
constexpr Duration kPutBackDelay = std::chrono::seconds(1);

Verdict stopped_early(StopReason reason, bool command) {
  switch (reason) {
    case StopReason::TimedOut: return {job::Ending::TimedOut, Duration{0}};
    case StopReason::Cancelled: return {job::Ending::Cancelled, Duration{0}};
    case StopReason::Deadline: return {job::Ending::Expired, Duration{0}};
    case StopReason::Shutdown: return {job::Ending::Paused, command ? kPutBackDelay : Duration{0}};
    case StopReason::None:
    case StopReason::LeaseEnding:
    case StopReason::Lost: break;
  }
  return {job::Ending::Paused, Duration{0}};
}

Verdict said(const Outcome& outcome) {
  const Duration longest = limits::kMaxDelay;
  switch (outcome.kind()) {
    case Outcome::Kind::Done: return {job::Ending::Completed, Duration{0}};
    case Outcome::Kind::Failed: return {job::Ending::Failed, Duration{0}};
    case Outcome::Kind::Discarded: return {job::Ending::Discarded, Duration{0}};
    case Outcome::Kind::Snoozed: return {job::Ending::Snoozed, std::clamp(outcome.delay(), Duration{0}, longest)};
    case Outcome::Kind::Paused: return {job::Ending::Paused, Duration{0}};
  }
  return {};
}

/// The text that a person sees first when asking why.
std::string error_text(const AttemptEnd& end, job::Ending ending, const job::Policy& policy) {
  std::string text = end.outcome ? end.outcome->text() : std::string();
  if (text.empty()) text = end.report.error;
  if (ending == job::Ending::TimedOut) {
    text = "timed out after " + base::format_duration(policy.timeout) + (text.empty() ? "" : ": " + text);
  } else if (ending == job::Ending::Failed && text.empty() && end.completed_itself) {
    text = "its handler completed it in a transaction that was not committed";
  } else if (ending == job::Ending::Expired) {
    text = std::string(job::kDeadlinePassed) + (text.empty() ? "" : ": " + text);
  } else if (ending == job::Ending::Failed && text.empty()) {
    text = "failed without a reason";
  }
  return text;
}

/// What the error is found by: a type, a command's end, or else how the attempt ended.
std::string error_class(const AttemptEnd& end, job::Ending ending) {
  if (ending == job::Ending::TimedOut) return "timeout";
  if (ending == job::Ending::Expired) return std::string(job::kExpiredClass);
  const std::string& seen = end.report.error_class;
  return seen.empty() ? std::string(job::name(ending))
                      : std::string(base::head_of(base::to_utf8(seen), limits::kMaxNameBytes));
}

}  // namespace

std::string_view name(StopReason reason) noexcept { return kReasonNames[static_cast<std::size_t>(reason)]; }

Verdict judge(const AttemptEnd& end, StopReason reason) {
  const bool spoke = end.outcome && !end.implied;
  if (reason != StopReason::None && end.saw_stop && !spoke) return stopped_early(reason, end.command);
  const Verdict verdict = end.outcome ? said(*end.outcome) : Verdict{};
  if (end.completed_itself && verdict.ending == job::Ending::Completed) return {job::Ending::Failed, Duration{0}};
  if (reason == StopReason::Cancelled && verdict.ending != job::Ending::Completed) {
    return {job::Ending::Cancelled, Duration{0}};
  }
  return verdict;
}

store::Finish finish_of(const ClaimRules& claim, AttemptEnd end, StopReason reason, double random01) {
  const Verdict verdict = judge(end, reason);
  const job::Counters before = end.moved_on ? job::moved_on(claim.counters) : claim.counters;
  job::Settlement settled = job::settle(claim.policy, before, verdict.ending, verdict.delay, random01);
  store::Finish finish;
  finish.claim = claim.id;
  finish.event = settled.event;
  finish.delay = settled.delay;
  finish.counters = settled.counters;
  finish.outcome = job::name(verdict.ending);
  std::string error = error_text(end, verdict.ending, claim.policy);
  if (error.empty()) error = settled.reason;
  std::string found_by = error.empty() ? std::string() : error_class(end, verdict.ending);
  finish.report = std::move(end.report);
  finish.report.error = base::head_of(base::to_utf8(error), limits::kMaxErrorBytes);
  finish.report.error_class = std::move(found_by);
  finish.report.out = base::tail_of(finish.report.out, limits::kMaxOutputBytes);
  finish.report.err = base::tail_of(finish.report.err, limits::kMaxOutputBytes);
  finish.report.log = base::tail_of(finish.report.log, limits::kMaxLogBytes);
  if (settled.event == job::JobEvent::Complete) finish.result = std::move(end.result);
  finish.checkpoint = std::move(end.checkpoint);
  return finish;
}

store::Finish completed_itself(const store::Finish& sent) {
  store::Finish finish = sent;
  finish.event = job::JobEvent::Complete;
  finish.delay = Duration{0};
  finish.outcome = job::name(job::Ending::Completed);
  finish.report.error.clear();
  finish.report.error_class.clear();
  return finish;
}

store::Finish release_of(const job::ClaimId& claim) {
  store::Finish finish;
  finish.claim = claim;
  finish.event = job::JobEvent::Release;
  return finish;
}

}  // namespace galley::engine
