// Handlers that are coroutines: how they run, end and fail.

#include "engine/coroutine_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/describe.hpp>
#include <stdexcept>

#include "engine/worker_fixture.hpp"
#include "galley/payload.hpp"
#include "galley/testkit.hpp"

namespace galley::engine {
namespace {

struct Page {
  std::string url;
  int tries = 1;
};
BOOST_DESCRIBE_STRUCT(Page, (), (url, tries))

class Coroutine : public WorkerTest {};

Awaitable<Outcome> judge_page(Attempt& attempt, const Page& page) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  if (page.url == "gone") co_return Outcome::discard("it is gone");
  co_return attempt.number() < page.tries ? Outcome::fail("once more") : Outcome::done();
}

TEST_F(Coroutine, TakesTypedArgumentsAndSaysHowItEnded) {
  Queue queue(store, "q");
  const JobId good = queue.enqueue_json("page", Codec<Page>::encode({"here", 2}), at_once()).value();
  const JobId bad = queue.enqueue_json("page", Codec<Page>::encode({"gone", 1}), at_once()).value();
  JobOptions once;
  once.max_attempts = 1;
  const JobId broken = enqueue("page", once, "q", "[1]");
  Worker worker(store, drain());
  worker.handle<Page>("page", judge_page).pool("q", 3);
  const WorkerReport report = worker.run().value();
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(report.failed, 2);
  EXPECT_EQ(find(good).counters.errors, 1);
  EXPECT_EQ(find(bad).state, JobState::Discarded);
  EXPECT_EQ(find(broken).state, JobState::Dead);
  EXPECT_NE(find(broken).error.find("object"), std::string::npos) << find(broken).error;
}

Awaitable<std::optional<Outcome>> raw(Attempt& attempt, std::string_view payload) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  EXPECT_EQ(payload, "bytes \x01");
  EXPECT_EQ(attempt.kind(), "raw");
  attempt.log("it was here");
  EXPECT_TRUE(attempt.save_checkpoint("half"));
  if (attempt.number() == 1) co_return Outcome::pause();
  EXPECT_EQ(attempt.checkpoint(), "half");
  EXPECT_TRUE(attempt.result("whole"));
  co_return std::nullopt;
}

TEST_F(Coroutine, SavesAndTellsAsAnyHandler) {
  const JobId id = enqueue("raw", at_once(), "q", "bytes \x01");
  Worker worker(store, drain());
  worker.handle("raw", raw).pool("q", 1);
  EXPECT_EQ(worker.run().value().completed, 1);
  EXPECT_EQ(find(id).result, "whole");
  EXPECT_EQ(find(id).counters.pauses, 1);
  EXPECT_EQ(attempts(id).front().report.log, "it was here\n");
}

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Awaitable<void> throws(Attempt&, std::string_view payload) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  if (payload == "aborted") throw boost::system::system_error(asio::error::operation_aborted);
  throw Wrong("it went wrong");
}

TEST_F(Coroutine, WhatItThrowsIsTheAttemptsFailure) {
  JobOptions once;
  once.max_attempts = 1;
  const JobId wrong = enqueue("throws", once);
  const JobId aborted = enqueue("throws", once, "q", "aborted");
  Worker worker(store, drain());
  worker.handle("throws", throws).pool("q", 1);
  EXPECT_EQ(worker.run().value().dead, 2);
  EXPECT_EQ(find(wrong).error, "it went wrong");
  EXPECT_NE(attempts(wrong).front().report.error_class.find("Wrong"), std::string::npos);
  EXPECT_EQ(find(aborted).state, JobState::Dead) << "nobody had asked it to stop";
}

