// Why a job does not run, from plain values.

#include "engine/explain.hpp"

#include <gtest/gtest.h>

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

const Time kNow = base::ManualClock().wall() + 1h;

store::WorkerStats worker(const std::string& name, const std::string& pools, std::vector<std::string> queues,
                          std::vector<std::string> kinds, int slots) {
  store::WorkerStats stats;
  stats.card.name = name;
  stats.card.pools = pools;
  stats.card.queues = std::move(queues);
  stats.card.kinds = std::move(kinds);
  stats.card.slots = slots;
  return stats;
}

/// Job 7 of queue "mail" and kind "send", and a worker with one free slot for it.
Facts facts(JobState state) {
  Facts seen;
  seen.now = kNow;
  seen.job.id = 7;
  seen.job.state = state;
  seen.job.queue = "mail";
  seen.job.kind = "send";
  seen.job.enqueued_at = kNow - 10min;
  if (is_ended(state)) seen.job.finished_at = kNow - 1min;
  if (state == JobState::Ready) seen.in_line = InLine{};
  if (!is_ended(state)) seen.workers.push_back(worker("host:1", "p=1:mail", {"mail"}, {"send"}, 1));
  return seen;
}

store::QueueStats queue(const std::string& name) {
  store::QueueStats stats;
  stats.queue = name;
  return stats;
}

store::LaneStats ready(const std::string& queue, const std::string& kind, std::int64_t count) {
  store::LaneStats lane;
  lane.queue = queue;
  lane.kind = kind;
  lane.count[static_cast<std::size_t>(JobState::Ready)] = count;
  return lane;
}

std::string codes(const Facts& seen) {
  std::string all;
  for (const Reason& reason : explain(seen).reasons) all += (all.empty() ? "" : " ") + reason.code;
  return all;
}

std::string note_codes(const Facts& seen) {
  std::string all;
  for (const Reason& note : explain(seen).notes) all += (all.empty() ? "" : " ") + note.code;
  return all;
}

Reason first(const Facts& seen) { return explain(seen).reasons.at(0); }

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(ExplainReady, OneThatIsNextAndHasASlotIsAboutToStart) {
  EXPECT_EQ(codes(facts(JobState::Ready)), "about_to_start");
}

TEST(ExplainReady, APausedQueueIsNamedWithTheCommandThatResumesIt) {
  Facts seen = facts(JobState::Ready);
  seen.queues = {queue("other"), queue("mail")};
  seen.queues[0].paused = true;
  EXPECT_EQ(codes(seen), "about_to_start");
  seen.queues[1].paused = true;
  EXPECT_EQ(codes(seen), "queue_paused");
  EXPECT_EQ(first(seen).advice, "galley queues resume mail");
}

TEST(ExplainReady, NoWorkerAtAllAndNoneForItsQueueAreToldApart) {
  Facts seen = facts(JobState::Ready);
  seen.workers[0].card.queues = {"other"};
  EXPECT_EQ(codes(seen), "no_worker");
  EXPECT_TRUE(says(first(seen).text, "none of the 1 workers")) << first(seen).text;
  seen.workers.clear();
  EXPECT_EQ(codes(seen), "no_worker");
  EXPECT_TRUE(says(first(seen).text, "no worker runs on this store")) << first(seen).text;
}

TEST(ExplainReady, AMissingHandlerIsNamedWithTheWorkersThatLackIt) {
  Facts seen = facts(JobState::Ready);
  seen.workers[0].card.kinds = {"other"};
  EXPECT_EQ(codes(seen), "no_handler");
  EXPECT_TRUE(says(first(seen).text, "\"host:1\"")) << first(seen).text;
  EXPECT_TRUE(says(first(seen).advice, "handle(\"send\"")) << first(seen).advice;
  seen.workers.push_back(worker("host:2", "p=1:mail", {"mail"}, {"send"}, 1));
  EXPECT_EQ(codes(seen), "about_to_start");
}

