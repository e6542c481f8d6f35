#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "galley/http/server.hpp"
#include "http/client.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::Event;
using test::get;
using test::ServerThread;
namespace asio = boost::asio;

/// A server whose /held waits until it is let go, or cancelled.
class StopTest : public testing::Test {
 protected:
  void start(HttpOptions options = {}) {
    running_.emplace(options);
    gate_.emplace(running_->io(), std::chrono::hours(1));
    running_->server().route("GET", "/", [](HttpRequest&) { return HttpResponse(200, "x"); });
    running_->server().route("GET", "/held", [this](HttpRequest&) { return held(this); });
    port_ = running_->start();
  }
  void TearDown() override {
    if (running_ && gate_) running_->on_loop([this] { gate_.reset(); });
  }
  static asio::awaitable<HttpResponse> held(StopTest* test) {
    test->entered_.set();
    boost::system::error_code fault;
    co_await test->gate_->async_wait(asio::redirect_error(asio::use_awaitable, fault));
    co_return HttpResponse(200, "held");
  }
  void let_go() {
    running_->on_loop([this] { gate_->cancel(); });
  }
  void drain() {
    running_->on_loop([this] { running_->server().drain([this] { drained_.set(); }); });
  }
  Client client() { return Client(port_); }

  std::optional<ServerThread> running_;
  std::optional<asio::steady_timer> gate_;
  std::uint16_t port_ = 0;
  Event entered_;
  Event drained_;
};

TEST_F(StopTest, LetsWhatRunsEndAndAnswersWithTheEndOfItsConnection) {
  start();
  Client held = client();
  held.send(get("/held"));
  ASSERT_TRUE(entered_.wait());
  drain();
  EXPECT_EQ(running_->server().left(), "1 request on 1 connection");
  let_go();
  const Answer answer = held.read();
  EXPECT_EQ(answer.body, "held");
  EXPECT_TRUE(answer.has("Connection: close"));
  EXPECT_TRUE(held.ended());
  held.close();
  EXPECT_TRUE(drained_.wait());
  EXPECT_EQ(running_->server().left(), "");
  EXPECT_FALSE(Client().connect(port_));
}

TEST_F(StopTest, ClosesIdleConnectionsAtOnceWithoutGrace) {
  HttpOptions options;
  options.idle_grace = 0s;
  start(options);
  Client idle = client();
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  drain();
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, GivesAConnectionThatWasUsedJustNowTheTimeForItsNextRequest) {
  HttpOptions options;
  options.idle_grace = 1h;
  start(options);
  Client used = client();
  EXPECT_EQ(used.ask(get("/")).status, 200);
  drain();
  const Answer last = used.ask(get("/"));
  EXPECT_EQ(last.status, 200);
  EXPECT_TRUE(last.has("Connection: close"));
  used.close();
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, ServesARequestWhoseFirstByteHasCome) {
  HttpOptions options;
  options.idle_grace = 0s;
  start(options);
  Client begun = client();
  EXPECT_EQ(begun.ask(get("/")).status, 200);
  const std::string request = get("/");
  running_->on_loop([&] {  // the server cannot have seen the byte when it stops
    begun.send(request.substr(0, 1));
    running_->server().drain([this] { drained_.set(); });
  });
  const Answer last = begun.ask(request.substr(1));
  EXPECT_EQ(last.status, 200);
  EXPECT_TRUE(last.has("Connection: close"));
  begun.close();
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, AnswersWhatWasSentAheadAndEndsTheConnectionWithTheLastOfIt) {
  start();
  Client ahead = client();
  ahead.send(get("/held") + get("/") + get("/") + "\r\n");
  ASSERT_TRUE(entered_.wait());
  drain();
  let_go();
  for (const bool is_last : {false, false, true}) {
    const Answer answer = ahead.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.has("Connection: close"), is_last);
  }
  EXPECT_TRUE(ahead.ended());
  ahead.close();
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, ClosesWhoHasBeenIdleForLongerFirst) {
  HttpOptions options;
  options.idle_grace = 300ms;
  start(options);
  Client idle = client();
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  const base::SystemClock clock;
  const base::Mono until = clock.mono() + options.idle_grace;
  while (clock.mono() < until) std::this_thread::yield();
  Client fresh;
  running_->on_loop([&] {  // it is accepted when the server stops
    ASSERT_TRUE(fresh.connect(port_));
    running_->server().drain([this] { drained_.set(); });
  });
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(fresh.was_closed());
  EXPECT_TRUE(fresh.ended());
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, ServesThoseThatTheKernelHasConnectedAlready) {
  start();
  std::list<Client> waiting;
  running_->on_loop([&] {  // none is accepted meanwhile
    for (int number = 0; number < 100; ++number) waiting.emplace_back(port_).send(get("/"));
    running_->server().drain([this] { drained_.set(); });
  });
  for (Client& each : waiting) {
    EXPECT_EQ(each.read().status, 200);
    EXPECT_TRUE(each.ended());
    each.close();
  }
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, CancelsWhatItsHandlersAwaitAndSaysSo) {
  start();
  running_->on_loop([this] {
    running_->server().route("GET", "/forever", [](HttpRequest&) -> asio::awaitable<HttpResponse> {
      asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
      co_await timer.async_wait(asio::use_awaitable);
      co_return HttpResponse(200, "late");
    });
  });
  Client stuck = client();
  stuck.send(get("/forever"));
  Client held = client();  // catches the cancellation, and answers all the same
  held.send(get("/held") + get("/held"));
  ASSERT_TRUE(entered_.wait());
  while (running_->stats().in_flight < 2) std::this_thread::yield();
  drain();
  running_->on_loop([this] { running_->server().cancel(); });
  const Answer answer = stuck.read();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.has("Connection: close"));
  const Answer caught = held.read();
  EXPECT_EQ(caught.body, "held");
  EXPECT_TRUE(caught.has("Connection: close"));  // though there is another request
  stuck.close();
  held.close();
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, ClosesAllConnectionsWhenItIsToldTo) {
  start();
  Client held = client();
  held.send(get("/held"));
  ASSERT_TRUE(entered_.wait());
  drain();
  running_->on_loop([this] { running_->server().close(); });
  EXPECT_EQ(held.read().status, 0);
  EXPECT_TRUE(drained_.wait());
}

