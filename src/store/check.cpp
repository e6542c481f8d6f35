#include "store/check.hpp"

#include <string>
#include <string_view>

#include "base/text.hpp"
#include "job/validate.hpp"

namespace galley::store {

namespace {

Error refuse(std::string message) { return Error{Errc::InvalidInput, std::move(message)}; }

Error at_item(std::size_t index, const Error& error) {
  return refuse("item " + std::to_string(index) + ": " + error.message);
}

Result<void> at_most(std::string_view field, std::size_t value, std::size_t max) {
  if (value <= max) return {};
  return refuse(std::string(field) + " is " + std::to_string(value) + "; at most " + std::to_string(max) +
                " is allowed");
}

Result<void> not_negative(std::string_view field, std::int64_t value) {
  if (value >= 0) return {};
  return refuse(std::string(field) + " is " + std::to_string(value) + "; it must not be negative");
}

/// The first fault of several checks, in order.
template <class... Checks>
Result<void> all_of(const Checks&... checks) {
  Result<void> first;
  (void)((checks().has_value() || (first = checks(), false)) && ...);
  return first;
}

Result<void> check_one(const Finish& finish) {
  const auto& report = finish.report;
  if (finish.event == job::JobEvent::Crash || !job::next(JobState::Running, finish.event)) {
    return refuse("event is " + std::string(job::name(finish.event)) + "; a finish takes one that ends a claim");
  }
  if (finish.delay < Duration{0} || finish.delay > limits::kMaxDelay) {
    return refuse("delay is " + std::to_string(finish.delay.count()) + " us; 0 to 10 years is allowed");
  }
  return all_of([&] { return at_most("error's size", report.error.size(), limits::kMaxErrorBytes); },
                [&] { return at_most("error_class's size", report.error_class.size(), limits::kMaxNameBytes); },
                [&] { return at_most("out's size", report.out.size(), limits::kMaxOutputBytes); },
                [&] { return at_most("err's size", report.err.size(), limits::kMaxOutputBytes); },
                [&] { return at_most("log's size", report.log.size(), limits::kMaxLogBytes); },
                [&] { return at_most("result's size", finish.result.size(), limits::kMaxResultBytes); },
                [&] { return at_most("outcome's size", finish.outcome.size(), limits::kMaxNameBytes); },
                [&] {
                  return at_most("checkpoint's size", finish.checkpoint ? finish.checkpoint->size() : 0,
                                 limits::kMaxCheckpointBytes);
                });
}

Result<void> check_one(const ClaimRequest& request) {
  for (const Want& want : request.kinds) {
    if (auto fine = not_negative("max of kind " + want.kind, want.max); !fine) return fine;
  }
  return all_of([&] { return not_negative("limit", request.limit); },
                [&] { return at_most("limit", static_cast<std::size_t>(request.limit), limits::kMaxClaimBatch); },
                [&] { return at_most("number of queues", request.queues.size(), limits::kMaxClaimQueues); },
                [&] {
                  const std::size_t lanes = request.kinds.size() + request.commands.programs.size();
                  return at_most("number of kinds and programs", lanes, limits::kMaxClaimKinds);
                },
                [&] { return not_negative("max of commands", request.commands.max); },
                [&] { return check_lease(request.lease); });
}

Result<void> check_one(const Renewal& renewal) {
  return all_of(
      [&] {
        return at_most("progress's size", renewal.progress ? renewal.progress->size() : 0, limits::kMaxProgressBytes);
      },
      [&] {
        return at_most("checkpoint's size", renewal.checkpoint ? renewal.checkpoint->size() : 0,
                       limits::kMaxCheckpointBytes);
      });
}

Result<void> check_one(const Measured& measured) {
  return all_of([&] { return job::check_queue("queue", measured.queue); },
                [&] { return job::check_kind(measured.kind); },
                [&] { return not_negative("completed", measured.completed); },
                [&] { return not_negative("failed", measured.failed); });
}

constexpr std::size_t kMaxCardQueues = limits::kMaxPools * limits::kMaxClaimQueues;

template <class Item>
Result<void> check_each(std::span<const Item> items, std::size_t max) {
  if (auto fine = at_most("number of items", items.size(), max); !fine) return fine;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto fine = check_one(items[i]); !fine) return at_item(i, fine.error());
  }
  return {};
}

}  // namespace

Result<void> check(std::span<const job::NewJob> jobs) {
  if (jobs.empty()) return refuse("number of items is 0; at least 1 is needed");
  if (auto fine = at_most("number of items", jobs.size(), limits::kMaxEnqueueBatch); !fine) return fine;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (auto fine = job::validate(jobs[i]); !fine) return at_item(i, fine.error());
    bytes += jobs[i].payload.size();
  }
  return at_most("size of all payloads", bytes, limits::kMaxEnqueueBytes);
}

Result<void> check(std::span<const Finish> finishes) { return check_each(finishes, limits::kMaxFinishBatch); }

Result<void> check(std::span<const ClaimRequest> requests) { return check_each(requests, limits::kMaxPools); }

Result<void> check(std::span<const Renewal> renewals) { return check_each(renewals, limits::kMaxFinishBatch); }

