#include "contract/describe.hpp"

#include <array>
#include <sstream>
#include <string_view>

#include "job/template.hpp"

namespace galley::store::contract {

namespace {

/// Name and value of each field, one after the other.
class Line {
 public:
  explicit Line(std::string_view what) { out_ << what; }
  template <class T>
  Line& operator()(std::string_view field, const T& value) {
    out_ << ' ' << field << '=';
    put(value);
    return *this;
  }
  [[nodiscard]] std::string text() const { return out_.str(); }

 private:
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, Duration>) {
      out_ << value.count();
    } else if constexpr (std::is_same_v<T, Time>) {
      out_ << value.time_since_epoch().count();
    } else if constexpr (std::is_same_v<T, std::string>) {
      out_ << '"' << value << '"';
    } else {
      out_ << value;
    }
  }
  template <class T>
  void put(const std::optional<T>& value) {
    if (value) {
      put(*value);
    } else {
      out_ << "none";
    }
  }
  void put(const std::vector<std::string>& all) {
    for (const std::string& one : all) out_ << one << ',';
  }
  void put(const std::vector<Header>& all) {
    for (const auto& [name, value] : all) out_ << name << ':' << value << ',';
  }
  void put(const job::Counters& c) {
    out_ << c.attempts << '/' << c.errors << '/' << c.pauses << '/' << c.snoozes << '/' << c.crashes;
  }
  void put(const job::Policy& p) {
    out_ << p.timeout.count() << '/' << p.grace.count() << '/' << static_cast<int>(p.on_timeout) << '/'
         << p.max_attempts << '/' << p.max_pauses << '/' << p.max_crashes << '/' << p.resumable << '/'
         << static_cast<int>(p.backoff.kind) << '/' << p.backoff.base.count() << '/' << p.backoff.cap.count();
    for (const Duration one : p.backoff.list) out_ << ',' << one.count();
  }

  std::ostringstream out_;
};

template <std::size_t N>
std::string counts(const std::int64_t (&count)[N]) {
  std::string text;
  for (const std::int64_t one : count) text += std::to_string(one) + ",";
  return text;
}

}  // namespace

std::string to_text(FinishAnswer answer) {
  constexpr std::array kNames{"finished", "already finished", "lease lost"};
  return kNames[static_cast<std::size_t>(answer)];
}

std::string to_text(Operated operated) {
  constexpr std::array kNames{"done", "requested", "not found", "wrong state", "conflict"};
  return kNames[static_cast<std::size_t>(operated)];
}

std::string to_text(const std::optional<JobState>& state) { return state ? std::string(name(*state)) : "none"; }

std::string to_text(const Enqueued& enqueued) {
  Line line("enqueued");
  line("id", enqueued.id)("existed", enqueued.existed)("replaced", enqueued.replaced);
  line("refused", enqueued.refused ? std::string(name(*enqueued.refused)) : "");
  return line("reason", enqueued.refused == Errc::QueueFull ? enqueued.reason : "").text();
}

std::string to_text(const job::Claim& claim) {
  Line line("claim");
  line("id", claim.id.job)("epoch", claim.id.epoch)("queue", claim.queue)("kind", claim.kind)("key", claim.key);
  line("content", job::name(claim.content))("program", claim.program)("payload", claim.payload);
  line("priority", claim.priority)("policy", claim.policy)("counters", claim.counters);
  line("headers", claim.headers);
  line("waited", claim.waited)("deadline", claim.deadline);
  return line("checkpoint", claim.checkpoint)("enqueued_at", claim.enqueued_at).text();
}

std::string to_text(const FinishAndClaimAnswer& answer) {
  std::string text = Line("signals")("count", answer.signals).text() + "\n" + to_text(answer.finished);
  for (const Claimed& claimed : answer.claimed) {
    text += Line("claimed")("next_due", claimed.next_due).text() + "\n" + to_text(claimed.claims);
  }
  return text;
}

std::string to_text(const Renewed& renewed) {
  return Line("renewed")("held", renewed.held)("cancel", renewed.cancel_requested)("paused", renewed.queue_paused)
      .text();
}

std::string to_text(const StepAnswer& answer) {
  Line line("step");
  line("expired", answer.expired)("ticked", answer.ticked)("promoted", answer.promoted)("recovered", answer.recovered)(
      "quarantined", answer.quarantined);
  return line("pruned", answer.pruned)("more", answer.more)("next", answer.next).text();
}

