#include "galley/receipt.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/limits.hpp"
#include "store/store.hpp"

namespace galley {

namespace {

JobResult result_of(job::JobRecord record) {
  JobResult result;
  result.id = record.id;
  result.state = record.state;
  result.result = std::move(record.result);
  result.error = std::move(record.error);
  return result;
}

}  // namespace

Result<JobResult> wait(const StorePtr& store, JobId job, Duration timeout) {
  const base::SystemClock clock;  // the caller's patience, not a time of the store
  const base::Mono begin = clock.mono();
  const auto bell = store->bell();  // before the first look, or a ring in between would be lost
  while (true) {
    const auto states = store->states(std::span(&job, 1));
    if (!states) return states.error();
    const auto& state = states->front();
    if (!state) return Error{Errc::NotFound, "job " + std::to_string(job) + ": there is no such job (any more)"};
    if (is_ended(*state)) {
      auto record = store->find(job);
      if (!record) return record.error();
      if (is_ended(record->state)) return result_of(*std::move(record));  // a person may have retried it in between
    }
    const Duration passed = clock.mono() - begin;
    if (passed >= timeout) {
      return Error{Errc::TimedOut, "job " + std::to_string(job) + " is " + std::string(name(*state)) + " after " +
                                       base::format_duration(timeout)};
    }
    (void)bell->wait(std::min<Duration>(timeout - passed, limits::kSafetyLook));
  }
}

}  // namespace galley
