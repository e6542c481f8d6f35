#include "galley/resume.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/random.hpp"
#include "engine/attempt.hpp"
#include "engine/worker_fixture.hpp"

namespace galley::engine {
namespace {

using Kind = Outcome::Kind;
using Seen = std::vector<std::int64_t>;

/// One job under a clock that stands still, run attempt after attempt, each with the checkpoint of the one before.
class ResumeTest : public testing::Test {
 protected:
  void begin() {
    job::Claim claim;
    claim.id = {7, 3};
    claim.kind = "k";
    claim.checkpoint = checkpoint;
    attempt = std::make_unique<RunningAttempt>(std::move(claim), std::nullopt, clock, [] {});
  }
  /// What it has saved stands in `checkpoint` then.
  template <class Source, class Body>
  std::optional<Outcome> run(Source source, Body body, const ResumeOptions& options = {}) {
    if (!attempt) begin();
    auto outcome = resume(*attempt, std::move(source), std::move(body), options);
    end();
    return outcome;
  }
  void end() {
    AttemptEnd ended;
    attempt->collect(ended);
    checkpoint = ended.checkpoint.value_or(checkpoint);
    moved_on = ended.moved_on;
    progress = attempt->renewal().progress.value_or("");
    attempt.reset();
  }
  /// The number of the item at which each attempt gives way, and what was seen by all of them.
  template <class Make>
  Seen interrupted(Make make, base::Random& random, int& attempts) {
    Seen seen;
    checkpoint.clear();
    for (attempts = 1; attempts < 1'000; ++attempts) {
      begin();
      auto left = static_cast<int>(random.unit() * 4);
      const auto outcome = run(make(), [&](std::int64_t item) {
        seen.push_back(item);
        if (left-- == 0) attempt->queue_paused(true);
      });
      if (!outcome || outcome->kind() == Kind::Failed) ADD_FAILURE() << (outcome ? outcome->text() : "stopped");
      if (!outcome || outcome->kind() != Kind::Paused) break;
    }
    return seen;
  }

