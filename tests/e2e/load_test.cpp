// galley load http, against a real server.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/event.hpp"
#include "e2e/process.hpp"
#include "load/server.hpp"

namespace galley::test {
namespace {

namespace http = boost::beast::http;

std::optional<Server::Response> by_path(const Server::Request& request) {
  if (request.target() == "/busy") return ok(request, http::status::service_unavailable);
  if (request.target() == "/echo")
    return ok(request, request.body() == "hello" ? http::status::ok : http::status::gone);
  return ok(request);
}

class LoadCommand : public testing::Test {
 protected:
  [[nodiscard]] Finished run(const std::string& path, std::vector<std::string> more, std::string input = {}) const {
    std::vector<std::string> arguments{"load", "http", server_.url(path)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return bench_.run(arguments, std::move(input));
  }
  /// 0 or 1 as `code`; on a machine that is busy with other things a run may be invalid.
  static void expect_exit(const Finished& done, int code) {
    EXPECT_TRUE(done.exit_code == code || done.exit_code == 3) << done.exit_code << done.err << done.out;
    EXPECT_EQ(done.exit_code == 3,
              done.out.find("INVALID") != std::string::npos || done.out.find("\"valid\":false") != std::string::npos);
  }

  Server server_{by_path};
  Bench bench_;
};

TEST_F(LoadCommand, ReportsAsTextAndAsJson) {
  const Finished text = run("/", {"--rate", "200", "--duration", "250ms"});
  expect_exit(text, 0);
  EXPECT_TRUE(text.out.starts_with("50 requests in ")) << text.out;
  EXPECT_NE(text.out.find("status 200: 50"), std::string::npos) << text.out;
  const Finished json = run("/", {"--rate", "200:250ms", "--json", "--poisson", "--seed", "5"});
  expect_exit(json, 0);
  const auto objects = json.objects();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].at("outcomes").at("answered"), objects[0].at("requests"));
  EXPECT_TRUE(objects[0].at("response").as_object().contains("p999_ms"));
}

TEST_F(LoadCommand, AnErrorOfTheServerIsAFailureUnlessItIsExpected) {
  expect_exit(run("/busy", {"--rate", "100:50ms"}), 1);
  expect_exit(run("/busy", {"--rate", "100:50ms", "--allow-status", "503"}), 0);
}

TEST_F(LoadCommand, ABodyIsPosted) {
  expect_exit(run("/echo", {"--rate", "100:50ms", "--body", "hello"}), 0);
  expect_exit(run("/echo", {"--rate", "100:50ms", "--body", "-"}, "hello"), 0);
  expect_exit(run("/echo", {"--rate", "100:50ms", "--body", "bye", "--header", "X-A: b"}), 1);
}

/// Answers, unlike the others, after so long: they are in time for nobody.
std::optional<Server::Response> slow(const Server::Request& request, std::chrono::milliseconds after) {
  std::promise<void> never;
  never.get_future().wait_for(after);
  return ok(request);
}

TEST_F(LoadCommand, WhatWasInTimeIsCounted) {
  using namespace std::chrono_literals;
  std::atomic<int> seen{0};
  Server server([&seen](const Server::Request& request) {
    const int number = ++seen;
    if (number % 4 == 1) return slow(request, 2'100ms);
    return std::optional(ok(request, number % 4 == 2 ? http::status::service_unavailable : http::status::ok));
  });
  // Each has a connection of its own, so one that is slow holds no other one up.
  const std::vector<std::string> arguments{"load",       "http", server.url("/"),  "--rate", "100:200ms",
                                           "--deadline", "2s",   "--allow-status", "503"};
  const Finished done = bench_.run(arguments);
  expect_exit(done, 0);
  EXPECT_NE(done.out.find("status 200: 15\n"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("good, within 2s: 10, 50.0/s\n"), std::string::npos) << done.out;
}

/// Stopped, the generator takes nothing up; when it goes on, all that was planned meanwhile is late.
TEST_F(LoadCommand, AGeneratorThatCouldNotKeepUpSaysThatItsRunIsInvalid) {
  using namespace std::chrono_literals;
  std::atomic<int> seen{0};
  Event in_the_middle;
  Server server([&](const Server::Request& request) {
    if (++seen == 50) in_the_middle.set();
    return std::optional(ok(request));
  });
  Process process(bench_.dir(), {{"load", "http", server.url("/"), "--rate", "500:2s"}});
  ASSERT_TRUE(in_the_middle.wait());
  process.signal(SIGSTOP);
  std::promise<void> never;
  never.get_future().wait_for(400ms);  // 200 of 1,000 requests
  process.signal(SIGCONT);
  const Finished done = process.finish();
  EXPECT_EQ(done.exit_code, 3) << done.err << done.out;
  EXPECT_NE(done.out.find("INVALID: "), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("status 200: 1000\n"), std::string::npos) << done.out;
}

TEST_F(LoadCommand, AnInterruptEndsItWithAReport) {
  Process process(bench_.dir(), {{"load", "http", server_.url("/"), "--rate", "100:1h"}});
  ASSERT_TRUE(server_.wait_for_request());
  process.signal(SIGINT);
  const Finished done = process.finish();
  expect_exit(done, 0);
  EXPECT_NE(done.out.find("status 200"), std::string::npos) << done.out;
}

TEST_F(LoadCommand, BadInputIsRefusedByName) {
  const auto refused = [&](const std::vector<std::string>& arguments, const char* named) {
    const Finished done = bench_.run(arguments);
    EXPECT_EQ(done.exit_code, 2) << done.err;
    EXPECT_NE(done.err.find(named), std::string::npos) << done.err;
  };
  refused({"load"}, "http");
  refused({"load", "http"}, "URL");
  refused({"load", "http", "localhost", "--rate", "1", "--duration", "1s"}, "localhost");
  refused({"load", "http", "http://localhost", "--rate", "1"}, "--duration");
  refused({"load", "http", "http://localhost", "--rate", "x:1s"}, "\"x\"");
  refused({"load", "http", "http://localhost", "--rate", "1:1s", "--timeout", "0"}, "--timeout: \"0\"");
  refused({"load", "http", "http://localhost", "--rate", "1:1s", "--deadline", "0s"}, "--deadline: \"0s\"");
  refused({"load", "http", "http://localhost", "--rate", "1", "--duration", "0"}, "--duration: \"0\"");
  refused({"load", "http", "http://localhost", "--rate", "0:1s"}, "\"0:1s\"");
  refused({"load", "http", "http://localhost", "--rate", "1:1s", "--connections", "0"}, "--connections");
  refused({"load", "http", "http://localhost", "--rate", "1:1s", "--header", "x"}, "--header");
  refused({"load", "http", "http://localhost", "--rate", "1:1s", "--allow-status", "200"}, "--allow-status");
}

}  // namespace
}  // namespace galley::test