Result<void> check_lease(Duration lease) {
  if (lease > Duration{0} && lease <= limits::kMaxTimeout) return {};
  return refuse("lease is " + std::to_string(lease.count()) + " us; over 0 and at most a year is allowed");
}

Result<void> check(std::span<const JobId> ids) { return at_most("number of jobs", ids.size(), limits::kMaxPage); }

Result<void> check(const WorkerCard& card) {
  std::size_t bytes = card.name.size() + card.pools.size();
  for (const auto* names : {&card.queues, &card.kinds, &card.programs}) {
    for (const std::string& name : *names) bytes += name.size();
  }
  return all_of([&] { return not_negative("number of slots", card.slots); },
                [&] { return at_most("number of queues", card.queues.size(), kMaxCardQueues); },
                [&] {
                  const std::size_t lanes = card.kinds.size() + card.programs.size();
                  return at_most("number of kinds and programs", lanes, limits::kMaxClaimKinds);
                },
                [&] { return at_most("size of the worker's card", bytes, limits::kMaxCardBytes); });
}

Result<void> check(std::span<const Measured> measured) { return check_each(measured, limits::kMaxClaimKinds); }

Result<void> check_batch(const std::string& name, const std::string& token) {
  if (name.empty() || name.size() > limits::kMaxNameBytes || !base::is_printable(name)) {
    return refuse("name: " + base::quoted(name) + " is not allowed; allowed is printable text of 1 to " +
                  std::to_string(limits::kMaxNameBytes) + " bytes");
  }
  if (token.size() > limits::kMaxTokenBytes || !base::is_printable(token)) {
    return refuse("token: " + base::quoted(token) + " is not allowed; allowed is printable text of at most " +
                  std::to_string(limits::kMaxTokenBytes) + " bytes");
  }
  return {};
}

Result<void> check(const Schedule& schedule) {
  if (auto fine = job::check_queue("schedule", schedule.name); !fine) return fine;
  const job::NewJob& job = schedule.job;
  if (auto fine = job::validate(job); !fine) return fine;
  const auto no = [](std::string_view what) { return refuse("a schedule's job has no " + std::string(what)); };
  if (job.delay != Duration{0} || job.at) return no("delay and no absolute time (at); its ticks decide");
  if (!job.token.empty()) return no("token; with one, all ticks would be one job");
  if (!job.group.key.empty()) return no("group; each tick has a job of its own");
  if (job.awaits != 0) return no("batch to wait for; its ticks decide");
  return {};
}

Result<void> check_minutes(int minutes) {
  if (minutes >= 1 && minutes <= limits::kKeepMinutes) return {};
  return refuse("minutes is " + std::to_string(minutes) + "; 1 to " + std::to_string(limits::kKeepMinutes) +
                " is allowed");
}

Result<void> check(const Alteration& change) {
  if (!change.queue && !change.priority) return refuse("nothing is to be altered; a queue or a priority is needed");
  if (change.queue) {
    if (auto fine = job::check_queue("queue", *change.queue); !fine) return fine;
  }
  return change.priority ? job::check_priority(*change.priority) : Result<void>{};
}

Result<void> check_weight(const std::string& queue, const std::string& key, int weight) {
  if (auto fine = job::check_queue("queue", queue); !fine) return fine;
  if (auto fine = job::check_key(key); !fine) return fine;
  if (key.empty()) return refuse("key is empty; only a key has a weight");
  if (weight >= 1 && weight <= limits::kMaxWeight) return {};
  return refuse("weight is " + std::to_string(weight) + "; 1 to " + std::to_string(limits::kMaxWeight) + " is allowed");
}

Result<void> check(const LimitTarget& target) {
  if (target.scope > LimitScope::Name) return refuse("scope of a limit: queue, kind, key or name is allowed");
  if (target.scope != LimitScope::Key && !target.queue.empty()) {
    return refuse("queue: only the limit of a key has one");
  }
  if (target.scope == LimitScope::Kind) return job::check_kind(target.name);
  if (target.scope != LimitScope::Key) return job::check_queue("limit", target.name);
  if (auto fine = job::check_queue("queue", target.queue); !fine) return fine;
  return job::check_key(target.name);
}

Result<void> check(const LimitRule& rule) {
  const auto within = [](std::string_view field, int value, int least) -> Result<void> {
    if (value >= least && value <= limits::kMaxLimitJobs) return {};
    return refuse(std::string(field) + " is " + std::to_string(value) + "; " + std::to_string(least) + " to " +
                  std::to_string(limits::kMaxLimitJobs) + " is allowed");
  };
  if (rule.max_running == 0 && rule.rate == 0) return refuse("a limit needs max_running or a rate");
  if (rule.period <= Duration{0} || rule.period > limits::kMaxLimitPeriod) {
    return refuse("period is " + std::to_string(rule.period.count()) + " us; over 0 and at most 31 days is allowed");
  }
  return all_of([&] { return within("max_running", rule.max_running, 0); },
                [&] { return within("rate", rule.rate, 0); }, [&] { return within("burst", rule.burst, 1); });
}

Result<void> check_limit(std::size_t limit, std::size_t max) {
  if (limit == 0) return refuse("limit is 0; at least 1 is needed");
  return at_most("limit", limit, max);
}

}  // namespace galley::store
