#include "engine/executor.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "engine/command.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

class ExecutorTest : public testing::Test {
 protected:
  std::shared_ptr<RunningAttempt> attempt_of(job::Content content = job::Content::Bytes, std::string payload = {}) {
    job::Claim claim;
    claim.id = {7, 3};
    claim.kind = "k";
    claim.content = content;
    claim.payload = std::move(payload);
    return std::make_shared<RunningAttempt>(std::move(claim), std::nullopt, clock, [this] { ++news; });
  }
  AttemptEnd run(Handler handler, RunningAttempt& attempt) {
    return Executor({{"k", std::move(handler)}}, {}, clock).execute(attempt);
  }

  base::ManualClock clock;
  int news = 0;
};

TEST_F(ExecutorTest, SaysWhetherTheHandlerLookedAtTheStop) {
  const auto blind = attempt_of();
  EXPECT_FALSE(run(
                   [&](Attempt& a, std::string_view) -> std::optional<Outcome> {
                     EXPECT_FALSE(a.stop_requested());
                     blind->request_stop();
                     return {};
                   },
                   *blind)
                   .saw_stop);
  const auto looked = attempt_of();
  EXPECT_TRUE(run(
                  [&](Attempt& a, std::string_view) -> std::optional<Outcome> {
                    looked->request_stop();
                    EXPECT_TRUE(a.stop_requested());
                    return {};
                  },
                  *looked)
                  .saw_stop);
  const auto token = attempt_of();
  EXPECT_TRUE(run(
                  [&](Attempt& a, std::string_view) -> std::optional<Outcome> {
                    const auto taken = a.stop_token();
                    token->request_stop();
                    EXPECT_TRUE(taken.stop_requested());
                    return {};
                  },
                  *token)
                  .saw_stop);
  const auto unasked = attempt_of();
  EXPECT_FALSE(run(
                   [](Attempt& a, std::string_view) -> std::optional<Outcome> {
                     static_cast<void>(a.stop_token());
                     return {};
                   },
                   *unasked)
                   .saw_stop);
}

TEST_F(ExecutorTest, AnExceptionIsAnImpliedFailureAndAnOutcomeIsNot) {
  const auto attempt = attempt_of();
  AttemptEnd end =
      run([](Attempt&, std::string_view) -> std::optional<Outcome> { throw std::logic_error("x"); }, *attempt);
  EXPECT_TRUE(end.implied);
  EXPECT_EQ(end.outcome->kind(), Outcome::Kind::Failed);
  EXPECT_EQ(end.outcome->text(), "x");
  end = run([](Attempt&, std::string_view) { return Outcome::fail("x"); }, *attempt);
  EXPECT_FALSE(end.implied);
}

TEST_F(ExecutorTest, AnExceptionsTypeIsItsErrorClass) {
  const auto attempt = attempt_of();
  const auto thrown = [&](auto what) {
    return run([what](Attempt&, std::string_view) -> std::optional<Outcome> { throw what; }, *attempt);
  };
  EXPECT_EQ(thrown(std::out_of_range("x")).report.error_class, "std::out_of_range");
  EXPECT_EQ(thrown(42).report.error_class, "int");
  EXPECT_EQ(thrown(galley::Error{}).report.error_class, "galley::Error");
}

TEST_F(ExecutorTest, AKindWithoutAHandlerHasAnErrorClass) {
  EXPECT_EQ(Executor({}, {}, clock).execute(*attempt_of()).report.error_class, "no_handler");
}

TEST_F(ExecutorTest, ACommandsEndIsItsErrorClass) {
  const auto class_of = [&](std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    const auto attempt = attempt_of(job::Content::Command, command_job(command, "k").value().payload);
    const Executor executor({}, AllowedPrograms::resolve(true, {}, "/usr/bin:/bin").value(), clock);
    return executor.execute(*attempt).report.error_class;
  };
  EXPECT_EQ(class_of({"true"}), "");
  EXPECT_EQ(class_of({"sh", "-c", "exit 3"}), "exit:3");
  EXPECT_EQ(class_of({"sh", "-c", "kill -KILL $$"}), "signal:SIGKILL");
  EXPECT_EQ(class_of({"/no/such/program"}), "not_started");
}