TEST_F(StopTest, MayBeDrainedWhenItNeverListened) {
  asio::io_context io;
  HttpServer server(io.get_executor());
  server.drain([this] { drained_.set(); });
  EXPECT_TRUE(drained_.wait());
}

/// As many descriptors as there are, until it is destroyed.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

#ifndef __SANITIZE_ADDRESS__  // UBSan opens a pipe to look at an object that it does not know, and takes it for damaged
TEST_F(StopTest, OutOfDescriptorsItKeepsServingAndAcceptsLater) {
  start();
  Client served = client();
  EXPECT_EQ(served.ask(get("/")).status, 200);
  Client waits;
  {
    const NoMoreDescriptors none;
    ASSERT_TRUE(waits.connect(port_));
    waits.send(get("/"));
    while (running_->stats().accept_errors == 0) std::this_thread::yield();
    EXPECT_EQ(served.ask(get("/")).status, 200);
  }
  EXPECT_EQ(waits.read().status, 200);
  EXPECT_LT(running_->stats().accept_errors, 10'000);  // it has paused between its tries
}
#endif

TEST_F(StopTest, FullOfBusyConnectionsItLooksAgainWhenTheyAreIdle) {
  HttpOptions options;
  options.max_connections = 1;
  start(options);
  Client held = client();
  held.send(get("/held"));
  ASSERT_TRUE(entered_.wait());
  Client waits = client();
  waits.send(get("/"));
  for (int turn = 0; turn < 3; ++turn) running_->on_loop([] {});  // it has been seen, and nobody could give way
  let_go();
  EXPECT_EQ(held.read().body, "held");
  EXPECT_EQ(waits.read().status, 200);
  EXPECT_TRUE(held.ended());
}

TEST_F(StopTest, AGuardSendsAwayWhoHasWaitedTooLongCountedFromTheKernelsStamp) {
  OverloadOptions limits;
  limits.target = 1ms;
  limits.max_wait = 2ms;
  OverloadGuard guard(limits);
  HttpOptions options;
  options.guard = &guard;
  start(options);
  running_->on_loop([this] {
    running_->server().route(
        "GET", "/health", [](HttpRequest&) { return HttpResponse(200, "well"); }, RequestClass::System);
  });
  const base::SystemClock clock;
  const auto blocked = [&](Client& waiting, Client& health) {  // the loop does nothing for 10 ms after they have come
    running_->on_loop([&] {
      waiting.send(get("/"));
      health.send(get("/health"));
      const base::Mono until = clock.mono() + 10ms;
      while (clock.mono() < until) continue;
    });
  };
  Answer refused;
  for (int round = 0; round < 1'000 && refused.status != 503; ++round) {  // the kernel begins to stamp after a while
    Client waiting = client();
    Client health = client();
    EXPECT_EQ(health.ask(get("/health")).status, 200);
    blocked(waiting, health);
    EXPECT_EQ(health.read().status, 200);
    refused = waiting.read();
    if (refused.status != 503) continue;
    EXPECT_TRUE(waiting.ended());
  }
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.has("Retry-After: "));
  EXPECT_TRUE(refused.has("Connection: close"));
  EXPECT_GT(running_->stats().refused, 0);
  EXPECT_GT(running_->stats().waits.max, 2ms);
}

}  // namespace
}  // namespace galley