TEST_F(Coroutine, SharesAPoolWithPlainHandlersAndMayBeALambda) {
  const auto ran = std::make_shared<int>(0);
  for (int i = 0; i < 300; ++i) {
    enqueue("waits");
    enqueue("lambda");
    enqueue("alias");
    enqueue("plain");
  }
  Worker worker(store, drain());
  worker.pool("q", 3)
      .handle("waits", Nothing{})
      .alias("alias", "waits")
      .handle("lambda",
              [ran](Attempt&, std::string_view) -> Awaitable<void> {  // the worker keeps what it has captured
                asio::steady_timer timer(co_await asio::this_coro::executor, 10us);
                co_await timer.async_wait(asio::use_awaitable);
                ++*ran;
              })
      .handle("plain", [](Attempt&, std::string_view) {});
  EXPECT_THROW(worker.handle("plain", Nothing{}), Exception);
  EXPECT_THROW(worker.handle("waits", [](Attempt&, std::string_view) {}), Exception);
  EXPECT_THROW(worker.handle_coroutine("none", nullptr), Exception);
  EXPECT_EQ(worker.run().value().completed, 1'200);
  EXPECT_EQ(*ran, 300);
}

/// Doubles the payload, and says what it saw.
class Doubling : public CoroutineMiddleware {
 public:
  Doubling(std::string name, std::vector<std::string>& notes) : name_(std::move(name)), notes_(notes) {}
  AttemptCoroutine on_coroutine(Attempt&, std::string_view payload, NextCoroutine next) override {
    notes_.push_back(name_ + " begins");
    const std::string twice = std::string(payload) + std::string(payload);
    auto rest = next(twice);
    std::optional<Outcome> outcome = co_await std::move(rest);
    notes_.push_back(name_ + " ends");
    co_return outcome;
  }

 private:
  std::string name_;
  std::vector<std::string>& notes_;
};

struct Note {
  std::vector<std::string>* notes;
  Awaitable<void> operator()(Attempt&, std::string_view payload) const {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    notes->push_back(std::string(payload));
  }
};

TEST_F(Coroutine, MiddlewareStandsRoundItFromItsBeginningToItsEnd) {
  std::vector<std::string> notes;
  use(store, std::make_shared<Doubling>("outer", notes));
  use(store, std::make_shared<Doubling>("inner", notes));
  enqueue("k", {}, "q", "ab");
  Worker worker(store, drain());
  worker.handle("k", Note{&notes}).pool("q", 1);
  EXPECT_EQ(worker.run().value().completed, 1);
  EXPECT_EQ(notes, (std::vector<std::string>{"outer begins", "inner begins", "abababab", "inner ends", "outer ends"}));
}

TEST_F(Coroutine, IsRefusedWhereTheMiddlewareCannotStandRoundIt) {
  use(store, std::make_shared<CoroutineMiddleware>());
  use(store, std::make_shared<Middleware>());
  const JobId id = enqueue("k");
  Worker worker(store, drain());
  worker.handle("k", Nothing{}).pool("q", 1);
  const auto report = worker.run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::InvalidInput);
  EXPECT_NE(report.error().message.find("middleware 2 of 2"), std::string::npos) << report.error().message;
  EXPECT_EQ(find(id).state, JobState::Ready);
}

Awaitable<void> endless() {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

Awaitable<void> leaves_something(Attempt&, std::string_view) {
  const auto executor = co_await asio::this_coro::executor;
  auto left = endless();
  asio::co_spawn(executor, std::move(left), [](const std::exception_ptr&) {});
}

TEST_F(Coroutine, WhatItLeavesBehindDoesNotKeepTheWorkerFromEnding) {
  enqueue("k");
  Worker worker(store, drain());
  worker.handle("k", leaves_something).pool("q", 1);
  EXPECT_EQ(worker.run().value().completed, 1);
}

TEST(CoroutineDrain, RunsOnTheCallingThread) {
  const testkit::Clock clock;
  const StorePtr store = testkit::memory_store(clock);
  testkit::Drain drain(store, clock);
  Queue queue(store, "q");
  queue.enqueue("page", Page{"here", 1}).value();
  queue.enqueue_bytes("leaves", "").value();
  drain.worker().handle<Page>("page", judge_page).handle("leaves", leaves_something);
  EXPECT_EQ(drain.run().value().completed, 2);
}

}  // namespace
}  // namespace galley::engine
