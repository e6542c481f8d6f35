#include "load/http_load.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <mutex>

#include "base/clock.hpp"
#include "load/server.hpp"

namespace galley::load {
namespace {

using namespace std::chrono_literals;
using test::ok;
using test::Server;
namespace http = boost::beast::http;

class HttpLoadTest : public testing::Test {
 protected:
  Report run(const std::string& url, std::string_view rate, const std::function<void(HttpLoad&)>& change = {}) {
    HttpLoad load{target_from(url).value(), {}, 10, 5s};
    if (change) change(load);
    auto report = run_http(load, Plan(stretches_from(rate, std::nullopt).value()), clock_, stopping_);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : Report{};
  }

  base::SystemClock clock_;
  std::atomic<bool> stopping_{false};
};

TEST_F(HttpLoadTest, SendsWhatWasPlannedOverKeptConnections) {
  std::atomic<int> seen{0};
  Server server([&](const Server::Request& request) {
    if (request.target() == "/a?b=c" && request[http::field::host].starts_with("127.0.0.1:")) ++seen;
    return std::optional(ok(request));
  });
  const Report report = run(server.url("/a?b=c"), "500:200ms");
  EXPECT_EQ(seen, 100);
  EXPECT_EQ(report.taken_up, 100);
  EXPECT_EQ(report.statuses.at(200), 100);
  EXPECT_EQ(report.failed(), 0);
  EXPECT_LE(server.accepted(), 10);
  EXPECT_EQ(report.response.count(), 100);
  EXPECT_GE(report.response.max(), report.service.max());
}

TEST_F(HttpLoadTest, SendsTheMethodHeadersAndBodyItWasGiven) {
  std::atomic<int> right{0};
  Server server([&](const Server::Request& request) {
    if (request.method() == http::verb::put && request["X-Tenant"] == "ann" && request.body() == "hello") ++right;
    return std::optional(ok(request, http::status::service_unavailable));
  });
  const Report report = run(server.url("/"), "100:50ms", [](HttpLoad& load) {
    load.request = {"PUT", {{"X-Tenant", "ann"}}, "hello"};
  });
  EXPECT_EQ(right, 5);
  EXPECT_EQ(report.statuses.at(503), 5);
}

TEST_F(HttpLoadTest, AStalledServerDoesNotHoldUpTheMoments) {
  std::promise<void> never;
  std::atomic<int> seen{0};
  Server server([&](const Server::Request& request) {
    if (++seen == 1) never.get_future().wait_for(60ms);  // the stall
    return std::optional(ok(request));
  });
  const Report report = run(server.url("/"), "1000:50ms", [](HttpLoad& load) { load.connections = 1; });
  EXPECT_EQ(report.answered(), 50);
  EXPECT_GE(report.response.quantile(0.5), 30ms);  // those of the first 25 ms waited for the end of the stall at 60 ms
  EXPECT_LT(report.service.quantile(0.5), report.response.quantile(0.5));
}

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// Of N requests at R a second, those that come in a stall of S seconds wait for its end: (S - x) * R of them for more
/// than x. So the part 1 - q of all of them waits for more than S - (1 - q) * N / R.
TEST_F(HttpLoadTest, AStallOfASecondIsFeltByAllWhoComeInIt) {
  constexpr double kSeconds = 4;
  constexpr int kRequests = 1'200;
  std::promise<void> never;
  std::mutex answering;
  int seen = 0;
  Duration stall{0};
  Server server([&](const Server::Request& request) {
    const std::lock_guard lock(answering);
    if (++seen == kRequests / 4) {
      const auto began = clock_.mono();
      never.get_future().wait_for(1s);
      stall = clock_.mono() - began;
    }
    return std::optional(ok(request));
  });
  const Report report = run(server.url("/"), "300:4s", [](HttpLoad& load) { load.connections = 8; });
  EXPECT_EQ(report.statuses.at(200), kRequests);
  for (const double q : {0.8, 0.9, 0.95, 0.99}) {
    const double expected = seconds(stall) - (1 - q) * kSeconds;
    const double felt = std::chrono::duration<double>(report.response.quantile(q)).count();
    EXPECT_GE(felt, expected - 0.05) << q;
    EXPECT_LE(felt, expected + 0.5) << q << ": what had gathered takes a while, on a busy machine";
  }
  EXPECT_LT(report.service.quantile(0.9), report.response.quantile(0.9)) << "eight alone were on their way";
}

TEST_F(HttpLoadTest, AServerThatIsNotThereRefusesEachRequest) {
  unsigned short port = 0;
  {
    port = Server([](const Server::Request& request) { return std::optional(ok(request)); }).port();
  }
  const Report report = run("http://127.0.0.1:" + std::to_string(port) + "/", "100:100ms");
  EXPECT_EQ(report.outcomes[static_cast<std::size_t>(Outcome::Kind::Refused)], 10);
  EXPECT_EQ(report.failed(), 10);
}

/// Whether it was stopped is looked at every 50 ms: often, here, just as the last answer comes.
TEST_F(HttpLoadTest, ATestThatIsOverEndsWhateverElseIsDueThen) {
  Server server([](const Server::Request& request) { return std::optional(ok(request)); });
  for (int i = 0; i < 40; ++i) EXPECT_EQ(run(server.url("/"), "4000:50ms").answered(), 200);
}

TEST_F(HttpLoadTest, AConnectionThatBreaksCostsItsRequestAndIsMadeAnew) {
  std::atomic<int> count{0};
  Server server(
      [&](const Server::Request& request) { return ++count % 2 == 0 ? std::nullopt : std::optional(ok(request)); });
  const Report report = run(server.url("/"), "100:100ms", [](HttpLoad& load) { load.connections = 1; });
  EXPECT_EQ(report.answered(), 5);
  EXPECT_EQ(report.outcomes[static_cast<std::size_t>(Outcome::Kind::Broken)], 5);
}

TEST_F(HttpLoadTest, ARequestWithoutAnAnswerTimesOut) {
  std::promise<void> go;
  const std::shared_future<void> released = go.get_future().share();
  Server server([&](const Server::Request& request) {
    released.wait();
    return std::optional(ok(request));
  });
  const Report report = run(server.url("/"), "100:30ms", [](HttpLoad& load) { load.timeout = 40ms; });
  go.set_value();
  EXPECT_EQ(report.outcomes[static_cast<std::size_t>(Outcome::Kind::TimedOut)], 3);
  EXPECT_GE(report.service.quantile(0.01), 40ms);
}

TEST_F(HttpLoadTest, AnAnswerMayCloseItsConnectionAndMayBeLarge) {
  Server server([](const Server::Request& request) {
    auto response = ok(request);
    response.keep_alive(false);
    response.body() = std::string(1 << 20, 'x');
    return std::optional(std::move(response));
  });
  const Report report = run(server.url("/"), "100:50ms");
  EXPECT_EQ(report.answered(), 5);
  EXPECT_EQ(server.accepted(), 5);
}

TEST_F(HttpLoadTest, ATestThatIsStoppedReportsWhatItHasSeen) {
  Server server([&](const Server::Request& request) {
    stopping_ = true;
    return std::optional(ok(request));
  });
  const Report report = run(server.url("/"), "10:1h");
  EXPECT_GE(report.answered(), 1);
  EXPECT_LT(report.taken_up, 36'000);
}

TEST(HttpTarget, ReadsHostPortPathAndQuery) {
  const auto target = target_from("http://[::1]:8080/a%20b?c=d").value();
  EXPECT_EQ(target.host, "::1");
  EXPECT_EQ(target.port, "8080");
  EXPECT_EQ(target.path, "/a%20b?c=d");
  EXPECT_EQ(target.authority, "[::1]:8080");
  EXPECT_EQ(target_from("http://localhost").value().path, "/");
  EXPECT_EQ(target_from("http://localhost").value().port, "80");
}

TEST(HttpTarget, WhatIsNoPlainHttpUrlIsRefused) {
  for (const char* url : {"", "localhost:8080", "https://localhost/", "http://", "http:///x", "http://a:b@host/",
                          "http://host:0/", "http://host:70000/", "http://host:99999/", "http://host:4294967376/",
                          "http://host:80:80/x", "http://ho st/", "/path"}) {
    const auto target = target_from(url);
    ASSERT_FALSE(target) << url;
    EXPECT_EQ(target.error().code, Errc::InvalidInput);
    EXPECT_NE(target.error().message.find(url), std::string::npos);
  }
}

TEST(HttpRequest, ARequestThatHttpCannotSayIsRefused) {
  EXPECT_TRUE(validate(HttpRequest{}));
  EXPECT_FALSE(validate(HttpRequest{"GET /", {}, ""}));
  EXPECT_FALSE(validate(HttpRequest{"GET", {{"a b", "c"}}, ""}));
  EXPECT_FALSE(validate(HttpRequest{"GET", {{"a", "c\r\nd: e"}}, ""}));
}

}  // namespace
}  // namespace galley::load
