// Saying no: what it is held to cost, and that who is told so can read it.

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "galley/http/server.hpp"
#include "http/client.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Client;
using test::get;
using test::ServerThread;

/// A server whose guard refuses all but System.
class RefusalTest : public testing::Test {
 protected:
  RefusalTest() {
    guard_.finished(1h);  // so long is what it takes to serve one, as far as it knows
    HttpOptions options;
    options.guard = &guard_;
    options.on_request = [this](const HttpLogEntry& entry) {
      const std::lock_guard lock(mutex_);
      waited_ = entry.waited;
      logged_.set();
    };
    running_.emplace(options);
    running_->server().route("GET", "/", [](HttpRequest&) { return HttpResponse(200); });
    running_->server().route("POST", "/", [](HttpRequest&) { return HttpResponse(200); });
    port_ = running_->start();
  }
  static OverloadOptions limits() {
    OverloadOptions limits;
    limits.interval = 10ms;
    limits.deadline = 1s;
    limits.accept_gate = false;
    return limits;
  }
  /// What has come is read.
  void turns() {
    for (int turn = 0; turn < 3; ++turn) running_->on_loop([] {});
  }
  Duration waited() {
    const std::lock_guard lock(mutex_);
    return waited_;
  }

  OverloadGuard guard_{limits()};
  std::optional<ServerThread> running_;
  std::uint16_t port_ = 0;
  test::Event logged_;
  std::mutex mutex_;
  Duration waited_{0};
};

TEST_F(RefusalTest, DoesNotCostTheTimeThatItsClientTakes) {
  const base::SystemClock clock;
  Client slow(port_);
  const std::string request = get("/");
  slow.send(request.substr(0, 1));
  turns();
  const base::Mono until = clock.mono() + 100ms;
  while (clock.mono() < until) std::this_thread::yield();
  EXPECT_EQ(slow.ask(request.substr(1)).status, 503);
  EXPECT_TRUE(slow.ended());
  EXPECT_GE(waited(), 0s);
  EXPECT_LT(guard_.status((clock.mono() + limits().interval).time_since_epoch()).refusing, 1);
}

TEST_F(RefusalTest, CanBeReadByWhoStillSendsTheBody) {
  Client client(port_);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n");
  ASSERT_TRUE(logged_.wait());
  turns();
  EXPECT_TRUE(client.send("body"));
  EXPECT_TRUE(client.send("body"));
  EXPECT_EQ(client.read().status, 503);
  EXPECT_TRUE(client.ended());
}

TEST(AcceptGate, SpendsNothingWhereNobodyWaits) {
  const base::SystemClock clock;
  OverloadOptions limits;
  limits.interval = 60s;  // while closed it lets one through in 5 s, and one for each that is refused
  OverloadGuard guard(limits);
  const auto take = [&](Duration waited, Duration ago = 0s) {
    Arrival arrival;
    const base::Mono now = clock.mono() - ago;
    arrival.at = (now - waited).time_since_epoch();
    return guard.take(arrival, now.time_since_epoch()).admitted;
  };
  static_cast<void>(take(3 * limits.target, limits.interval));
  static_cast<void>(take(3 * limits.target));
  static_cast<void>(take(10 * limits.target));
  ASSERT_TRUE(guard.busy());
  ASSERT_FALSE(guard.accept(clock.mono().time_since_epoch()).open);
  HttpOptions options;
  options.guard = &guard;
  ServerThread running(options);
  running.server().route(
      "GET", "/", [](HttpRequest&) { return HttpResponse(200); }, RequestClass::System);
  const auto port = running.start();
  const base::Mono began = clock.mono();
  for (int number = 0; number < 5; ++number) {
    ASSERT_FALSE(take(10 * limits.target));
    Client client(port);
    EXPECT_EQ(client.ask(get("/")).status, 200);
  }
  EXPECT_LT(clock.mono() - began, 5s);
}

}  // namespace
}  // namespace galley
