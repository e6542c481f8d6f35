#include "galley/runtime/lifecycle.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <stop_token>

#include "base/event.hpp"
#include "galley/runtime/worker_pool.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;

LifecyclePart noting(std::string name, std::vector<std::string>& notes) {
  LifecyclePart part;
  part.name = name;
  part.stop_accepting = [&notes, name] { notes.push_back(name + " accepts no more"); };
  part.drain = [&notes, name](const std::function<void()>& drained) {
    notes.push_back(name + " drains");
    drained();
  };
  part.cancel = [&notes, name] { notes.push_back(name + " is cancelled"); };
  part.close = [&notes, name] { notes.push_back(name + " closes"); };
  return part;
}

/// Runs until the stop has ended.
StopReport run(boost::asio::io_context& io, Lifecycle& lifecycle) {
  StopReport ended;
  lifecycle.on_ended([&](const StopReport& report) { ended = report; });
  io.run();
  return ended;
}

TEST(Lifecycle, StopsItsPartsInReverseOrder) {
  boost::asio::io_context io;
  Lifecycle lifecycle(io.get_executor());
  std::vector<std::string> notes;
  ASSERT_TRUE(lifecycle.add(noting("store", notes)));
  ASSERT_TRUE(lifecycle.add(noting("server", notes)));
  lifecycle.on_stage([&](Stage stage) { notes.emplace_back(name(stage)); });
  lifecycle.started();
  lifecycle.stop("enough");
  const StopReport report = run(io, lifecycle);
  EXPECT_EQ(notes,
            (std::vector<std::string>{"draining", "server accepts no more", "store accepts no more", "server drains",
                                      "store drains", "ended", "server closes", "store closes"}));
  EXPECT_EQ(report.reason, "enough");
  EXPECT_EQ(report.hurried, 0);
  EXPECT_TRUE(report.cancelled.empty() && report.abandoned.empty() && report.failed.empty());
  EXPECT_EQ(lifecycle.exit_code(), 0);
  EXPECT_EQ(lifecycle.stage(), Stage::Ended);
  EXPECT_EQ(lifecycle.add(noting("late", notes)).error().code, Errc::WrongState);
}

TEST(Lifecycle, CancelsWhatTakesTooLongAndReportsWhatDoesNotEndEvenThen) {
  boost::asio::io_context io;
  LifecycleOptions options;
  options.drain = 1ms;
  options.cancel = 1ms;
  Lifecycle lifecycle(io.get_executor(), options);
  std::vector<std::string> notes;
  auto stubborn = noting("pool", notes);
  stubborn.drain = [](const std::function<void()>&) {};
  stubborn.left = [] { return std::string("2 tasks"); };
  ASSERT_TRUE(lifecycle.add(stubborn));
  auto obedient = noting("server", notes);
  auto tell = std::make_shared<std::function<void()>>();
  obedient.drain = [tell](std::function<void()> drained) { *tell = std::move(drained); };
  obedient.cancel = [tell] { (*tell)(); };
  ASSERT_TRUE(lifecycle.add(obedient));
  lifecycle.stop("enough");
  const StopReport report = run(io, lifecycle);
  EXPECT_EQ(report.cancelled, (std::vector<std::string>{"server", "pool"}));
  EXPECT_EQ(report.abandoned, (std::vector<std::string>{"pool: 2 tasks"}));
  EXPECT_EQ(notes.back(), "pool closes");
  EXPECT_EQ(lifecycle.exit_code(), 1);
}

TEST(Lifecycle, IsHurriedByASecondStop) {
  boost::asio::io_context io;
  LifecycleOptions options;
  options.not_ready = 1h;
  Lifecycle lifecycle(io.get_executor(), options);
  std::vector<std::string> notes;
  auto part = noting("server", notes);
  part.drain = [](const std::function<void()>&) {};
  ASSERT_TRUE(lifecycle.add(part));
  lifecycle.on_stage([&](Stage stage) {
    notes.emplace_back(name(stage));
    if (stage == Stage::NotReady) lifecycle.stop("again");
    if (stage == Stage::Cancelling) lifecycle.stop("now");
  });
  lifecycle.stop("first", 3);
  const StopReport report = run(io, lifecycle);
  EXPECT_EQ(report.reason, "first");
  EXPECT_EQ(report.hurried, 2);
  EXPECT_EQ(report.abandoned, (std::vector<std::string>{"server"}));
  EXPECT_EQ(lifecycle.exit_code(), 3);
  EXPECT_EQ(notes, (std::vector<std::string>{"not_ready", "cancelling", "server accepts no more", "server is cancelled",
                                             "ended", "server closes"}));
}

TEST(Lifecycle, GoesOnWhereAHookThrowsAndSaysWhatItSaid) {
  boost::asio::io_context io;
  Lifecycle lifecycle(io.get_executor());
  std::vector<std::string> notes;
  ASSERT_TRUE(lifecycle.add(noting("store", notes)));
  auto broken = noting("cache", notes);
  broken.drain = [](const std::function<void()>&) { throw std::runtime_error("no disk"); };
  broken.close = [] { throw 7; };
  ASSERT_TRUE(lifecycle.add(broken));
  lifecycle.stop("enough");
  const StopReport report = run(io, lifecycle);
  EXPECT_EQ(report.failed,
            (std::vector<std::string>{"cache: drain: no disk", "cache: close: an exception without a text"}));
  EXPECT_EQ(notes.back(), "store closes");
  EXPECT_EQ(lifecycle.exit_code(), 1);
}