TEST(ExplainReady, AProgramThatNobodyMayRunIsNamedWithTheOption) {
  Facts seen = facts(JobState::Ready);
  seen.job.kind = "";
  seen.job.content = job::Content::Command;
  seen.job.program = "convert";
  seen.workers[0].card.programs = {"gzip"};
  EXPECT_EQ(codes(seen), "no_handler");
  EXPECT_TRUE(says(first(seen).advice, "--allow-commands=convert")) << first(seen).advice;
  seen.workers[0].card.programs = {"convert"};
  EXPECT_EQ(codes(seen), "about_to_start");
  seen.workers[0].card.programs = {};
  seen.workers[0].card.any_command = true;
  EXPECT_EQ(codes(seen), "about_to_start");
}

TEST(ExplainReady, BusySlotsAreCountedAndTheLongestRunIsNamed) {
  Facts seen = facts(JobState::Ready);
  seen.workers = {worker("host:1", "p=2:mail", {"mail"}, {"send"}, 2)};
  seen.workers[0].running = 1;
  seen.running = {{3, "mail", "send", "host:1", kNow - 2min}};
  EXPECT_EQ(codes(seen), "about_to_start");
  seen.workers[0].running = 2;
  seen.running.push_back({4, "mail", "send", "host:1", kNow - 5min});
  EXPECT_EQ(codes(seen), "slots_busy");
  EXPECT_TRUE(says(first(seen).text, "(2 of 2)")) << first(seen).text;
  EXPECT_TRUE(says(first(seen).text, "job 4")) << first(seen).text;
}

TEST(ExplainReady, OtherKindsThatShareItsBusySlotsAreCounted) {
  Facts seen = facts(JobState::Ready);
  seen.workers[0].running = 1;
  seen.workers[0].card.kinds = {"send", "print"};
  seen.workers[0].card.programs = {"/bin/gzip"};
  seen.lanes = {ready("mail", "print", 3), ready("mail", "gzip", 4), ready("mail", "nobody", 5),
                ready("mail", "send", 1)};
  EXPECT_EQ(codes(seen), "slots_busy in_line");
  EXPECT_TRUE(says(explain(seen).reasons.at(1).text, "with 7 ready jobs")) << explain(seen).reasons.at(1).text;
  seen.workers[0].running = 0;
  EXPECT_EQ(codes(seen), "about_to_start");
}

TEST(ExplainReady, SlotsOfPoolsForOtherQueuesDoNotHelpIt) {
  Facts seen = facts(JobState::Ready);
  seen.workers = {worker("host:1", "a=1:mail b=4:other", {"mail", "other"}, {"send"}, 5)};
  seen.workers[0].running = 1;
  seen.running = {{3, "other", "send", "host:1", kNow - 2min}};
  EXPECT_EQ(codes(seen), "about_to_start");
  seen.running = {{3, "mail", "send", "host:1", kNow - 2min}};
  EXPECT_EQ(codes(seen), "slots_busy");
  EXPECT_TRUE(says(first(seen).text, "(1 of 1)")) << first(seen).text;
}

TEST(ExplainReady, AQueueThatStrictPoolsTakeFirstIsNamed) {
  Facts seen = facts(JobState::Ready);
  seen.workers = {worker("host:1", "p=1:fast,mail", {"fast", "mail"}, {"send"}, 1)};
  seen.lanes = {ready("fast", "unknown", 5)};
  EXPECT_EQ(codes(seen), "about_to_start") << "nobody can run those";
  seen.lanes = {ready("fast", "send", 5)};
  EXPECT_EQ(codes(seen), "queues_first");
  EXPECT_TRUE(says(first(seen).text, "5 jobs are ready")) << first(seen).text;
  seen.workers[0].card.pools = "p=1:fast*3,mail*1";
  EXPECT_EQ(codes(seen), "about_to_start");
  seen.workers[0].card.pools = "p=1:mail,fast";
  EXPECT_EQ(codes(seen), "about_to_start");
}

