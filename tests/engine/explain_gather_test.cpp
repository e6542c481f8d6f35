// What is seen of a job and of what is round it, in a real store.

#include <gtest/gtest.h>

#include "engine/explain.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

std::string codes(const Facts& seen) {
  std::string all;
  for (const Reason& reason : explain(seen).reasons) all += (all.empty() ? "" : " ") + reason.code;
  return all;
}

class Gather : public testing::Test {
 protected:
  JobId put(Duration delay = 0s) {
    job::NewJob job;
    job.queue = "mail";
    job.kind = "send";
    job.payload = "{}";
    job.delay = delay;
    return store_->enqueue(std::span(&job, 1)).value().at(0).id;
  }
  /// A worker, and how it claims.
  store::ClaimRequest join(int slots) {
    store::WorkerCard card{.name = "host:1", .queues = {"mail"}, .kinds = {"send"}, .slots = slots};
    card.pools = "p=" + std::to_string(slots) + ":mail";
    store::ClaimRequest request;
    request.worker = store_->join(card).value();
    request.queues = card.queues;
    request.kinds = {{"send", slots}};
    request.limit = slots;
    return request;
  }
  Facts seen(JobId id) { return gather(*store_, clock_, id).value(); }

  base::ManualClock clock_;
  std::unique_ptr<store::Store> store_ = store::open_memory(clock_);
};

TEST_F(Gather, CountsThoseOfItsKindThatStandBeforeIt) {
  const JobId one = put();
  put();
  const JobId three = put();
  EXPECT_EQ(seen(one).in_line->before, 0);
  EXPECT_EQ(seen(three).in_line->before, 2);
  EXPECT_FALSE(seen(three).in_line->at_least);
}

TEST_F(Gather, LooksAtABoundedPartOfTheLine) {
  for (int i = 0; i < 1'001; ++i) put();
  const Facts last = seen(put());
  EXPECT_EQ(last.in_line->before, 1'000);
  EXPECT_TRUE(last.in_line->at_least);
}

TEST_F(Gather, FindsTheWorkerAndTheJobThatItRuns) {
  const JobId one = put();
  const JobId two = put();
  const store::ClaimRequest request = join(1);
  ASSERT_EQ(store_->claim(request).value().claims.size(), 1U);
  clock_.advance(3s);
  EXPECT_EQ(codes(seen(one)), "running");
  EXPECT_EQ(codes(seen(two)), "slots_busy");
  ASSERT_TRUE(store_->leave(request.worker));
  EXPECT_EQ(codes(seen(one)).substr(0, 11), "worker_gone");
}

TEST_F(Gather, SeesWhatTheFirstOfItsKeyDoes) {
  job::NewJob job;
  job.queue = "mail";
  job.kind = "send";
  job.payload = "{}";
  job.key = "ann";
  job.ordered = true;
  const std::vector<job::NewJob> both{job, job};
  const JobId two = store_->enqueue(both).value().at(1).id;
  const auto text = [&] { return explain(seen(two)).reasons.at(0).text; };
  const store::ClaimRequest request = join(2);
  EXPECT_NE(text().find("job 1 goes first, and is ready itself"), std::string::npos) << text();
  const auto claims = store_->claim(request).value().claims;
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_NE(text().find("job 1 goes first, and is running"), std::string::npos) << text();
  store::Finish failed;
  failed.claim = claims[0].id;
  failed.event = job::JobEvent::Retry;
  failed.delay = 90s;
  failed.counters = {.attempts = 1, .errors = 1, .pauses = 0, .snoozes = 0, .crashes = 0};
  failed.outcome = "failed";
  ASSERT_TRUE(store_->finish(std::span(&failed, 1)));
  EXPECT_NE(text().find("job 1 goes first, and waits for another try in 1m30s: its key waits with it"),
            std::string::npos)
      << text();
}

TEST_F(Gather, TellsTheRateOfItsKind) {
  put();
  const JobId id = put();
  clock_.advance(2min);
  store::Measured measured;
  measured.queue = "mail";
  measured.kind = "send";
  measured.completed = 5;
  measured.failed = 1;
  ASSERT_TRUE(store_->report(std::span(&measured, 1)));
  clock_.advance(30s);
  const Facts found = seen(id);
  EXPECT_EQ(found.ended, 6);
  EXPECT_EQ(found.ended_over, 30s);
}

TEST_F(Gather, SaysNotFoundForAJobThatIsNotThere) {
  EXPECT_EQ(gather(*store_, clock_, 99).error().code, Errc::NotFound);
}

TEST_F(Gather, AScheduledJobIsSeenWithItsDueTime) { EXPECT_EQ(codes(seen(put(1h))), "delayed no_worker"); }

}  // namespace
}  // namespace galley::engine