std::string to_text(const job::JobRecord& job) {
  Line line("job");
  line("id", job.id)("state", name(job.state))("queue", job.queue)("kind", job.kind)("key", job.key);
  line("content", job::name(job.content))("program", job.program)("payload", job.payload);
  line("priority", job.priority)("policy", job.policy)("counters", job.counters)("enqueued_at", job.enqueued_at);
  line("due_at", job.due_at)("started_at", job.started_at)("finished_at", job.finished_at)("worker", job.worker);
  line("error_class", job.error_class)("tags", job.tags)("headers", job.headers);
  line("error", job.error)("progress", job.progress)("result", job.result)("checkpoint", job.checkpoint);
  line("unique", job.unique.key)("until", name(job.unique.until))("on_conflict", name(job.unique.on_conflict));
  line("group", job.group.key)("max_jobs", job.group.max_jobs)("max_bytes", job.group.max_bytes);
  line("max_age", job.group.max_age)("members", job.members)("redacted", job.redacted);
  line("expires_at", job.expires_at)("deadline_at", job.deadline_at);
  line("limits", job.limits)("ordered", job.ordered)("expect", job.expect);
  line("batch", job.batch)("awaits", job.awaits)("trigger", job::name(job.trigger));
  return line("cancel", job.cancel_requested).text();
}

std::string to_text(const job::AttemptRecord& attempt) {
  const auto& report = attempt.report;
  Line line("attempt");
  line("number", attempt.attempt)("outcome", attempt.outcome)("started_at", attempt.started_at);
  line("ended_at", attempt.ended_at)("worker", attempt.worker)("error", report.error)("exit_code", report.exit_code);
  line("signal", report.signal)("out", report.out)("err", report.err)("log", report.log);
  return line("run_time", report.run_time)("error_class", report.error_class).text();
}

std::string to_text(const LaneStats& lane) {
  return Line("lane")("queue", lane.queue)("kind", lane.kind)("count", counts(lane.count)).text();
}

std::string to_text(const QueueStats& queue) {
  Line line("queue");
  line("queue", queue.queue)("paused", queue.paused)("count", counts(queue.count));
  return line("oldest_ready", queue.oldest_ready)("max_waiting", queue.max_waiting)("order", job::name(queue.order))
      .text();
}

std::string to_text(const LimitStats& limit) {
  const LimitRule& rule = limit.rule;
  Line line("limit");
  line("scope", name(limit.target.scope))("queue", limit.target.queue)("name", limit.target.name);
  line("max_running", rule.max_running)("rate", rule.rate)("period", rule.period)("burst", rule.burst);
  return line("running", limit.running)("tokens", limit.tokens).text();
}

std::string to_text(const Standing& standing) {
  Line line("standing");
  line("behind", standing.behind)("weight", standing.weight);
  for (const FullLimit& full : standing.full) {
    line("full", std::string(name(full.target.scope)))("of", full.target.queue)("name", full.target.name);
    line("key", full.key)("until", full.until);
  }
  return line.text();
}

std::string to_text(const BatchStats& batch) {
  Line line("batch");
  line("id", batch.id)("name", batch.name)("opened_at", batch.opened_at)("sealed", batch.sealed);
  line("total", batch.total)("succeeded", batch.succeeded)("failed", batch.failed)("lost", batch.lost);
  line("failed_at", batch.failed_at)("finished_at", batch.finished_at);
  for (const JobId id : batch.callbacks) line("callback", id);
  return line.text();
}

std::string to_text(const WorkerStats& worker) {
  const WorkerCard& card = worker.card;
  Line line("worker");
  line("name", card.name)("pools", card.pools)("started_at", worker.started_at)("slots", card.slots);
  for (const auto* names : {&card.queues, &card.kinds, &card.programs}) {
    for (const std::string& name : *names) line("of", name);
  }
  return line("any_command", card.any_command)("running", worker.running).text();
}

std::string to_text(const ScheduleStats& stats) {
  const auto& [name, rule, job] = stats.schedule;
  Line line("schedule");
  line("name", name)("when", rule.expression)("zone", rule.zone)("misfire", galley::name(rule.misfire));
  line("overlap", galley::name(rule.overlap))("jitter", rule.jitter)("spread", rule.spread);
  line("job", job::template_text(job))("payload", job.payload)("paused", stats.paused)("next_at", stats.next_at);
  line("last_at", stats.last_at)("last_job", stats.last_job)("enqueued", stats.enqueued);
  return line("skipped", stats.skipped).text();
}

std::string to_text(const Minute& minute) {
  const Measured& measured = minute.measured;
  Line line("minute");
  line("of", minute.minute)("queue", measured.queue)("kind", measured.kind)("enqueued", minute.enqueued);
  line("completed", measured.completed)("failed", measured.failed);
  return line("wait", measured.wait.encode())("run", measured.run.encode()).text();
}

}  // namespace galley::store::contract
