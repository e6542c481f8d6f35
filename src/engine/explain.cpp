#include "engine/explain.hpp"

#include <algorithm>
#include <utility>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "engine/explain_wait.hpp"
#include "store/batch_rules.hpp"

namespace galley::engine {

namespace {

std::string about(Duration duration) { return base::format_duration(std::max(duration, Duration{0})); }

std::string counted(int count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string with_error(std::string text, std::string_view error) {
  const std::string line = first_line(error);
  return line.empty() ? text : std::move(text) + ": " + line;
}

/// What its last attempt was the end of, where it was put back for later.
Reason put_back(const Facts& facts, const std::string& due) {
  const job::JobRecord& job = facts.job;
  const std::string outcome = facts.attempts.empty() ? "" : facts.attempts.back().outcome;
  const std::string run = "galley jobs run " + std::to_string(job.id) + " does not wait";
  if (outcome == "snoozed") return {"snoozed", "its handler asked for a later run, which is " + due, run};
  if (outcome == "paused") {
    return {"put_back", "its attempt was stopped before its end, as by a shutdown of its worker; it goes on " + due,
            ""};
  }
  std::string text = "it waits after error " + std::to_string(job.counters.errors) + " of at most " +
                     std::to_string(job.policy.max_attempts) + ", and tries again " + due;
  return {"backoff", with_error(std::move(text), job.error), run + "; galley jobs show tells what went wrong"};
}

Reason gathering(const job::JobRecord& job, const std::string& due) {
  return {"gathering",
          "it gathers a group: " + std::to_string(job.members) + " of " + std::to_string(job.group.max_jobs) +
              " jobs so far; it runs when it is full, or " + due,
          "galley jobs run " + std::to_string(job.id) + " runs what there is"};
}

Reason scheduled(const Facts& facts) {
  const job::JobRecord& job = facts.job;
  const Time due_at = job.due_at.value_or(facts.now);
  if (due_at + limits::kSafetyLook <= facts.now) {
    return {"overdue",
            "it was due " + about(facts.now - due_at) + " ago, and no worker has looked since: each looks every " +
                about(limits::kSafetyLook),
            "start a worker, or see in its log whether its store answers"};
  }
  const std::string due = due_at > facts.now ? "in " + about(due_at - facts.now) : "now";
  if (job.counters.attempts > 0) return put_back(facts, due);
  if (!job.group.key.empty()) return gathering(job, due);
  if (!facts.schedule.empty()) {
    return {"tick", "it is the next run of the schedule " + base::quoted(facts.schedule) + ", due " + due, ""};
  }
  return {"delayed", "it was enqueued to run later, and is due " + due,
          "galley jobs run " + std::to_string(job.id) + " does not wait"};
}

std::string counts_of(const store::BatchStats& batch) {
  std::string text = "of " + std::to_string(batch.total) + " jobs " + std::to_string(batch.succeeded) + " completed, " +
                     std::to_string(batch.failed) + " failed, " + std::to_string(store::pending(batch)) + " to end";
  return batch.lost == 0 ? text : text + ", " + std::to_string(batch.lost) + " deleted";
}

Reason blocked(const Facts& facts) {
  const job::JobRecord& job = facts.job;
  if (job.awaits == 0) return {"blocked", "it waits for other jobs", ""};
  const std::string batch = std::to_string(job.awaits);
  std::string text = "it is a callback of batch " + batch + ", and waits ";
  switch (job.trigger) {
    case job::Trigger::Success: text += "until all its jobs have completed"; break;
    case job::Trigger::Failure: text += "for the first of its jobs that fails"; break;
    case job::Trigger::Finished: text += "until all its jobs have ended"; break;
  }
  if (!facts.batch) return {"blocked", text + "; the batch is not in the store any more", ""};
  text += " (" + counts_of(*facts.batch) + ")";
  if (const auto why = store::never(*facts.batch, job.trigger)) return {"blocked", text + ", but " + *why, ""};
  if (!facts.batch->sealed && job.trigger != job::Trigger::Failure) {
    return {"blocked", text + "; the batch is still open",
            "galley batches seal " + batch + ", when all its jobs are enqueued"};
  }
  if (job.trigger == job::Trigger::Success && facts.batch->failed > 0) {
    return {"blocked", text, "galley jobs retry --all --batch " + batch + " gives its dead jobs another chance"};
  }
  return {"blocked", text, "galley batches show " + batch + " names its jobs"};
}

void explain_stuck(const Facts& facts, Explanation& into) {
  const job::Policy& policy = facts.job.policy;
  const auto over = overrun(facts.job, facts.now);
  if (!over || *over < Duration{0}) return;
  into.reasons.push_back({"stuck",
                          "it was told to stop " + about(*over + policy.grace) +
                              " ago, and did not end within its grace of " + about(policy.grace) +
                              ": its slot is lost until it ends",
                          "the log of its worker tells where it is (job.stuck); only the end of that process ends it"});
}

void explain_running(const Facts& facts, Explanation& into) {
  const job::JobRecord& job = facts.job;
  const auto known = [&](const store::WorkerStats& worker) { return worker.card.name == job.worker; };
  const bool alive = std::any_of(facts.workers.begin(), facts.workers.end(), known);
  const Time since = job.started_at.value_or(facts.now);
  if (!alive) {
    into.reasons.push_back(
        {"worker_gone",
         "its worker " + base::quoted(job.worker) +
             " is not there any more; a worker that is puts it back at once, or when its lease is over",
         facts.workers.empty() ? "start a worker" : ""});
  }
  std::string text = "it runs on worker " + base::quoted(job.worker) + ", attempt " +
                     std::to_string(job.counters.attempts + 1) + ", for " + about(facts.now - since);
  if (!job.progress.empty()) text += "; its progress: " + first_line(job.progress);
  into.reasons.push_back({"running", text, ""});
  if (alive) explain_stuck(facts, into);
  if (job.cancel_requested) {
    into.reasons.push_back(
        {"cancel_requested", "it was asked to stop, and has not ended yet",
         "a handler sees it by its stop token, a command by SIGTERM, and SIGKILL after its grace of " +
             about(job.policy.grace)});
  }
  if (job.policy.timeout > Duration{0}) {
    const Duration left = since + job.policy.timeout - facts.now;
    into.notes.push_back({"timeout",
                          left > Duration{0} ? "its attempt is stopped in " + about(left)
                                             : "its attempt's time was over " + about(-left) + " ago",
                          ""});
  }
  if (job.deadline_at) {
    into.notes.push_back({"deadline", "its deadline is in " + about(*job.deadline_at - facts.now), ""});
  }
}

std::string crashed_attempts(const Facts& facts) {
  std::string numbers;
  for (const job::AttemptRecord& attempt : facts.attempts) {
    if (attempt.outcome == "crashed") numbers += (numbers.empty() ? "" : ", ") + std::to_string(attempt.attempt);
  }
  return numbers;
}

Reason dead(const Facts& facts) {
  const job::JobRecord& job = facts.job;
  const job::Counters& counters = job.counters;
  const std::string id = std::to_string(job.id);
  const std::string advice =
      "galley jobs show " + id + " tells more; then galley jobs retry " + id + ", or galley jobs delete " + id;
  if (counters.crashes >= job.policy.max_crashes) {
    const std::string which = crashed_attempts(facts);
    return {"quarantined",
            "it is quarantined: " + std::to_string(counters.crashes) +
                (counters.crashes == 1 ? " worker" : " workers") + " died under it" +
                (which.empty() ? "" : " (attempts " + which + ")") + ", and " + std::to_string(job.policy.max_crashes) +
                " may at most",
            "find out what it does to its worker; then galley jobs retry " + id + ", or galley jobs delete " + id};
  }
  std::string text = "it is dead";
  if (counters.errors >= job.policy.max_attempts) {
    text +=
        " after " + counted(counters.errors, "error") + " (at most " + std::to_string(job.policy.max_attempts) + ")";
  } else if (counters.pauses > job.policy.max_pauses) {
    text += " because it was paused more than " + std::to_string(job.policy.max_pauses) + " times";
  }
  return {"dead", with_error(std::move(text), job.error), advice};
}

Reason ended(const Facts& facts) {
  const job::JobRecord& job = facts.job;
  const std::string id = std::to_string(job.id);
  const std::string again = "galley jobs retry " + id + " runs it again; galley jobs delete " + id + " removes it";
  const std::string tries = counted(job.counters.attempts, "attempt");
  switch (job.state) {
    case JobState::Completed: return {"completed", "it has completed, after " + tries, ""};
    case JobState::Dead: return dead(facts);
    case JobState::Cancelled: return {"cancelled", "it was cancelled, after " + tries, again};
    case JobState::Discarded:
      return {"discarded", with_error("its handler said that trying again is pointless", job.error), again};
    default: break;
  }
  const bool late = job.deadline_at && job.finished_at && *job.finished_at >= *job.deadline_at;
  return {"expired",
          late ? "its deadline came before its end, after " + tries
               : "it waited longer than it was allowed to, and never started",
          again};
}

void note_waiting(const Facts& facts, Explanation& into) {
  const job::JobRecord& job = facts.job;
  if (!job.unique.key.empty()) {
    into.notes.push_back({"unique",
                          "it holds the unique key " + base::quoted(job.unique.key) + " until its " +
                              std::string(name(job.unique.until)) + ": no second job of its kind gets it",
                          ""});
  }
  if (job.cancel_requested) into.notes.push_back({"cancel_requested", "it was asked to stop", ""});
}

}  // namespace

std::string first_line(std::string_view text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.remove_prefix(1);
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

std::optional<Duration> overrun(const job::JobRecord& job, Time now) {
  std::optional<Time> end = job.deadline_at;
  if (job.policy.timeout > Duration{0} && job.started_at) {
    end = std::min(*job.started_at + job.policy.timeout, end.value_or(Time::max()));
  }
  if (!end) return std::nullopt;
  return now - (*end + job.policy.grace);
}

Explanation explain(const Facts& facts) {
  Explanation answer;
  switch (facts.job.state) {
    case JobState::Scheduled:
      answer.reasons.push_back(scheduled(facts));
      explain_obstacles(facts, answer);
      break;
    case JobState::Blocked: answer.reasons.push_back(blocked(facts)); break;
    case JobState::Ready: explain_ready(facts, answer); break;
    case JobState::Running: explain_running(facts, answer); break;
    default: answer.reasons.push_back(ended(facts)); break;
  }
  if (!is_ended(facts.job.state) && facts.job.state != JobState::Running) {
    explain_limits(facts, answer);
    note_waiting(facts, answer);
  }
  answer.timeline = timeline_of(facts);
  return answer;
}

}  // namespace galley::engine
