// The power goes at one call to the disk after another: what was acknowledged is there, and the file is whole.
//
// GALLEY_POWER_EVERY=1 cuts at every single call (./dev soak); the tests take the first ones and every eleventh.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/clock.hpp"
#include "store/power_vfs.hpp"
#include "store/sqlite/backend.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;
using test::PowerDisk;
using test::Remains;

/// What the program was told before the power went.
struct Told {
  struct Enqueue {
    std::vector<JobId> ids;
    std::vector<std::string> payloads;
  };
  std::vector<Enqueue> enqueues;
  std::set<JobId> cancelled;
  std::set<JobId> completed;
  std::optional<Written> last_enqueue;  ///< of the one that failed
  std::size_t last_jobs = 0;

  [[nodiscard]] std::size_t jobs() const {
    std::size_t all = 0;
    for (const Enqueue& one : enqueues) all += one.ids.size();
    return all;
  }
};

SqliteOptions options_of(const std::string& path, Durability durability, const base::Clock& clock) {
  SqliteOptions options;
  options.path = path;
  options.durability = durability;
  options.clock = &clock;
  return options;
}

ClaimRequest wish(WorkerId worker, int limit) {
  ClaimRequest request;
  request.worker = worker;
  request.queues = {"default"};
  request.kinds = {{"k", limit}};
  request.limit = limit;
  return request;
}

/// Who takes the log over, soon enough that this is cut too: commits, which is the same each time, or a thread.
enum class Checkpoints : std::uint8_t { InCommits, Beside };

/// A program that enqueues, works and cancels until the power goes, or it has done all of its rounds.
class Program {
 public:
  Program(const std::string& path, Durability durability, Checkpoints checkpoints)
      : store_(options_of(path, durability, clock_)) {
    if (checkpoints == Checkpoints::Beside) {
      log_.emplace(store_.database(), LogBounds{12, 24, 24});
    } else {
      store_.database().execute("PRAGMA wal_autocheckpoint = 12");
    }
    const auto joined = store_.join({"w", ""});
    on_ = joined.has_value();
    if (on_) worker_ = *joined;
  }

  Told run() {
    for (int round = 0; on_ && round < kRounds; ++round) {
      clock_.advance(700ms);
      enqueue(round % 3 == 2 ? 4 : 1, round);
      if (round % 4 == 1) cancel_one();
      if (on_) work();
      if (on_ && round % 3 == 0) on_ = store_.step(50).has_value();
    }
    return told_;
  }

 private:
  static constexpr int kRounds = 18;

  static job::NewJob a_job(int round, int number) {
    job::NewJob job;
    job.kind = "k";
    job.content = job::Content::Bytes;
    job.payload.assign(number == 3 ? 6'000 : 200, static_cast<char>('a' + (round + number) % 26));
    if (number == 1) job.delay = 2s;
    if (number == 2) job.tags = {"a", "b"};
    if (round % 5 == 4) job.unique = {"key" + std::to_string(round + number), UniqueUntil::Finish, OnConflict::Error};
    return job;
  }

  void enqueue(int count, int round) {
    if (!on_) return;
    std::vector<job::NewJob> jobs;
    Told::Enqueue call;
    for (int i = 0; i < count; ++i) {
      jobs.push_back(a_job(round, i));
      call.payloads.push_back(jobs.back().payload);
    }
    const auto answer = store_.enqueue(jobs);
    if (!answer) {
      told_.last_enqueue = answer.error().written;
      told_.last_jobs = jobs.size();
      on_ = false;
      return;
    }
    for (const Enqueued& one : *answer) call.ids.push_back(one.id);
    told_.enqueues.push_back(call);
  }

  void cancel_one() {
    if (!on_) return;
    const auto waiting = store_.select({.state = JobState::Ready}, "", 1);
    if (!(on_ = waiting.has_value()) || waiting->ids.empty()) return;
    const auto answer = store_.cancel(waiting->ids);
    if (!(on_ = answer.has_value())) return;
    if (answer->at(0) == Operated::Done) told_.cancelled.insert(waiting->ids.at(0));
  }

  void work() {
    const std::vector requests{wish(worker_, 2)};
    const auto answer = store_.finish_and_claim(finishes_, requests);
    if (!(on_ = answer.has_value())) return;
    for (std::size_t i = 0; i < finishes_.size(); ++i) {
      if (finishes_[i].event == job::JobEvent::Complete && answer->finished[i] == FinishAnswer::Finished)
        told_.completed.insert(finishes_[i].claim.job);
    }
    finishes_.clear();
    for (const job::Claim& claim : answer->claimed.at(0).claims) finishes_.push_back(end_of(claim));
  }

  static Finish end_of(const job::Claim& claim) {
    Finish finish;
    finish.claim = claim.id;
    finish.counters = claim.counters;
    finish.counters.attempts += 1;
    if (claim.id.job % 3 == 0 && claim.counters.errors == 0) {
      finish.event = job::JobEvent::Retry;
      finish.delay = 1s;
      finish.counters.errors += 1;
      finish.outcome = "failed";
      finish.report.error = "boom";
      finish.checkpoint = "half";
    } else {
      finish.outcome = "completed";
      finish.result = "done";
    }
    return finish;
  }

  base::ManualClock clock_;
  Backend store_;
  std::optional<Checkpointer> log_;
  WorkerId worker_ = 0;
  bool on_ = false;
  Told told_;
  std::vector<Finish> finishes_;
};

/// Runs the program until the power goes at call `cut`; PowerDisk::kNever: to its end. The disk is left for save().
Told run_until(PowerDisk& disk, const std::string& dir, Durability durability, Checkpoints checkpoints) {
  try {
    return Program(dir + "/store.db", durability, checkpoints).run();
  } catch (const SqlError&) {
    EXPECT_TRUE(disk.is_off());
  } catch (const Refused& refused) {
    EXPECT_TRUE(disk.is_off()) << refused.error.message;
  }
  return {};  // it went while the store was being made
}

/// What is wrong after the reboot.
class Aftermath {
 public:
  Aftermath(const std::string& dir, Durability durability, const Told& told) : durability_(durability), told_(told) {
    auto store = open_sqlite(options_of(dir + "/store.db", durability, clock_));
    if (!store) {
      faults_.push_back("the store does not open: " + store.error().message);
      return;
    }
    store_ = std::move(*store);
    look_for_what_was_told();
    examine();
    go_on();
  }
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