TEST(ExplainReady, FullLimitsAndTheOneThatGoesFirstAreNamed) {
  Facts seen = facts(JobState::Ready);
  seen.job.key = "ann";
  seen.standing.full = {{{store::LimitScope::Name, "", "smtp"}, std::nullopt, ""}};
  EXPECT_EQ(codes(seen), "limit_full");
  EXPECT_TRUE(says(first(seen).text, "limit \"smtp\" is full: one that runs")) << first(seen).text;
  seen.standing.full = {{{store::LimitScope::Key, "mail", ""}, Duration(3s), "ann"}};
  EXPECT_TRUE(says(first(seen).text, "limit of its key \"ann\" is full: its rate lets the next one start in 3s"))
      << first(seen).text;
  seen.standing.full.clear();
  seen.standing.behind = 7;
  EXPECT_EQ(codes(seen), "key_in_order");
  EXPECT_TRUE(says(first(seen).text, "job 7 goes first")) << first(seen).text;
  const auto of_the_first = [&](JobState state, int errors) {
    seen.goes_first.emplace();
    seen.goes_first->state = state;
    seen.goes_first->counters.errors = errors;
    if (state == JobState::Scheduled) seen.goes_first->due_at = kNow + 90s;
    const std::string text = first(seen).text;
    return text.substr(text.find("job 7"));
  };
  EXPECT_EQ(of_the_first(JobState::Running, 0), "job 7 goes first, and is running");
  EXPECT_EQ(of_the_first(JobState::Running, 1), "job 7 goes first, and is running");
  EXPECT_EQ(of_the_first(JobState::Ready, 0), "job 7 goes first, and is ready itself");
  EXPECT_EQ(of_the_first(JobState::Scheduled, 1),
            "job 7 goes first, and waits for another try in 1m30s: its key waits with it");
  EXPECT_EQ(of_the_first(JobState::Scheduled, 0), "job 7 goes first, and waits in 1m30s: its key waits with it")
      << "it was paused or snoozed";
  EXPECT_EQ(of_the_first(JobState::Completed, 0), "job 7 went first, and has just ended");
  seen.in_line = InLine{3, false};
  EXPECT_EQ(codes(seen), "key_in_order in_line");
  EXPECT_FALSE(says(explain(seen).reasons.at(1).advice, "priority")) << "it cannot overtake";
}