  base::ManualClock clock;
  std::unique_ptr<RunningAttempt> attempt;
  std::string checkpoint;
  std::string progress;
  bool moved_on = false;
};

/// 0..99, made as they are asked for.
struct Numbers {
  struct Iterator {
    using value_type = std::int64_t;
    using difference_type = std::ptrdiff_t;
    std::int64_t at = 0;
    std::int64_t operator*() const noexcept { return at; }
    Iterator& operator++() noexcept { return ++at, *this; }
    Iterator operator++(int) noexcept { return {at++}; }
    bool operator==(const Iterator&) const = default;
  };
  [[nodiscard]] static Iterator begin() noexcept { return {0}; }
  [[nodiscard]] static Iterator end() noexcept { return {100}; }
};

/// A list of 0..99 in pages of one, whose tokens tell nothing of their order.
auto tokens() {
  return cursor<std::string>(
      [](const std::optional<std::string>& after) -> std::optional<Step<std::int64_t, std::string>> {
        const int at = after ? std::stoi(after->substr(6)) : 0;
        if (at == 99) return Step<std::int64_t, std::string>{at, std::nullopt};
        return Step<std::int64_t, std::string>{at, "token-" + std::to_string(at + 1)};
      },
      100);
}

TEST_F(ResumeTest, EverySourceGoesOnWhereItGaveWayWithoutASkippedOrARepeatedItem) {
  const Numbers numbers{};
  Seen all;
  for (const std::int64_t number : numbers) all.push_back(number);
  const std::span<const std::int64_t> view(all);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::Random random(seed);
    int attempts = 0;
    EXPECT_EQ(interrupted([] { return range(0, 100); }, random, attempts), all) << "seed " << seed;
    EXPECT_GT(attempts, 20);
    EXPECT_EQ(interrupted([&] { return items(all); }, random, attempts), all) << "seed " << seed;
    EXPECT_EQ(interrupted([&] { return items(numbers); }, random, attempts), all) << "seed " << seed;
    EXPECT_EQ(interrupted([&] { return items(std::span(view)); }, random, attempts), all) << "seed " << seed;
    EXPECT_EQ(interrupted([&] { return items(Seen(all)); }, random, attempts), all) << "seed " << seed;
    EXPECT_EQ(interrupted(tokens, random, attempts), all) << "seed " << seed;
    const auto generated = [] {
      return generator([i = std::int64_t{0}]() mutable -> std::optional<std::int64_t> {
        return i < 100 ? std::optional(i++) : std::nullopt;
      });
    };
    EXPECT_EQ(interrupted(generated, random, attempts), all) << "seed " << seed;
  }
}

TEST_F(ResumeTest, SavesItsPlaceWhenTheTimeHasCome) {
  std::vector<std::string> saved;
  const auto outcome = run(range(0, 10), [&](std::int64_t) {
    clock.advance(100ms);
    if (auto kept = attempt->renewal().checkpoint) saved.push_back(*kept);
    attempt->told();
  });
  EXPECT_EQ(outcome->kind(), Kind::Done);
  const std::vector<std::string> expected{
      R"({"galley":1,"at":2,"done":2,"run_us":200000})", R"({"galley":1,"at":4,"done":4,"run_us":400000})",
      R"({"galley":1,"at":6,"done":6,"run_us":600000})", R"({"galley":1,"at":8,"done":8,"run_us":800000})"};
  EXPECT_EQ(saved, expected) << "the first item's end after each 200 ms";
}

TEST_F(ResumeTest, SavesItsPlaceAfterSoManyItemsToo) {
  std::vector<std::int64_t> saved;
  (void)run(range(0, 10),
            [&](std::int64_t item) {
              if (attempt->renewal().checkpoint) saved.push_back(item);
              attempt->told();
            },
            {.items = 4});
  EXPECT_EQ(saved, (Seen{4, 8}));
}

TEST_F(ResumeTest, TellsHowFarItIsOverAllAttempts) {
  checkpoint = R"({"galley":1,"at":1000,"done":1000,"run_us":20000000})";
  const auto outcome = run(range(0, 10'000), [&](std::int64_t item) {
    clock.advance(20ms);
    if (item == 1'233) attempt->request_stop();
  });
  EXPECT_EQ(outcome, std::nullopt);
  EXPECT_EQ(progress, "1,234 of 10,000, 12 %, about 3 min left");
  EXPECT_EQ(checkpoint, R"({"galley":1,"at":1234,"done":1234,"run_us":24680000})");
}

TEST_F(ResumeTest, WithoutATotalItTellsWhatIsDone) {
  (void)run(generator([]() -> std::optional<int> { return 1; }),
            [&, count = 0](int) mutable {
              if (++count == 1'234'567) attempt->request_stop();
            },
            {.every = 1h});
  EXPECT_EQ(progress, "1,234,567 done");
}

TEST_F(ResumeTest, GivesWayAtItsSliceAfterOneItemAtLeast) {
  Seen seen;
  const auto body = [&](std::int64_t item) {
    seen.push_back(item);
    clock.advance(4s);
  };
  EXPECT_EQ(run(range(0, 5), body)->kind(), Kind::Paused);
  EXPECT_EQ(seen, (Seen{0, 1, 2})) << "10 s are over";
  EXPECT_TRUE(moved_on);
  EXPECT_EQ(run(range(0, 5), body, {.slice = 1us})->kind(), Kind::Paused);
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(run(range(0, 5), body, {.slice = Duration{0}})->kind(), Kind::Done);
  EXPECT_EQ(seen, (Seen{0, 1, 2, 3, 4}));
}

TEST_F(ResumeTest, AStopBeforeTheFirstItemIsNoProgress) {
  checkpoint = R"({"galley":1,"at":3,"done":3,"run_us":1})";
  begin();
  attempt->request_stop();
  EXPECT_EQ(run(range(0, 5), [](std::int64_t) { FAIL(); }), std::nullopt) << "its reason decides";
  EXPECT_FALSE(moved_on) << "or a job that only kills its workers would never be quarantined";
}

TEST_F(ResumeTest, AStopBehindTheLastItemFindsItDone) {
  const auto stop_at = [&](std::int64_t last) {
    return [this, last](std::int64_t item) {
      if (item == last) attempt->request_stop();
    };
  };
  EXPECT_EQ(run(range(0, 5), stop_at(4))->kind(), Kind::Done);
  EXPECT_EQ(run(tokens(), stop_at(99))->kind(), Kind::Done);
}

TEST_F(ResumeTest, AnItemThatFailsIsRunAgainAndNoneBeforeIt) {
  Seen seen;
  bool broken = true;
  const auto body = [&](std::int64_t item) {
    if (item == 3 && broken) throw std::runtime_error("no row 3");
    seen.push_back(item);
  };
  EXPECT_THROW((void)run(range(0, 5), body), std::runtime_error);
  end();
  broken = false;
  EXPECT_EQ(run(range(0, 5), body)->kind(), Kind::Done);
  EXPECT_EQ(seen, (Seen{0, 1, 2, 3, 4}));
}

TEST_F(ResumeTest, ABodysOutcomeEndsTheAttempt) {
  const auto snooze = [](std::int64_t item) { return item == 2 ? Outcome::snooze(5s) : Outcome::done(); };
  EXPECT_EQ(run(range(0, 5), snooze)->kind(), Kind::Snoozed);
  EXPECT_EQ(checkpoint, R"({"galley":1,"at":2,"done":2,"run_us":0})");
  const auto none = [](std::int64_t) { return std::optional<Outcome>(); };
  EXPECT_EQ(run(range(0, 5), none)->kind(), Kind::Done);
}

TEST_F(ResumeTest, ACheckpointThatCannotBeReadFailsTheAttemptAndStays) {
  const auto refused = [&](const char* text, const char* why) {
    checkpoint = text;
    const auto outcome = run(range(0, 5), [](std::int64_t) { FAIL() << "it must not start over"; });
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind(), Kind::Failed);
    EXPECT_NE(outcome->text().find(why), std::string::npos) << outcome->text();
    EXPECT_EQ(checkpoint, text);
    EXPECT_FALSE(moved_on);
  };
  refused("page 7", "\"page 7\" is not a checkpoint of galley::resume");
  refused("[1]", "is not a checkpoint");
  refused(R"({"at":3,"done":3,"run_us":1})", "is not a checkpoint");
  refused(R"({"galley":2,"at":3,"done":3,"run_us":1})", "of form 2; this program reads form 1");
  refused(R"({"galley":1,"done":3,"run_us":1})", "lacks at, done or run_us");
  refused(R"({"galley":1,"at":3,"done":-3,"run_us":1})", "lacks at, done or run_us");
  refused(R"({"galley":1,"at":"three","done":3,"run_us":1})", "\"three\" is not allowed");
  refused(R"({"galley":1,"at":6,"done":6,"run_us":1})", "6 is not within 0 and 5: what it goes through has changed");
}

TEST_F(ResumeTest, AContainerThatHasShrunkIsNotGoneThroughAgain) {
  const std::vector<int> short_list{1, 2};
  checkpoint = R"({"galley":1,"at":3,"done":3,"run_us":1})";
  EXPECT_EQ(run(items(short_list), [](int) { FAIL(); })->kind(), Kind::Failed);
  const auto none = generator([]() -> std::optional<int> { return std::nullopt; });
  EXPECT_EQ(run(none, [](int) { FAIL(); })->kind(), Kind::Failed);
}

TEST_F(ResumeTest, ATokenTooLargeForACheckpointFailsTheAttempt) {
  const auto large = cursor<std::string>([](const std::optional<std::string>&) {
    return std::optional(Step<int, std::string>{1, std::string(limits::kMaxCheckpointBytes, 't')});
  });
  const auto outcome = run(large, [](int) {}, {.every = Duration{0}});
  EXPECT_EQ(outcome->kind(), Kind::Failed);
  EXPECT_NE(outcome->text().find("65536 are allowed"), std::string::npos) << outcome->text();
}

TEST_F(ResumeTest, ATokenThatJsonCannotHoldIsNotMadeIntoAnother) {
  const auto binary = cursor<std::string>([](const std::optional<std::string>&) {
    return std::optional(Step<int, std::string>{1, "\xff"});
  });
  const auto outcome = run(binary, [](int) {}, {.every = Duration{0}});
  EXPECT_EQ(outcome->kind(), Kind::Failed);
  EXPECT_NE(outcome->text().find("bytes must be UTF-8"), std::string::npos) << outcome->text();
}

TEST_F(ResumeTest, ABodyMayTakeItemsByReference) {
  std::vector<std::string> names{"a", "b"};
  (void)run(items(names), [](std::string& text) { text += "!"; });
  EXPECT_EQ(names, (std::vector<std::string>{"a!", "b!"}));
}

// ---- in a worker ------------------------------------------------------------------------------------------------

class ResumeInAWorker : public WorkerTest {};

TEST_F(ResumeInAWorker, TimeOutsAndPausesWithoutEndDoNotKillAJobThatGetsOn) {
  JobOptions options;
  options.resumable = true;
  options.timeout = 50ms;  // long enough for an item to begin, short enough for six of them
  options.max_pauses = 1;
  const JobId id = enqueue("long", options);
  Seen seen;
  const auto worker = make_worker(store, drain(), clock);
  worker->pool("q", 1).handle("long", [&](Attempt& attempt, std::string_view) {
    return resume(attempt, range(0, 6), [&](std::int64_t item) {
      seen.push_back(item);
      if (item < 5) wait_for_stop(attempt);
    });
  });
  ASSERT_TRUE(worker->run());
  const auto job = find(id);
  EXPECT_EQ(job.state, JobState::Completed) << job.error;
  EXPECT_EQ(seen, (Seen{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(job.counters.attempts, 6);
  EXPECT_EQ(job.counters.errors, 0);
}

TEST_F(ResumeInAWorker, AJobThatOnlyPausesDiesAtItsBound) {
  JobOptions options;
  options.resumable = true;
  options.max_pauses = 3;
  const JobId id = enqueue("idle", options);
  const auto worker = make_worker(store, drain(), clock);
  worker->pool("q", 1).handle("idle", [](Attempt& attempt, std::string_view) {
    attempt.save_checkpoint("the same").value();
    return Outcome::pause();
  });
  ASSERT_TRUE(worker->run());
  EXPECT_EQ(find(id).state, JobState::Dead);
  EXPECT_EQ(find(id).counters.attempts, 4);
}

TEST_F(ResumeInAWorker, GivesWayWhenItsQueueIsPausedAndGoesOnWhenItIsResumed) {
  JobOptions options;
  options.resumable = true;
  const JobId id = enqueue("long", options);
  Seen seen;
  WorkerOptions told = drain();
  told.lease = 1s;  // what is not asked for by the attempt itself is renewed within a third of it
  const auto work = [&] {
    const auto worker = make_worker(store, told, clock);
    worker->pool("q", 1).handle("long", [&](Attempt& attempt, std::string_view) {
      return resume(attempt, range(0, 6), [&](std::int64_t item) {
        seen.push_back(item);
        if (item != 2) return;
        EXPECT_FALSE(attempt.should_give_way());
        ASSERT_TRUE(store->pause("q"));
        const base::Mono end = clock.mono() + 20s;
        while (!attempt.should_give_way() && clock.mono() < end) std::this_thread::yield();
        EXPECT_TRUE(attempt.should_give_way());
        EXPECT_FALSE(attempt.stop_requested()) << "it is asked, not stopped";
      });
    });
    ASSERT_TRUE(worker->run());
  };
  work();
  EXPECT_EQ(seen, (Seen{0, 1, 2}));
  EXPECT_EQ(find(id).state, JobState::Ready);
  EXPECT_EQ(attempts(id).at(0).outcome, "paused");
  ASSERT_TRUE(store->resume("q"));
  work();
  EXPECT_EQ(seen, (Seen{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(find(id).state, JobState::Completed);
  EXPECT_EQ(find(id).counters.attempts, 2);
}

}  // namespace
}  // namespace galley::engine
