#include "store/check.hpp"

#include <string>
#include <string_view>

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

Result<void> check_limit(std::size_t limit, std::size_t max) {
  if (limit == 0) return refuse("limit is 0; at least 1 is needed");
  return at_most("limit", limit, max);
}

}  // namespace galley::store
