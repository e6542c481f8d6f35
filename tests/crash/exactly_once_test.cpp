// A worker whose handler writes a row and completes its job in one transaction, and a producer that writes a row and a
// job in one, killed with SIGKILL at every step: the two are there together, once, or not at all.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "galley/galley.hpp"
#include "galley/sqlite.hpp"
#include "store/app_connection.hpp"
#include "store/store.hpp"
#include "store/temp_dir.hpp"

namespace galley::test {
namespace {

enum class Step : std::uint8_t {
  BeforeTransaction,
  AfterBegin,
  AfterWrite,
  AfterEnqueue,
  AfterComplete,
  AfterCommit,
  AfterReturn,  ///< of the handler, before the worker has told the store of its end
  Never,
};

/// Runs `body` in a process of its own; answers the signal that ended it, 0: it returned true.
template <class Body>
int in_a_process(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    bool well = false;
    try {
      well = body();
    } catch (const std::exception& thrown) {
      (void)!write(STDERR_FILENO, thrown.what(), std::string_view(thrown.what()).size());
    }
    _exit(well ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

class Mortal {
 public:
  explicit Mortal(Step dies_at) : dies_at_(dies_at) {}
  void reached(Step step) const {
    if (step == dies_at_) raise(SIGKILL);
  }

 private:
  Step dies_at_;
};

class DiesBeforeTheEndIsTold : public Middleware {
 public:
  explicit DiesBeforeTheEndIsTold(Mortal mortal) : mortal_(mortal) {}
  std::optional<Outcome> on_attempt(Attempt&, std::string_view payload, const Next& next) override {
    auto outcome = next(payload);
    mortal_.reached(Step::AfterReturn);
    return outcome;
  }

 private:
  Mortal mortal_;
};

bool work(const std::string& path, Mortal mortal) {
  const auto store = open_store("sqlite:" + path).value();
  use(store, std::make_shared<DiesBeforeTheEndIsTold>(mortal));
  const AppConnection app(path);
  sqlite::Session session{store, app.raw()};
  WorkerOptions options;
  options.drain = true;
  Worker worker{store, options};
  worker.handle("ship", [&](Attempt& attempt, std::string_view) {
    mortal.reached(Step::BeforeTransaction);
    app.execute("BEGIN IMMEDIATE");
    mortal.reached(Step::AfterBegin);
    app.execute("INSERT INTO parcels VALUES (" + std::to_string(attempt.epoch()) + ")");
    mortal.reached(Step::AfterWrite);
    (void)session.enqueue("mails", "tell", attempt.id()).value();
    mortal.reached(Step::AfterEnqueue);
    session.complete(attempt).value();
    mortal.reached(Step::AfterComplete);
    app.execute("COMMIT");
    mortal.reached(Step::AfterCommit);
  });
  return worker.pool("q", 1).run().has_value();
}

bool produce(const std::string& path, Mortal mortal) {
  const auto store = open_store("sqlite:" + path).value();
  const AppConnection app(path);
  sqlite::Session session{store, app.raw()};
  app.execute("BEGIN IMMEDIATE");
  mortal.reached(Step::AfterBegin);
  app.execute("INSERT INTO parcels VALUES (1)");
  mortal.reached(Step::AfterWrite);
  (void)session.enqueue("q", "ship", 1).value();
  mortal.reached(Step::AfterEnqueue);
  app.execute("COMMIT");
  mortal.reached(Step::AfterCommit);
  return true;
}

class ExactlyOnce : public testing::TestWithParam<Step> {
 protected:
  /// The store is closed while other processes run: no connection may cross a fork.
  ExactlyOnce() {
    const auto store = open_store("sqlite:" + path_).value();
    AppConnection(path_).execute("CREATE TABLE parcels (epoch INTEGER)");
  }
  [[nodiscard]] std::int64_t number(const std::string& sql) const { return AppConnection(path_).number(sql); }
  void expect_sound() {
    const auto store = open_store("sqlite:" + path_).value();
    for (const auto& finding : store->examine(false).value()) {
      if (finding.code != "unserved") ADD_FAILURE() << finding.code << ": " << finding.what;
    }
  }

  TempDir dir_;
  const std::string path_ = dir_.file("shop.db");
};

using KilledWorker = ExactlyOnce;
TEST_P(KilledWorker, LeavesTheHandlersRowAndTheEndOfItsJobTogetherAndOnce) {
  {
    const auto store = open_store("sqlite:" + path_).value();
    ASSERT_TRUE(Queue(store, "q").enqueue("ship", 1));
  }
  ASSERT_EQ(in_a_process([this] { return work(path_, Mortal(GetParam())); }), GetParam() == Step::Never ? 0 : SIGKILL);
  const std::int64_t parcels = number("SELECT count(*) FROM parcels");
  EXPECT_EQ(number("SELECT count(*) FROM galley_jobs WHERE state = 'completed'"), parcels) << "right after the kill";
  EXPECT_EQ(parcels, GetParam() >= Step::AfterCommit ? 1 : 0);

  ASSERT_EQ(in_a_process([this] { return work(path_, Mortal(Step::Never)); }), 0);
  EXPECT_EQ(number("SELECT count(*) FROM parcels"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM galley_jobs WHERE state = 'completed'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM galley_jobs WHERE state = 'ready'"), 1) << "the mail it has enqueued";
  EXPECT_EQ(number("SELECT count(*) FROM galley_jobs WHERE id = 1 AND crashes = 1"), 1 - parcels);
  expect_sound();
}

using KilledProducer = ExactlyOnce;
TEST_P(KilledProducer, LeavesTheRowAndTheJobOrNeither) {
  ASSERT_EQ(in_a_process([this] { return produce(path_, Mortal(GetParam())); }),
            GetParam() == Step::Never ? 0 : SIGKILL);
  const std::int64_t expected = GetParam() >= Step::AfterCommit ? 1 : 0;
  EXPECT_EQ(number("SELECT count(*) FROM parcels"), expected);
  EXPECT_EQ(number("SELECT count(*) FROM galley_jobs WHERE state = 'ready'"), expected);
  expect_sound();
}

std::string name_of(const testing::TestParamInfo<Step>& info) {
  constexpr const char* kNames[] = {"BeforeTransaction", "AfterBegin",  "AfterWrite",  "AfterEnqueue",
                                    "AfterComplete",     "AfterCommit", "AfterReturn", "Never"};
  return kNames[static_cast<std::size_t>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(At, KilledWorker,
                         testing::Values(Step::BeforeTransaction, Step::AfterBegin, Step::AfterWrite,
                                         Step::AfterEnqueue, Step::AfterComplete, Step::AfterCommit, Step::AfterReturn,
                                         Step::Never),
                         name_of);
INSTANTIATE_TEST_SUITE_P(At, KilledProducer,
                         testing::Values(Step::AfterBegin, Step::AfterWrite, Step::AfterEnqueue, Step::AfterCommit,
                                         Step::Never),
                         name_of);

}  // namespace
}  // namespace galley::test
