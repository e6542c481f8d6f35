// What large payloads and very many due jobs cost those who come by, counted in pages and in steps of SQLite's virtual
// machine. GALLEY_DUE_JOBS=N has N jobs come due at once instead of a million.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/clock.hpp"
#include "store/sqlite/backend.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

constexpr int kPageBytes = 4'096;

class Counted : public testing::Test {
 protected:
  static job::NewJob a_job(const std::string& kind, const std::string& queue = "default") {
    job::NewJob job;
    job.queue = queue;
    job.kind = kind;
    job.payload = "{}";
    return job;
  }
  JobId add(const job::NewJob& job) { return store_.enqueue(std::span(&job, 1)).value().front().id; }

  static ClaimRequest a_claim(WorkerId worker, std::vector<std::string> queues, std::vector<std::string> kinds,
                              int limit = 1) {
    ClaimRequest request;
    request.worker = worker;
    request.queues = std::move(queues);
    for (std::string& kind : kinds) request.kinds.push_back({std::move(kind), limit});
    request.limit = limit;
    return request;
  }
  std::vector<job::Claim> claim(const ClaimRequest& request) { return store_.claim(request).value().claims; }
  void complete(const std::vector<job::Claim>& claims) {
    std::vector<Finish> finishes;
    for (const job::Claim& claim : claims) {
      Finish& finish = finishes.emplace_back();
      finish.claim = claim.id;
      finish.counters.attempts = 1;
    }
    ASSERT_TRUE(store_.finish(finishes));
  }

  /// Steps of all statements since the last call.
  std::int64_t steps() {
    std::int64_t sum = 0;
    sqlite3* const db = store_.database().raw();
    for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s)) {
      sum += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    }
    return sum;
  }
  /// Pages that were looked at, or written, since the last call.
  int pages(bool written) {
    const auto count = [this](int what) {
      int now = 0;
      int highest = 0;
      sqlite3_db_status(store_.database().raw(), what, &now, &highest, 1);
      return now;
    };
    return written ? count(SQLITE_DBSTATUS_CACHE_WRITE)
                   : count(SQLITE_DBSTATUS_CACHE_HIT) + count(SQLITE_DBSTATUS_CACHE_MISS);
  }

  test::TempDir dir_;
  base::ManualClock clock_;
  Backend store_{{dir_.file("large.db"), Durability::Normal, false, &clock_}};
  const WorkerId worker_ = store_.join({"w", ""}).value();
};

// ---- large payloads ---------------------------------------------------------------------------------------------

class LargePayload : public Counted {};

TEST_F(LargePayload, IsReadOnceByItsOwnClaimAndByNoOther) {
  constexpr int kOwn = static_cast<int>(limits::kMaxPayloadBytes) / kPageBytes;
  job::NewJob large = a_job("large");
  large.content = job::Content::Bytes;
  large.payload.assign(limits::kMaxPayloadBytes, 'x');
  const job::NewJob small = a_job("small");
  for (int i = 0; i < 4; ++i) {
    (void)add(small);
    (void)add(large);
  }
  complete(claim(a_claim(worker_, {"default"}, {"small"})));
  (void)pages(false);
  complete(claim(a_claim(worker_, {"default"}, {"small"})));
  const int beside = pages(false);
  EXPECT_LE(beside, 100) << "pages of a small job's claim and end among large ones";

  const auto claims = claim(a_claim(worker_, {"default"}, {"large"}));
  const int own = pages(false);
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_TRUE(claims.front().payload == large.payload);
  EXPECT_GE(own, kOwn);
  EXPECT_LE(own, kOwn + 100) << "pages of a large job's claim";
}

/// SQLite writes a row anew whose length has changed, with all that it holds.
TEST_F(LargePayload, IsNotWrittenByItsClaimAndTwiceAtMostByItsEnd) {
  job::NewJob large = a_job("large");
  large.content = job::Content::Bytes;
  large.payload.assign(limits::kMaxPayloadBytes, 'x');
  for (int i = 0; i < 2; ++i) (void)add(large);
  (void)pages(true);
  const auto claims = claim(a_claim(worker_, {"default"}, {"large"}));
  EXPECT_LE(pages(true), 50) << "pages that the claim writes";
  complete(claims);
  EXPECT_LE(pages(true), 2 * static_cast<int>(limits::kMaxPayloadBytes) / kPageBytes + 50) << "pages of the end";
}