 private:
  void fault(std::string what) { faults_.push_back(std::move(what)); }

  void look_for_what_was_told() {
    bool lost = false;
    std::size_t kept = 0;
    for (const Told::Enqueue& call : told_.enqueues) {
      std::size_t there = 0;
      for (std::size_t i = 0; i < call.ids.size(); ++i) {
        const auto job = store_->find(call.ids[i]);
        if (!job) continue;
        ++there;
        if (job->payload != call.payloads[i]) fault("job " + std::to_string(call.ids[i]) + " has another payload");
      }
      kept += there;
      if (there != 0 && there != call.ids.size()) fault("half of an enqueue is there");
      if (there == 0 && durability_ == Durability::Full) {
        fault("the acknowledged job " + std::to_string(call.ids.at(0)) + " is lost");
      }
      if (lost && there != 0) fault("job " + std::to_string(call.ids[0]) + " is there, but an earlier one is lost");
      lost = lost || there == 0;
    }
    const auto page = store_->select({}, "", limits::kMaxPage);
    if (!page) return fault("list: " + page.error().message);
    const std::size_t more = page->ids.size() - std::min(kept, page->ids.size());
    const bool may_be_there = told_.last_enqueue == Written::Unknown && more == told_.last_jobs && !lost;
    if (more != 0 && !may_be_there) fault(std::to_string(more) + " jobs are there that nobody was told of");
    if (durability_ != Durability::Full) return;
    for (const JobId id : told_.cancelled) {
      const auto job = store_->find(id);
      if (job && job->state != JobState::Cancelled) fault("job " + std::to_string(id) + " is no longer cancelled");
    }
  }

  void examine() {
    static const std::set<std::string> allowed{"unserved", "durability", "claim_of_nobody"};
    const auto found = store_->examine(false);
    if (!found) return fault("examine: " + found.error().message);
    for (const Finding& finding : *found) {
      if (!allowed.contains(finding.code)) fault(finding.code + ": " + finding.what);
    }
  }

  /// All that is there is worked off, as after any restart.
  void go_on() {
    clock_.advance(1h);
    const WorkerId worker = store_->join({"again", ""}).value();
    std::vector<Finish> finishes;
    for (int rounds = 0; rounds < 100; ++rounds) {
      if (const auto step = store_->step(100); !step) return fault("step: " + step.error().message);
      const std::vector requests{wish(worker, 50)};
      const auto answer = store_->finish_and_claim(finishes, requests);
      if (!answer) return fault("claim: " + answer.error().message);
      finishes.clear();
      for (const job::Claim& claim : answer->claimed.at(0).claims) {
        Finish finish;
        finish.claim = claim.id;
        finish.counters = claim.counters;
        finishes.push_back(finish);
      }
      if (finishes.empty()) break;
    }
    for (const JobState state : {JobState::Ready, JobState::Scheduled, JobState::Running, JobState::Blocked}) {
      const auto page = store_->select({.state = state}, "", 10);
      if (!page || !page->ids.empty()) fault("a job does not come to its end");
    }
  }