TEST_F(ExecutorTest, MeasuresTheRunTimeOnTheMonotonicClock) {
  const auto attempt = attempt_of();
  const AttemptEnd end = run(
      [&](Attempt&, std::string_view) -> std::optional<Outcome> {
        clock.advance(3s);
        clock.step_wall(1h);
        return {};
      },
      *attempt);
  EXPECT_EQ(end.report.run_time, 3s);
}

TEST_F(ExecutorTest, NewsAreAnnouncedOnceAndToldOnce) {
  const auto attempt = attempt_of();
  EXPECT_FALSE(attempt->renewal().progress.has_value());
  attempt->progress("1");
  attempt->progress("2");
  EXPECT_EQ(news, 1);
  EXPECT_EQ(attempt->renewal().progress, "2");
  EXPECT_EQ(attempt->renewal().progress, "2") << "the first one did not arrive";
  attempt->progress("3");
  EXPECT_EQ(news, 2);
  attempt->told();
  EXPECT_EQ(attempt->renewal().progress, "3") << "came after the renewal that arrived";
  attempt->told();
  EXPECT_FALSE(attempt->renewal().progress.has_value());
}

TEST_F(ExecutorTest, ACheckpointIsKeptAtTheEndWhereNoRenewalHasToldIt) {
  const auto attempt = attempt_of();
  EXPECT_TRUE(attempt->save_checkpoint("a").has_value());
  AttemptEnd end;
  attempt->collect(end);
  EXPECT_EQ(end.checkpoint, "a");
  EXPECT_EQ(attempt->renewal().checkpoint, "a");
  attempt->told();
  AttemptEnd later;
  attempt->collect(later);
  EXPECT_FALSE(later.checkpoint.has_value());
}

TEST_F(ExecutorTest, TheLogKeepsItsTail) {
  const auto attempt = attempt_of();
  for (int i = 0; i < 5000; ++i) attempt->log("line " + std::to_string(i));
  AttemptEnd end;
  attempt->collect(end);
  EXPECT_LE(end.report.log.size(), limits::kMaxLogBytes);
  EXPECT_TRUE(end.report.log.ends_with("line 4999\n"));
}

TEST_F(ExecutorTest, ACommandAskedToStopBeforeItStartsEndsAtOnce) {
  Command sleep;
  sleep.argv = {"sleep", "1000"};
  const auto attempt = attempt_of(job::Content::Command, command_job(sleep, "k").value().payload);
  attempt->request_stop();
  const Executor executor({}, AllowedPrograms::resolve(true, {}, "/usr/bin:/bin").value(), clock);
  const AttemptEnd end = executor.execute(*attempt);
  EXPECT_TRUE(end.saw_stop);
  EXPECT_TRUE(end.command);
  EXPECT_EQ(end.report.signal, 15);
}

TEST_F(ExecutorTest, AKillBeforeTheCommandStartsIsNotForgotten) {
  Command sleep;
  sleep.argv = {"sleep", "1000"};
  const auto attempt = attempt_of(job::Content::Command, command_job(sleep, "k").value().payload);
  attempt->kill();
  const Executor executor({}, AllowedPrograms::resolve(true, {}, "/usr/bin:/bin").value(), clock);
  EXPECT_EQ(executor.execute(*attempt).report.signal, 9);
}

TEST_F(ExecutorTest, ACommandThatIsNotAllowedOrRubbishFailsWithoutRunning) {
  Command sleep;
  sleep.argv = {"sleep", "1000"};
  const auto attempt = attempt_of(job::Content::Command, command_job(sleep, "k").value().payload);
  const Executor executor({}, AllowedPrograms::resolve(false, {"true"}, "/usr/bin:/bin").value(), clock);
  EXPECT_EQ(executor.execute(*attempt).outcome->kind(), Outcome::Kind::Failed);
  EXPECT_EQ(executor.execute(*attempt).report.error_class, "not_started");
  const auto rubbish = attempt_of(job::Content::Command, "rubbish");
  EXPECT_EQ(executor.execute(*rubbish).outcome->kind(), Outcome::Kind::Failed);
}

}  // namespace
}  // namespace galley::engine