// ---- very many that are due -------------------------------------------------------------------------------------

class AMillionDue : public Counted {
 protected:
  static int how_many() {
    const char* const text = std::getenv("GALLEY_DUE_JOBS");
    return text ? std::atoi(text) : 1'000'000;
  }

  /// Jobs of queue "default" and kind "mass" that wait for their promotion, and are due by now.
  void come_due(int jobs) {
    job::NewJob one = a_job("mass");
    one.delay = std::chrono::hours(1);
    for (int left = jobs; left > 0;) {
      const int count = std::min(left, static_cast<int>(limits::kMaxEnqueueBatch));
      ASSERT_TRUE(store_.enqueue(std::vector<job::NewJob>(static_cast<std::size_t>(count), one)));
      left -= count;
    }
  }
  void an_hour_later() { clock_.step_wall(std::chrono::hours(1)); }

  /// What each way to come by needs: a claim that brings this very job at once, and how much work it is.
  std::int64_t steps_to(JobId job, const ClaimRequest& request) {
    (void)steps();
    const auto claims = claim(request);
    EXPECT_EQ(claims.empty() ? 0 : claims.front().id.job, job);
    return steps();
  }
};

/// More than one claim may do: it promotes as many as a step does.
constexpr std::int64_t kStepsOfAPromotion = 200;

TEST_F(AMillionDue, KeepNoJobOfAnotherQueueKindOrKeyAndNoneOfAHigherPriorityWaitingForMoreThanOneClaim) {
  come_due(how_many());
  an_hour_later();
  const std::int64_t most = static_cast<std::int64_t>(limits::kMaxStep) * kStepsOfAPromotion;

  EXPECT_LE(steps_to(add(a_job("k", "other")), a_claim(worker_, {"other"}, {"k"})), 1'000);
  EXPECT_LE(steps_to(add(a_job("k")), a_claim(worker_, {"default"}, {"k"})), most);
  job::NewJob urgent = a_job("mass");
  urgent.priority = 1;
  EXPECT_LE(steps_to(add(urgent), a_claim(worker_, {"default"}, {"mass"})), most);
  job::NewJob of_a_key = a_job("mass");
  of_a_key.key = "tenant";
  const JobId own = add(of_a_key);
  bool found = false;
  for (int claims = 0; claims < 2; ++claims) {
    for (const job::Claim& one : claim(a_claim(worker_, {"default"}, {"mass"}))) found = found || one.id.job == own;
  }
  EXPECT_TRUE(found) << "its key takes turns with all of those together";
}

TEST_F(AMillionDue, LetAJobThatBecomesDueBehindThemAllRunAfterAsManyClaimsAsPromoteThem) {
  const int jobs = std::min(how_many(), 50'000);
  come_due(jobs);
  job::NewJob last = a_job("mass");
  last.delay = std::chrono::hours(1);
  last.priority = 1;
  const JobId own = add(last);
  an_hour_later();
  const int most = jobs / static_cast<int>(limits::kMaxStep) + 1;
  int claims = 0;
  for (bool found = false; !found && claims <= most; ++claims) {
    for (const job::Claim& one : claim(a_claim(worker_, {"default"}, {"mass"}))) found = one.id.job == own;
  }
  EXPECT_LE(claims, most);
}

TEST_F(AMillionDue, CostEachStepAndEachClaimTheSameWhetherTheyAreFewOrMany) {
  const auto cost = [this] {
    (void)steps();
    EXPECT_EQ(store_.step(limits::kMaxStep).value().promoted, static_cast<int>(limits::kMaxStep));
    return steps();
  };
  come_due(3'000);
  an_hour_later();
  (void)cost();
  const std::int64_t few = cost();
  come_due(std::min(how_many(), 100'000));
  an_hour_later();
  const std::int64_t many = cost();
  EXPECT_LE(many, few + few / 10) << few;
  EXPECT_LE(few, static_cast<std::int64_t>(limits::kMaxStep) * kStepsOfAPromotion);
}

}  // namespace
}  // namespace galley::store::sqlite
