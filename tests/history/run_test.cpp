// Real workers, producers and persons on threads, over each backend: what they did is written down, and is allowed.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "engine/worker_fixture.hpp"
#include "history/checker.hpp"
#include "history/recording_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::history {
namespace {

using namespace std::chrono_literals;

class HistoryOf : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<store::Store> open() {
    if (GetParam() == "memory") return store::open_memory(clock);
    store::SqliteOptions options;
    options.path = dir.file("store.db");
    options.clock = &clock;
    return store::open_sqlite(options).value();
  }
  /// Checks what stands in the journal.
  Checker checked() {
    Checker checker;
    EXPECT_TRUE(read_merged({dir.file("history")}, [&](const Event& event) { checker.add(event); }));
    checker.finish();
    return checker;
  }

  base::SystemClock clock;
  test::TempDir dir;
  Journal journal{dir.file("history"), "run", clock};
  StorePtr store = std::make_shared<RecordingStore>(open(), journal, clock);
};

void handle_all(Worker& worker) {
  worker.handle("plain", [](Attempt&, std::string_view) {});
  worker.handle("flaky", [](Attempt& attempt, std::string_view) {
    if (attempt.number() < 3) throw std::runtime_error("not yet");
  });
  worker.handle("hopeless", [](Attempt&, std::string_view) { return Outcome::fail("never"); });
  worker.handle("gives_way", [](Attempt& attempt, std::string_view) {
    if (attempt.number() > 2) return Outcome::done();
    return attempt.number() == 1 ? Outcome::pause() : Outcome::snooze(1ms);
  });
  worker.handle("endless", [](Attempt& attempt, std::string_view) { engine::wait_for_stop(attempt); });
  worker.pool("all", 3, "q");
}

/// Jobs of all kinds of lives, one by one and in bulk; some are cancelled at once, and some of those revived.
void produce(const StorePtr& store, int jobs) {
  Queue queue(store, "q");
  const JobOptions plain;
  for (int i = 0; i < jobs; ++i) {
    JobOptions tries = engine::at_once();
    tries.max_attempts = 4;
    ASSERT_TRUE(queue.enqueue_bytes("plain", "", plain));
    ASSERT_TRUE(queue.enqueue_bytes("flaky", "", tries));
    tries.max_attempts = 2;
    ASSERT_TRUE(queue.enqueue_bytes("hopeless", "", tries));
    ASSERT_TRUE(queue.enqueue_bytes("gives_way", "", tries));
    JobOptions later;
    later.delay = std::chrono::milliseconds(i % 40);
    later.unique.key = "u" + std::to_string(i % 3);
    ASSERT_TRUE(queue.enqueue_bytes("plain", "", later));
    const auto id = queue.enqueue_bytes(i % 4 == 0 ? "endless" : "plain", "", plain);
    ASSERT_TRUE(id);
    const std::vector<JobId> ids{*id};
    ASSERT_TRUE(store->cancel(ids));
    if (i % 8 == 1) {
      ASSERT_TRUE(store->retry(ids));
    }
  }
}

/// A worker that claims with a short lease, forgets, and speaks when it is too late.
void haunt(store::Store& store) {
  store::WorkerCard card;
  card.queues = {"q"};
  card.kinds = {"plain"};
  const auto worker = store.join(card);
  ASSERT_TRUE(worker);
  for (int i = 0; i < 5; ++i) {
    store::ClaimRequest request;
    request.worker = *worker;
    request.queues = {"q"};
    request.kinds = {{"plain", 2}};
    request.limit = 2;
    request.lease = 20ms;
    const auto claimed = store.claim(request);
    ASSERT_TRUE(claimed);
    const auto bell = store.bell();
    for (const job::Claim& claim : claimed->claims) {
      while (store.renew(std::vector<store::Renewal>{{claim.id, {}, {}}}, 1ms).value()[0].held) {
        (void)bell->wait(2ms);
        ASSERT_TRUE(store.step(100));
      }
      store::Finish late;
      late.claim = claim.id;
      late.counters = claim.counters;
      ++late.counters.attempts;
      ASSERT_TRUE(store.finish(std::vector<store::Finish>{late}));
    }
  }
  ASSERT_TRUE(store.leave(*worker));
}

TEST_P(HistoryOf, ManyThreadsIsAllowed) {
  {
    Worker one(store);
    Worker other(store);
    handle_all(one);
    handle_all(other);
    std::vector<std::jthread> threads;
    for (Worker* const worker : {&one, &other}) {
      threads.emplace_back([worker] { EXPECT_TRUE(worker->run()); });
    }
    std::vector<std::jthread> producers;
    for (int i = 0; i < 3; ++i) producers.emplace_back([this] { produce(store, 60); });
    producers.emplace_back([this] { haunt(*store); });
    producers.emplace_back([this] {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(i % 2 == 0 ? store->pause("q") : store->resume("q"));
    });
    producers.clear();
    one.stop();
    other.stop();
  }
  Worker rest(store, engine::drain());
  handle_all(rest);
  ASSERT_TRUE(rest.run());
  ASSERT_TRUE(write_end(*store, journal, false));
  const Checker checker = checked();
  EXPECT_EQ(checker.text(), "");
  EXPECT_GT(checker.acknowledged(), 900);
  EXPECT_GT(checker.claims(), 1'500);
}

/// Hands out a job that has completed once more, says that a late end was taken, or forgets a job.
class LyingStore : public engine::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override {
    auto answer = ForwardingStore::finish_and_claim(finishes, requests);
    if (!answer) return answer;
    for (auto& claimed : answer->claimed) {
      if (claimed.claims.empty() && first_ && !finishes.empty()) {
        job::Claim again = *std::exchange(first_, std::nullopt);
        again.id.epoch += 1'000;
        ++again.counters.attempts;
        claimed.claims.push_back(again);
      }
      if (!claimed.claims.empty() && !seen_) first_ = claimed.claims.front(), seen_ = true;
    }
    return answer;
  }

 private:
  std::optional<job::Claim> first_;
  bool seen_ = false;
};

TEST_P(HistoryOf, AStoreThatGivesAJobTwiceIsNotAllowed) {
  store = std::make_shared<RecordingStore>(std::make_unique<LyingStore>(open()), journal, clock);
  ASSERT_TRUE(Queue(store, "q").enqueue_bytes("plain", ""));
  Worker worker(store, engine::drain());
  handle_all(worker);
  ASSERT_TRUE(worker.run());
  ASSERT_TRUE(write_end(*store, journal, true));
  const Checker checker = checked();
  ASSERT_FALSE(checker.violations().empty());
  EXPECT_EQ(checker.violations()[0].invariant, "once") << checker.text();
}

TEST_P(HistoryOf, AKilledProcessEndsWithItsLastWholeLine) {
  ASSERT_TRUE(Queue(store, "q").enqueue_bytes("plain", ""));
  std::ofstream(dir.file("history"), std::ios::app) << R"({"at":1,"what":"enqu)";
  EXPECT_EQ(checked().acknowledged(), 1);
  std::ofstream(dir.file("history"), std::ios::app) << "\n";
  Checker checker;
  EXPECT_FALSE(read_merged({dir.file("history")}, [&](const Event& event) { checker.add(event); }));
}

INSTANTIATE_TEST_SUITE_P(Backends, HistoryOf, testing::Values("memory", "sqlite"),
                         [](const auto& suite) { return suite.param; });

}  // namespace
}  // namespace galley::history
