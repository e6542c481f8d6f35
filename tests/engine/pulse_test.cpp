// The worker's sign of life.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/worker_fixture.hpp"

namespace galley::engine {
namespace {

using Pulse = WorkerTest;

TEST_F(Pulse, ComesFirstWhenTheWorkerHasJoinedAndThenAgainAndAgainWhileItIsIdle) {
  Event pulsed;
  bool joined = false;
  bool ran = false;
  WorkerOptions options;
  options.pulse_every = 10ms;
  options.on_pulse = [&](const WorkerPulse& pulse) {
    if (!joined) ran = pulse.busy > 0 || pulse.completed > 0;
    joined = store->workers().value().size() == 1;
    EXPECT_EQ(pulse.slots, 5);
    pulsed.set();
  };
  enqueue("k");
  const auto worker = make_worker(store, options, clock);
  worker->pool("q", 3).pool("p", 2).handle("k", [](Attempt&, std::string_view) {});
  std::jthread thread([&] { EXPECT_EQ(worker->run().value().completed, 1); });
  EXPECT_TRUE(pulsed.wait(20));
  worker->stop();
  thread.join();
  EXPECT_TRUE(joined);
  EXPECT_FALSE(ran) << "it had claimed before it said that it lives";
}

TEST_F(Pulse, TellsWhatTheWorkerDoes) {
  Event running;
  Event busy;
  Event stopping;
  WorkerOptions options;
  options.pulse_every = 10ms;
  options.shutdown_grace = 0s;
  options.on_pulse = [&](const WorkerPulse& pulse) {
    if (pulse.busy == 1 && pulse.completed == 1 && pulse.failed == 1 && pulse.dead == 1) busy.set();
    if (pulse.stopping) stopping.set();
  };
  enqueue("good");
  JobOptions once;
  once.max_attempts = 1;
  enqueue("bad", once);
  enqueue("long");
  const auto worker = make_worker(store, options, clock);
  worker->pool("q", 1);
  worker->handle("good", [](Attempt&, std::string_view) {});
  worker->handle("bad", [](Attempt&, std::string_view) { return Outcome::fail("no"); });
  worker->handle("long", [&](Attempt& attempt, std::string_view) {
    running.set();
    wait_for_stop(attempt);
    EXPECT_TRUE(stopping.wait());
  });
  std::jthread thread([&] { EXPECT_TRUE(worker->run()); });
  EXPECT_TRUE(running.wait());
  EXPECT_TRUE(busy.wait());
  worker->stop();
}

TEST_F(Pulse, RefusesAnIntervalThatItCannotKeep) {
  for (const Duration every : {Duration(0s), Duration(9ms), Duration(61min)}) {
    WorkerOptions options;
    options.pulse_every = every;
    EXPECT_EQ(make_worker(store, options, clock)->run().error().code, Errc::InvalidInput);
  }
}

}  // namespace
}  // namespace galley::engine