  const Durability durability_;
  const Told& told_;
  base::ManualClock clock_;
  std::unique_ptr<Store> store_;
  std::vector<std::string> faults_;
};

constexpr int kWhileMade = 12;
constexpr Remains kRemains[] = {Remains::Synced, Remains::SomeOfAll, Remains::TornLast};

int every() {
  const char* const text = std::getenv("GALLEY_POWER_EVERY");
  return text == nullptr ? 11 : std::max(1, std::atoi(text));
}

int calls_of_a_whole_run(Durability durability, Checkpoints checkpoints) {
  const test::TempDir dir;
  PowerDisk disk;
  const Told told = run_until(disk, dir.path(), durability, checkpoints);
  EXPECT_EQ(told.jobs(), 36U);
  EXPECT_GE(told.completed.size(), 10U);
  EXPECT_GE(told.cancelled.size(), 2U);
  return disk.calls();
}

struct Trial {
  Durability opened = Durability::Full;
  Durability judged = Durability::Full;  ///< what is asked of what remains
  bool lies = false;                     ///< the disk does not sync
  Checkpoints checkpoints = Checkpoints::InCommits;
};

/// The faults of all cuts, each with where the power went.
std::vector<std::string> faults_of_all_cuts(const Trial& trial, int stride) {
  std::vector<std::string> all;
  const int calls = calls_of_a_whole_run(trial.opened, trial.checkpoints);
  EXPECT_GE(calls, 200) << "too few to say much";
  int cuts = 0;
  // While the store is made, each call is another case.
  for (int cut = 0; cut < calls; cut += cut < kWhileMade ? 1 : stride, ++cuts) {
    const test::TempDir before;
    const test::TempDir after[std::size(kRemains)];
    Told told;
    std::string where;
    {
      PowerDisk disk(cut, trial.lies);
      told = run_until(disk, before.path(), trial.opened, trial.checkpoints);
      EXPECT_TRUE(disk.is_off() || trial.checkpoints == Checkpoints::Beside) << "call " << cut;
      where = disk.last_call();
      for (std::size_t i = 0; i < std::size(kRemains); ++i) {
        disk.save(after[i].path(), kRemains[i], static_cast<std::uint64_t>(cut));
      }
    }
    for (std::size_t i = 0; i < std::size(kRemains); ++i) {
      const Aftermath aftermath(after[i].path(), trial.judged, told);
      for (const std::string& fault : aftermath.faults()) {
        all.push_back("call " + std::to_string(cut) + " (" + where + "), remains " + std::to_string(i) + ": " + fault);
      }
    }
  }
  testing::Test::RecordProperty("cuts", cuts);
  return all;
}

std::string text_of(const std::vector<std::string>& faults) {
  std::string text = std::to_string(faults.size()) + " faults\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(faults.size(), 20); ++i) text += faults[i] + "\n";
  return text;
}

TEST(PowerLoss, LosesNothingAcknowledgedUnderFullDurability) {
  const auto faults = faults_of_all_cuts({Durability::Full, Durability::Full}, every());
  EXPECT_TRUE(faults.empty()) << text_of(faults);
}

TEST(PowerLoss, LosesOnlyASuffixUnderNormalDurability) {
  const auto faults = faults_of_all_cuts({Durability::Normal, Durability::Normal}, every());
  EXPECT_TRUE(faults.empty()) << text_of(faults);
}

TEST(PowerLoss, LosesNothingWhileAThreadTakesTheLogOver) {
  const Trial trial{Durability::Full, Durability::Full, false, Checkpoints::Beside};
  const auto faults = faults_of_all_cuts(trial, 3 * every());
  EXPECT_TRUE(faults.empty()) << text_of(faults);
}

TEST(PowerLoss, LosesOnlyASuffixWhileAThreadTakesTheLogOver) {
  const Trial trial{Durability::Normal, Durability::Normal, false, Checkpoints::Beside};
  const auto faults = faults_of_all_cuts(trial, 3 * every());
  EXPECT_TRUE(faults.empty()) << text_of(faults);
}

TEST(PowerLoss, IsFoundOutOnADiskThatOnlyClaimsToSync) {
  const auto faults = faults_of_all_cuts({Durability::Full, Durability::Full, true}, 41);
  EXPECT_FALSE(faults.empty()) << "these tests would notice nothing";
}

TEST(PowerLoss, UnderNormalDurabilityDoesLoseSomething) {
  const auto faults = faults_of_all_cuts({Durability::Normal, Durability::Full}, 41);
  EXPECT_FALSE(faults.empty()) << "or the two durabilities are one";
}

}  // namespace
}  // namespace galley::store::sqlite
