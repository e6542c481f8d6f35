#pragma once
// What the contract's tests are written with: builders of jobs, claims and finishes, and a fixture with an empty store.

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "contract/backends.hpp"
#include "store/store.hpp"

namespace galley::store::contract {

using namespace std::chrono_literals;
using job::JobEvent;
using Ids = std::vector<JobId>;

/// a_job().kind("k").priority(3): a valid job of queue "default" and kind "k", changed where it is said.
class JobBuilder {
 public:
  JobBuilder() {
    job_.kind = "k";
    job_.payload = "{}";
  }
  JobBuilder& queue(std::string value) { return job_.queue = std::move(value), *this; }
  JobBuilder& kind(std::string value) { return job_.kind = std::move(value), *this; }
  JobBuilder& key(std::string value) { return job_.key = std::move(value), *this; }
  JobBuilder& limits(std::vector<std::string> value) { return job_.limits = std::move(value), *this; }
  JobBuilder& ordered() { return job_.ordered = true, *this; }
  JobBuilder& expect(Duration value) { return job_.expect = value, *this; }
  JobBuilder& payload(std::string value) { return job_.payload = std::move(value), *this; }
  JobBuilder& bytes(std::string value) { return job_.content = job::Content::Bytes, payload(std::move(value)); }
  JobBuilder& command(std::string program) {
    job_.content = job::Content::Command;
    job_.program = std::move(program);
    return *this;
  }
  JobBuilder& priority(int value) { return job_.priority = value, *this; }
  JobBuilder& delay(Duration value) { return job_.delay = value, *this; }
  JobBuilder& at(Time value) { return job_.at = value, *this; }
  JobBuilder& token(std::string value) { return job_.token = std::move(value), *this; }
  JobBuilder& unique(std::string key, UniqueUntil until = UniqueUntil::Finish,
                     OnConflict on_conflict = OnConflict::Ignore) {
    return job_.unique = {std::move(key), until, on_conflict}, *this;
  }
  JobBuilder& expires(Duration value) { return job_.expires = value, *this; }
  JobBuilder& deadline(Duration value) { return job_.deadline = value, *this; }
  JobBuilder& group(Group value) { return job_.group = std::move(value), *this; }
  JobBuilder& tags(std::vector<std::string> value) { return job_.tags = std::move(value), *this; }
  JobBuilder& headers(std::vector<Header> value) { return job_.headers = std::move(value), *this; }
  JobBuilder& redacted() { return job_.redacted = true, *this; }
  JobBuilder& policy(job::Policy value) { return job_.policy = std::move(value), *this; }
  JobBuilder& max_crashes(int value) { return job_.policy.max_crashes = value, *this; }

  operator job::NewJob() const { return job_; }  // NOLINT(google-explicit-constructor): that is what it is for

 private:
  job::NewJob job_;
};
[[nodiscard]] inline JobBuilder a_job() { return {}; }

/// a_claim(worker).kind("k", 2).limit(5): of queue "default", up to the whole batch, no kind yet.
class ClaimBuilder {
 public:
  explicit ClaimBuilder(WorkerId worker) {
    request_.worker = worker;
    request_.queues = {"default"};
    request_.limit = static_cast<int>(limits::kMaxClaimBatch);
  }
  ClaimBuilder& queues(std::vector<std::string> value) { return request_.queues = std::move(value), *this; }
  ClaimBuilder& kind(std::string value, int max = 1'000) {
    return request_.kinds.push_back({std::move(value), max}), *this;
  }
  ClaimBuilder& commands(int max, std::vector<std::string> programs) {
    request_.commands = {.max = max, .any = false, .programs = std::move(programs)};
    return *this;
  }
  ClaimBuilder& any_command(int max) { return request_.commands = {.max = max, .any = true, .programs = {}}, *this; }
  ClaimBuilder& limit(int value) { return request_.limit = value, *this; }
  ClaimBuilder& lease(Duration value) { return request_.lease = value, *this; }

  operator ClaimRequest() const { return request_; }  // NOLINT(google-explicit-constructor): that is what it is for

 private:
  ClaimRequest request_;
};

/// The end of a claim with the counters that go with the event.
[[nodiscard]] Finish a_finish(const job::Claim& claim, JobEvent event, Duration delay = Duration{0});

[[nodiscard]] Ids ids(const std::vector<job::Claim>& claims);
[[nodiscard]] Ids ids(const std::vector<job::JobRecord>& jobs);

/// An empty store of one backend under a clock that stands still, and short ways to say what most tests do.
/// A verb that fails throws, which fails the test.
class Contract : public testing::TestWithParam<Backend> {
 protected:
  Contract()
      : opened_(GetParam().make(clock)), store(*opened_.store), worker(store.join({"host:1", "default=1"}).value()) {}

  JobId add(const job::NewJob& job);
  Ids add(std::initializer_list<job::NewJob> jobs);
  std::vector<job::Claim> claim(const ClaimRequest& request);
  /// Up to `limit` jobs of kind "k" in queue "default".
  std::vector<job::Claim> claim(int limit = 1'000);
  /// The one job of kind "k" that runs next.
  job::Claim claim_one();
  FinishAnswer finish(const Finish& finish);
  FinishAnswer finish(const job::Claim& claim, JobEvent event, Duration delay = Duration{0});
  /// Runs the next job of kind "k" to `event`; its id.
  JobId run_one(JobEvent event = JobEvent::Complete, Duration delay = Duration{0});
  StepAnswer step(std::size_t limit = limits::kMaxStep);
  job::JobRecord find(JobId id);
  JobState state(JobId id);
  std::vector<job::AttemptRecord> attempts(JobId id);
  Operated cancel(JobId id);
  Operated retry(JobId id);
  Operated erase(JobId id);
  /// All jobs that the filter lets through, by pages of `page`.
  std::vector<job::JobRecord> list(const Filter& filter = {}, std::size_t page = limits::kMaxPage);
  /// All ids of every page must be there once, and everything that can be counted, as often as the statistics say.
  void expect_counts_match_contents();

  base::ManualClock clock;

 private:
  Opened opened_;

 protected:
  Store& store;
  const WorkerId worker;
};

[[nodiscard]] inline std::string backend_name(const testing::TestParamInfo<Backend>& backend) {
  return backend.param.name;
}

/// One test suite, run on every backend.
#define GALLEY_ON_EVERY_BACKEND(suite) \
  class suite : public Contract {};    \
  INSTANTIATE_TEST_SUITE_P(Every, suite, testing::ValuesIn(backends()), backend_name)

/// `result` is the refusal of bad input, before anything was written.
#define EXPECT_REFUSED(result) EXPECT_EQ(refusal(result), Errc::InvalidInput)

template <class T>
[[nodiscard]] std::optional<Errc> refusal(const Result<T>& result) {
  if (result) return std::nullopt;
  EXPECT_EQ(result.error().written, Written::Nothing);
  EXPECT_FALSE(result.error().message.empty());
  return result.error().code;
}

}  // namespace galley::store::contract

namespace galley {
void PrintTo(JobState state, std::ostream* out);
namespace store {
void PrintTo(Operated operated, std::ostream* out);
void PrintTo(FinishAnswer answer, std::ostream* out);
namespace contract {
void PrintTo(const Backend& backend, std::ostream* out);
}  // namespace contract
}  // namespace store
}  // namespace galley
