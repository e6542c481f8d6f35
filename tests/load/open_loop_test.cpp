#include "load/open_loop.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>

namespace galley::load {
namespace {

using namespace std::chrono_literals;

/// A server in time that is made up: it answers each request `service` after it was sent, or when its stall is over.
class Simulated {
 public:
  Simulated(std::string_view rate, Duration duration, int connections, Moment deadline = 0s)
      : loop_(Plan(stretches_from(rate, duration).value()), connections, deadline) {}

  Moment service = 100us;
  Moment stall_from{0}, stall_to{0};
  Moment taken_up_late{0};  ///< the generator's own fault
  int status = 200;

  Report run() {
    while (!loop_.over()) {
      const auto next = loop_.next();
      const bool plan_first = next && (answers_.empty() || *next + taken_up_late <= answers_.begin()->first);
      if (plan_first) {
        now_ = std::max(now_, *next + taken_up_late);
        for (const int connection : loop_.due(now_, 1'000)) send(connection);
      } else {
        const auto [at, connection] = *answers_.begin();
        answers_.erase(answers_.begin());
        now_ = at;
        if (loop_.ended(connection, now_, {Outcome::Kind::Answered, status})) send(connection);
      }
    }
    return loop_.report();
  }

 private:
  void send(int connection) {
    Moment answer = now_ + service;
    if (answer >= stall_from && answer < stall_to) answer = stall_to;
    answers_.emplace(answer, connection);
  }

  OpenLoop loop_;
  Moment now_{0};
  std::multimap<Moment, int> answers_;
};

double milliseconds(Moment time) { return std::chrono::duration<double, std::milli>(time).count(); }

TEST(OpenLoop, GoodIsWhatWasAnsweredWellWithinTheDeadline) {
  Simulated server("1000", 30s, 2'000, 200ms);
  server.stall_from = 10s;
  server.stall_to = 11s;
  const Report report = server.run();
  EXPECT_EQ(report.good, 29'200);  // who came in the first 800 ms of the stall waited longer
  EXPECT_EQ(report.ok.count(), 30'000);
  EXPECT_EQ(to_json(report).at("good_per_second").as_double(), 29'200 / 30.0);
  EXPECT_NE(to_text(report).find("good, within 200ms: 29200, 973.3/s"), std::string::npos) << to_text(report);

  Simulated refusing("1000", 1s, 10, 200ms);
  refusing.status = 503;
  EXPECT_EQ(refusing.run().good, 0);
  EXPECT_EQ(refusing.run().ok.count(), 0);

  EXPECT_EQ(Simulated("1000", 1s, 10).run().good, 1'000);  // without a deadline: all
}

TEST(OpenLoop, AStallOfASecondIsFeltByAllWhoComeInIt) {
  Simulated server("1000", 30s, 2'000);
  server.stall_from = 10s;
  server.stall_to = 11s;
  const Report report = server.run();
  EXPECT_EQ(report.answered(), 30'000);
  EXPECT_NEAR(milliseconds(report.response.quantile(0.99)), 700, 14);
  EXPECT_NEAR(milliseconds(report.response.quantile(0.999)), 970, 19.4);
  EXPECT_NEAR(milliseconds(report.response.quantile(0.5)), 0.1, 0.002);
  EXPECT_TRUE(report.valid());
}

TEST(OpenLoop, FewConnectionsHideTheStallFromServiceTimesButNotFromResponseTimes) {
  Simulated server("1000", 30s, 1);
  server.stall_from = 10s;
  server.stall_to = 11s;
  const Report report = server.run();
  EXPECT_EQ(report.answered(), 30'000);
  EXPECT_NEAR(milliseconds(report.response.quantile(0.999)), 1'070, 120);  // those who queued wait for each other too
  EXPECT_LT(report.service.quantile(0.999), 1ms);
  EXPECT_GE(report.service.max(), 999ms);
}

TEST(OpenLoop, AServerThatIsTooSlowDoesNotSlowThePlan) {
  Simulated server("1000", 1s, 10);
  server.service = 100ms;  // 100 a second
  const Report report = server.run();
  EXPECT_EQ(report.taken_up, 1'000);
  EXPECT_EQ(report.answered(), 1'000);
  EXPECT_NEAR(milliseconds(report.response.max()), 9'000, 200);
  EXPECT_NEAR(milliseconds(report.length), 10'000, 200);
}

TEST(OpenLoop, AGeneratorThatIsLateSaysSoAndTheRunIsInvalid) {
  Simulated server("100", 1s, 10);
  server.taken_up_late = 3ms;
  const Report report = server.run();
  EXPECT_EQ(report.late, 100);
  EXPECT_FALSE(report.valid());
  EXPECT_NEAR(milliseconds(report.lateness.quantile(0.5)), 3, 0.05);
  EXPECT_NE(to_text(report).find("INVALID"), std::string::npos);
  EXPECT_FALSE(to_json(report).at("valid").as_bool());
}

TEST(OpenLoop, TimesThatNoRequestHadAreShownAsNone) {
  Report report;
  report.taken_up = 1;
  report.lateness.add(1ms);
  const std::string text = to_text(report);
  const std::string none = "          -          -          -          -          -          -\n";
  EXPECT_NE(text.find("response  " + none), std::string::npos) << text;
  EXPECT_NE(text.find("service   " + none), std::string::npos) << text;
  EXPECT_EQ(text.find("lateness  " + none), std::string::npos) << text;
}

TEST(OpenLoop, TheConnectionThatBecameFreeLastIsTakenFirst) {
  OpenLoop loop(Plan(stretches_from("1000", 1s).value()), 3);
  EXPECT_EQ(loop.due(0ms, 10), std::vector<int>{0});
  EXPECT_EQ(loop.due(1ms, 10), std::vector<int>{1});
  EXPECT_FALSE(loop.ended(0, 1ms, {}));
  EXPECT_EQ(loop.due(2ms, 10), std::vector<int>{0});
}

TEST(OpenLoop, WhatWaitsIsServedInItsOrderAndGivenUpByAStop) {
  OpenLoop loop(Plan(stretches_from("1000", 1s).value()), 1);
  EXPECT_EQ(loop.due(4ms, 10).size(), 1U);
  EXPECT_TRUE(loop.ended(0, 10ms, {}));
  EXPECT_TRUE(loop.ended(0, 20ms, {}));
  loop.stop(20ms);
  EXPECT_FALSE(loop.over());
  EXPECT_FALSE(loop.ended(0, 30ms, {Outcome::Kind::TimedOut, 0}));
  EXPECT_TRUE(loop.over());
  const Report& report = loop.report();
  EXPECT_EQ(report.taken_up, 5);
  EXPECT_EQ(report.unsent, 2);
  EXPECT_EQ(report.failed(), 3);
  EXPECT_NEAR(milliseconds(report.response.max()), 28, 0.3);
  EXPECT_EQ(report.planned_length, 20ms);
}

TEST(OpenLoop, ATurnTakesUpNoMoreThanItWasTold) {
  OpenLoop loop(Plan(stretches_from("1000", 1s).value()), 100);
  EXPECT_EQ(loop.due(50ms, 7).size(), 7U);
  EXPECT_EQ(loop.report().taken_up, 7);
}

}  // namespace
}  // namespace galley::load