TEST(Lifecycle, IsReadyOnceItWasStartedAndNothingSpeaksAgainstIt) {
  boost::asio::io_context io;
  LifecycleOptions options;
  options.not_ready = 1h;
  Lifecycle lifecycle(io.get_executor(), options);
  EXPECT_EQ(lifecycle.readiness().reason, "process: starting");
  lifecycle.set_not_ready("store", "no answer");
  lifecycle.started();
  EXPECT_FALSE(lifecycle.readiness().yes);
  EXPECT_EQ(lifecycle.readiness().reason, "store: no answer");
  lifecycle.set_ready("store");
  EXPECT_TRUE(lifecycle.readiness().yes);
  lifecycle.stop("SIGTERM");  // before the loop gets round to it
  lifecycle.started();
  EXPECT_FALSE(lifecycle.readiness().yes);
  EXPECT_EQ(lifecycle.readiness().reason, "process: stopping: SIGTERM");
  EXPECT_TRUE(lifecycle.liveness().yes);
  lifecycle.set_not_live("loop", "stuck");
  EXPECT_EQ(lifecycle.liveness().reason, "loop: stuck");
  lifecycle.set_live("loop");
  EXPECT_TRUE(lifecycle.liveness().yes);
}

TEST(Lifecycle, TouchesNoSignalUnlessItIsAskedTo) {
  boost::asio::io_context io;
  struct sigaction before {};
  Lifecycle lifecycle(io.get_executor());
  lifecycle.started();
  sigaction(SIGTERM, nullptr, &before);
  EXPECT_EQ(before.sa_handler, SIG_DFL);
}

TEST(Lifecycle, StopsOnASignalAndIsHurriedByTheNext) {
  boost::asio::io_context io;
  Lifecycle lifecycle(io.get_executor());
  std::vector<std::string> notes;
  auto part = noting("server", notes);
  part.drain = [](const std::function<void()>&) { raise(SIGINT); };
  part.cancel = [] { raise(SIGTERM); };
  ASSERT_TRUE(lifecycle.add(part));
  ASSERT_TRUE(lifecycle.stop_on_signals());
  boost::asio::post(io, [] { raise(SIGTERM); });
  const StopReport report = run(io, lifecycle);
  EXPECT_EQ(report.reason, "SIGTERM");
  EXPECT_EQ(report.hurried, 2);
  struct sigaction after {};
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_DFL);  // given back
}

TEST(Lifecycle, DoesNothingOnceItIsGone) {
  boost::asio::io_context io;
  std::vector<std::string> notes;
  {
    Lifecycle lifecycle(io.get_executor());
    ASSERT_TRUE(lifecycle.add(noting("server", notes)));
    lifecycle.stop("enough");
  }
  io.run();
  EXPECT_TRUE(notes.empty());
}

TEST(Lifecycle, RunsWhatAPoolHasAcceptedAndAsksTheRestToStop) {
  boost::asio::io_context io;
  LifecycleOptions options;
  options.drain = 300ms;
  Lifecycle lifecycle(io.get_executor(), options);
  PoolOptions one;
  one.workers = 1;
  WorkerPool pool(one);
  std::atomic<bool> ran{false};
  test::Event draining, stopped;
  lifecycle.on_stage([&](Stage stage) {
    if (stage == Stage::Draining) draining.set();
  });
  ASSERT_EQ(pool.try_submit([&] { ASSERT_TRUE(draining.wait()); }), Submitted::Accepted);
  ASSERT_EQ(pool.try_submit([&] { ran = true; }), Submitted::Accepted);
  ASSERT_EQ(pool.try_submit([&](TaskContext& context) {
    const std::stop_callback told(context.stop_token(), [&] { stopped.set(); });
    ASSERT_TRUE(stopped.wait());
  }),
            Submitted::Accepted);
  ASSERT_TRUE(lifecycle.add(part_of(pool)));
  lifecycle.stop("enough");
  const StopReport report = run(io, lifecycle);
  EXPECT_TRUE(ran);
  EXPECT_EQ(report.cancelled, (std::vector<std::string>{"pool"}));
  EXPECT_TRUE(report.abandoned.empty());
  EXPECT_TRUE(pool.closed());
  EXPECT_EQ(lifecycle.exit_code(), 0);
}

TEST(Lifecycle, APartThatAnswersWhenTheLoopIsGoneIsNotHeard) {
  std::function<void()> answer;
  {
    boost::asio::io_context io;
    LifecycleOptions options;
    options.drain = 0ms;
    options.cancel = 0ms;
    Lifecycle lifecycle(io.get_executor(), options);
    LifecyclePart stubborn;
    stubborn.name = "pool";
    stubborn.drain = [&answer](const std::function<void()>& drained) { answer = drained; };
    ASSERT_TRUE(lifecycle.add(stubborn));
    lifecycle.stop("enough");
    EXPECT_EQ(run(io, lifecycle).abandoned, std::vector<std::string>{"pool"});
  }
  ASSERT_TRUE(answer);
  answer();  // a sanitizer sees what it would touch
}

TEST(Lifecycle, TheProcessesOwnConditionIsNobodyElses) {
  boost::asio::io_context io;
  Lifecycle lifecycle(io.get_executor());
  lifecycle.stop("enough");
  lifecycle.set_ready("process");
  EXPECT_FALSE(lifecycle.readiness().yes);
  EXPECT_EQ(lifecycle.readiness().reason, "process: stopping: enough");
}

TEST(Lifecycle, RefusesTimesThatItCannotKeep) {
  boost::asio::io_context io;
  LifecycleOptions options;
  options.drain = -1s;
  EXPECT_THROW(Lifecycle(io.get_executor(), options), Exception);
}

}  // namespace
}  // namespace galley