TEST(ExplainReady, TheLineIsCountedAndItsTimeToldByTheRate) {
  Facts seen = facts(JobState::Ready);
  seen.in_line = InLine{30, false};
  EXPECT_EQ(codes(seen), "in_line");
  EXPECT_TRUE(says(first(seen).text, "30 jobs")) << first(seen).text;
  EXPECT_TRUE(says(first(seen).text, "no telling")) << first(seen).text;
  seen.ended = 60;
  seen.ended_over = 5min;
  EXPECT_TRUE(says(first(seen).text, "12.0 a minute")) << first(seen).text;
  EXPECT_TRUE(says(first(seen).text, "about 2m30s")) << first(seen).text;
  seen.in_line = InLine{1'000, true};
  EXPECT_TRUE(says(first(seen).text, "at least 1000")) << first(seen).text;
}

TEST(ExplainReady, AnExpiryBeforeItsTurnIsAReasonAndALaterOneANote) {
  Facts seen = facts(JobState::Ready);
  seen.in_line = InLine{30, false};
  seen.ended = 60;
  seen.ended_over = 5min;
  seen.job.expires_at = kNow + 1h;
  EXPECT_EQ(codes(seen), "in_line");
  EXPECT_EQ(note_codes(seen), "expires");
  seen.job.expires_at = kNow + 1min;
  EXPECT_EQ(codes(seen), "in_line expires");
  seen.job.started_at = kNow - 5min;
  EXPECT_EQ(codes(seen), "in_line") << "it has started once";
}

TEST(ExplainReady, AUniqueKeyAndAFullQueueAreNoted) {
  Facts seen = facts(JobState::Ready);
  seen.job.unique.key = "u";
  seen.queues = {queue("mail")};
  seen.queues[0].max_waiting = 3;
  seen.queues[0].count[static_cast<std::size_t>(JobState::Ready)] = 2;
  EXPECT_EQ(note_codes(seen), "unique");
  seen.queues[0].count[static_cast<std::size_t>(JobState::Scheduled)] = 1;
  EXPECT_EQ(note_codes(seen), "queue_full unique");
}

TEST(ExplainScheduled, SaysWhatItWaitsFor) {
  Facts seen = facts(JobState::Scheduled);
  seen.job.due_at = kNow + 90s;
  EXPECT_EQ(codes(seen), "delayed");
  EXPECT_TRUE(says(first(seen).text, "in 1m30s")) << first(seen).text;
  seen.schedule = "nightly";
  EXPECT_EQ(codes(seen), "tick");
  seen.schedule.clear();
  seen.job.group = {"g", 10, 1'000, 5s};
  seen.job.members = 4;
  EXPECT_EQ(codes(seen), "gathering");
  EXPECT_TRUE(says(first(seen).text, "4 of 10 jobs")) << first(seen).text;
}

TEST(ExplainScheduled, SaysWhatPutItBack) {
  Facts seen = facts(JobState::Scheduled);
  seen.job.due_at = kNow + 90s;
  seen.job.counters.attempts = 3;
  seen.job.counters.errors = 2;
  seen.job.error = "no route\nto host";
  seen.attempts.resize(1);
  seen.attempts[0].outcome = "failed";
  EXPECT_EQ(codes(seen), "backoff");
  EXPECT_TRUE(says(first(seen).text, "after error 2 of at most 10")) << first(seen).text;
  EXPECT_TRUE(first(seen).text.ends_with(": no route")) << first(seen).text;
  seen.attempts[0].outcome = "snoozed";
  EXPECT_EQ(codes(seen), "snoozed");
  seen.attempts[0].outcome = "paused";
  EXPECT_EQ(codes(seen), "put_back");
}

TEST(ExplainScheduled, OneThatNobodyMovedIsOverdueAndObstaclesAreNamedAhead) {
  Facts seen = facts(JobState::Scheduled);
  seen.job.due_at = kNow - 1s;
  EXPECT_EQ(codes(seen), "delayed") << "workers look every few seconds";
  seen.job.due_at = kNow - 1min;
  EXPECT_EQ(codes(seen), "overdue");
  seen.workers.clear();
  EXPECT_EQ(codes(seen), "overdue no_worker");
}

TEST(ExplainBlocked, CountsTheBatchAndSaysWhatHoldsItUp) {
  Facts seen = facts(JobState::Blocked);
  seen.job.awaits = 3;
  seen.batch.emplace();
  seen.batch->id = 3;
  seen.batch->total = 10;
  seen.batch->succeeded = 4;
  EXPECT_EQ(codes(seen), "blocked");
  EXPECT_TRUE(says(first(seen).text, "of 10 jobs 4 completed, 0 failed, 6 to end")) << first(seen).text;
  EXPECT_TRUE(says(first(seen).advice, "galley batches seal 3")) << first(seen).advice;
  seen.batch->sealed = true;
  EXPECT_TRUE(says(first(seen).advice, "galley batches show 3")) << first(seen).advice;
  seen.batch->failed = 1;
  EXPECT_TRUE(says(first(seen).advice, "galley jobs retry --all --batch 3")) << first(seen).advice;
  seen.batch->lost = 1;
  EXPECT_TRUE(says(first(seen).text, "cannot succeed")) << first(seen).text;
}

TEST(ExplainRunning, SaysWhereSinceWhenAndWhichAttempt) {
  Facts seen = facts(JobState::Running);
  seen.job.worker = "host:1";
  seen.job.started_at = kNow - 90s;
  seen.job.counters.attempts = 2;
  seen.job.progress = "page 3";
  seen.job.policy.timeout = 2min;
  EXPECT_EQ(codes(seen), "running");
  EXPECT_EQ(first(seen).text, "it runs on worker \"host:1\", attempt 3, for 1m30s; its progress: page 3");
  EXPECT_EQ(note_codes(seen), "timeout");
  seen.job.cancel_requested = true;
  EXPECT_EQ(codes(seen), "running cancel_requested");
  seen.workers[0].card.name = "host:2";
  EXPECT_EQ(codes(seen), "worker_gone running cancel_requested");
}

TEST(ExplainRunning, OneThatDoesNotEndWithinItsGraceIsStuck) {
  Facts seen = facts(JobState::Running);
  seen.job.worker = "host:1";
  seen.job.started_at = kNow - 20s;
  seen.job.policy.grace = 5s;
  EXPECT_EQ(codes(seen), "running") << "it has no bound";
  seen.job.policy.timeout = 16s;
  EXPECT_EQ(codes(seen), "running") << "its grace is not over";
  seen.job.policy.timeout = 10s;
  EXPECT_EQ(codes(seen), "running stuck");
  EXPECT_TRUE(says(explain(seen).reasons.at(1).text, "told to stop 10s ago")) << explain(seen).reasons.at(1).text;
  seen.job.policy.timeout = 0s;
  seen.job.deadline_at = kNow - 6s;
  EXPECT_EQ(codes(seen), "running stuck");
}

TEST(ExplainEnded, SaysHowAndWhatAPersonCanDo) {
  Facts seen = facts(JobState::Completed);
  EXPECT_EQ(codes(seen), "completed");
  EXPECT_EQ(first(seen).advice, "");
  seen.job.state = JobState::Cancelled;
  EXPECT_EQ(codes(seen), "cancelled");
  EXPECT_TRUE(says(first(seen).advice, "galley jobs retry 7")) << first(seen).advice;
  seen.job.state = JobState::Discarded;
  EXPECT_EQ(codes(seen), "discarded");
  seen.job.state = JobState::Expired;
  EXPECT_TRUE(says(first(seen).text, "never started")) << first(seen).text;
  seen.job.deadline_at = *seen.job.finished_at;
  EXPECT_TRUE(says(first(seen).text, "deadline")) << first(seen).text;
}

TEST(ExplainEnded, ADeadJobTellsItsTriesAndAQuarantinedOneWhichKilledTheirWorkers) {
  Facts seen = facts(JobState::Dead);
  seen.job.counters = {.attempts = 10, .errors = 10, .pauses = 0, .snoozes = 0, .crashes = 2};
  seen.job.error = "boom";
  EXPECT_EQ(codes(seen), "dead");
  EXPECT_EQ(first(seen).text, "it is dead after 10 errors (at most 10): boom");
  seen.job.counters.crashes = 3;
  seen.attempts.resize(4);
  for (int i = 0; i < 4; ++i) {
    seen.attempts[static_cast<std::size_t>(i)].attempt = i + 1;
    seen.attempts[static_cast<std::size_t>(i)].outcome = i == 1 ? "failed" : "crashed";
  }
  EXPECT_EQ(codes(seen), "quarantined");
  EXPECT_TRUE(says(first(seen).text, "(attempts 1, 3, 4)")) << first(seen).text;
}

TEST(TimeLine, StandsInOrderAndTellsWhatIsAhead) {
  Facts seen = facts(JobState::Scheduled);
  seen.job.due_at = kNow + 1min;
  seen.job.deadline_at = kNow + 1h;
  seen.attempts.resize(1);
  seen.attempts[0] = {2, "failed", kNow - 5min, kNow - 4min, "host:1", {}};
  seen.attempts[0].report.error = "first line\nsecond";
  seen.attempts[0].report.run_time = 60s;
  std::vector<std::string> lines;
  for (const Moment& moment : timeline_of(seen)) lines.push_back((moment.ahead ? "+" : "-") + moment.what);
  EXPECT_EQ(lines, (std::vector<std::string>{"-enqueued", "-(of the attempts before this one nothing is kept)",
                                             "-attempt 2 started on \"host:1\"",
                                             "-attempt 2 ended: failed after 1m: first line", "+due", "+deadline"}));
}

}  // namespace
}  // namespace galley::engine
