#include "galley/http/server.hpp"

#include <gtest/gtest.h>
#include <algorithm>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "galley/runtime/current_task.hpp"
#include "http/client.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::get;
using test::ServerThread;
namespace asio = boost::asio;

HttpResponse echo(HttpRequest& request) {
  return HttpResponse(200, std::string(request.method()) + " " + std::string(request.parameter("id")) + " " +
                               request.query("q").value_or("-") + " " + request.body());
}

/// Never comes by itself.
asio::awaitable<HttpResponse> wait_for_ever(HttpRequest&) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
  co_return HttpResponse(200, "late");
}

asio::awaitable<HttpResponse> greet_later(HttpRequest request) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return HttpResponse(200, "hello " + std::string(request.parameter("name")));
}

TEST(HttpServer, AnswersPlainFunctionsAndCoroutinesOverOneKeptConnection) {
  ServerThread running;
  running.server().route("POST", "/jobs/{id}", echo);
  running.server().route("GET", "/greet/{name}", greet_later);
  Client client(running.start());
  const Answer posted = client.ask("POST /jobs/7?q=a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(posted.status, 200);
  EXPECT_EQ(posted.body, "POST 7 a b body");
  EXPECT_TRUE(posted.has("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_TRUE(posted.has("Date: "));
  EXPECT_FALSE(posted.has("Connection:"));
  EXPECT_EQ(client.ask(get("/greet/ann")).body, "hello ann");
  EXPECT_EQ(running.stats().accepted, 1);
}

TEST(HttpServer, NamesTheRouteThatAThreadIsIn) {
  ServerThread running;
  running.server().route("GET", "/name/{id}", [](HttpRequest&) {
    return HttpResponse(200, current_task()->name + " " + current_task()->spawned_at.file_name());
  });
  Client client(running.start());
  const std::string name = client.ask(get("/name/7")).body;
  EXPECT_TRUE(name.starts_with("GET /name/{id} ")) << name;
  EXPECT_TRUE(name.ends_with("server_test.cpp")) << name;
}

TEST(HttpServer, ServesOthersWhileAHandlerAwaits) {
  ServerThread running;
  running.server().route("GET", "/slow", wait_for_ever);
  running.server().route("GET", "/fast", [](HttpRequest&) { return HttpResponse(200, "fast"); });
  const auto port = running.start();
  Client slow(port);
  slow.send(get("/slow"));
  Client fast(port);
  EXPECT_EQ(fast.ask(get("/fast")).body, "fast");
}

TEST(HttpServer, AnswersWhatWasSentAheadInItsOrder) {
  ServerThread running;
  running.server().route("GET", "/greet/{name}", greet_later);
  running.server().route("POST", "/jobs/{id}", echo);
  Client client(running.start());
  std::string all;
  for (int number = 0; number < 50; ++number) {
    all += get("/greet/" + std::to_string(number)) + "\r\n";  // an empty line more, as some clients send it
    all += "POST /jobs/" + std::to_string(number) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";
  }
  client.send(all);
  for (int number = 0; number < 50; ++number) {
    EXPECT_EQ(client.read().body, "hello " + std::to_string(number));
    EXPECT_EQ(client.read().body, "POST " + std::to_string(number) + " - ok");
  }
}

TEST(HttpServer, TakesRequestsInPiecesChunksAndWithLeave) {
  ServerThread running;
  running.server().route("POST", "/{id}", echo);
  Client client(running.start());
  for (const char byte : std::string("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"))
    client.send({&byte, 1});
  EXPECT_EQ(client.read().body, "POST 1 - ok");
  client.send("POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST 2 - abcde");
  client.send("POST /3 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  client.send("ok");
  EXPECT_EQ(client.read().body, "POST 3 - ok");
}

TEST(HttpServer, AnswersHeadWithTheHeadAlone) {
  ServerThread running;
  running.server().route("GET", "/", [](HttpRequest&) { return HttpResponse(200, "12345"); });
  running.server().route("GET", "/none", [](HttpRequest&) { return HttpResponse(204); });
  Client client(running.start());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/none") + get("/"));
  EXPECT_TRUE(client.read(false).has("Content-Length: 5"));
  EXPECT_FALSE(client.read().has("Content-Length"));
  EXPECT_EQ(client.read().body, "12345");
}

TEST(HttpServer, KeepsOrEndsAConnectionAsItsClientSays) {
  ServerThread running;
  running.server().route("GET", "/", [](HttpRequest&) { return HttpResponse(200, "x"); });
  const auto port = running.start();
  Client closing(port);
  EXPECT_TRUE(closing.ask(get("/", "Connection: close\r\n")).has("Connection: close"));
  EXPECT_TRUE(closing.ended());
  Client old(port);
  EXPECT_EQ(old.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status, 200);
  EXPECT_TRUE(old.ended());
  Client half(port);
  half.send(get("/"));
  half.finish();
  EXPECT_EQ(half.read().status, 200);
  EXPECT_TRUE(half.ended());
}

TEST(HttpServer, RefusesWhatItCannotTakeWithItsOwnStatusAndCloses) {
  HttpOptions options;
  options.max_header_bytes = 1 << 10;
  options.max_body_bytes = 10;
  ServerThread running(options);
  running.server().route("POST", "/", echo);
  const auto port = running.start();
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n";
  const std::pair<std::string, int> bad[] = {
      {"nonsense\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n\r\n", 400},  // no host
      {post + "Host: y\r\n\r\n", 400},
      {post + "No colon\r\n\r\n", 400},
      {post + "Content-Length: x\r\n\r\n", 400},
      {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {chunked + "Content-Length: 2\r\n\r\n0\r\n\r\n", 400},  // smuggling
      {chunked + "\r\nxyz\r\n", 400},
      {chunked + "\r\n1;" + std::string(2'000, 'x'), 431},  // the head of a chunk without an end
      {post + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},  // one parser sees a body, another none
      {post + "Transfer-Encoding: chunked, x, chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked, chunked\r\nContent-Length: 2\r\n\r\nab", 400},
      {chunked + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/3.1\r\nHost: x\r\n\r\n", 505},
      {post + "Content-Length: 11\r\n\r\n", 413},
      {chunked + "\r\n20\r\n" + std::string(32, 'x') + "\r\n0\r\n\r\n", 413},
      {"POST /" + std::string(2'000, 'x'), 414},
      {post + "X: " + std::string(2'000, 'x') + "\r\n\r\n", 431},
  };
  for (const auto& [text, status] : bad) {
    Client client(port);
    const Answer answer = client.ask(text);
    EXPECT_EQ(answer.status, status) << text;
    EXPECT_TRUE(answer.has("Connection: close")) << text;
    EXPECT_TRUE(client.ended()) << text;
  }
  EXPECT_EQ(running.stats().bad, std::int64_t{std::size(bad)});
}

TEST(HttpServer, SaysWhatIsNotThere) {
  ServerThread running;
  running.server().route("POST", "/jobs", echo);
  Client client(running.start());
  EXPECT_EQ(client.ask(get("/")).status, 404);
  const Answer wrong = client.ask(get("/jobs"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_TRUE(wrong.has("Allow: POST\r\n"));
  EXPECT_EQ(client.ask(get("/%zz")).status, 400);
}

/// What was logged, as "GET /jobs/{id} 200".
class Log {
 public:
  HttpOptions options() {
    HttpOptions options;
    options.on_request = [this](const HttpLogEntry& entry) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(std::string(entry.method) + " " + std::string(entry.pattern) + " " +
                       std::to_string(entry.status) + (entry.complete ? "" : " lost") + (entry.error ? " error" : ""));
      last_ = entry;
      logged_.set();
    };
    return options;
  }
  bool wait(int times) { return logged_.wait(times); }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  HttpLogEntry last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  HttpLogEntry last_;
  test::Event logged_;
};

TEST(HttpServer, LogsEachRequestByItsPatternAndKeepsItsDuration) {
  Log log;
  ServerThread running(log.options());
  running.server().route("GET", "/jobs/{id}", greet_later);
  running.server().route("GET", "/broken", [](HttpRequest&) -> HttpResponse { throw std::runtime_error("no"); });
  running.server().route("GET", "/split", [](HttpRequest&) {
    HttpResponse response(200);
    response.headers.emplace_back("X", "a\r\nSet-Cookie: b");
    return response;
  });
  Client client(running.start());
  client.ask(get("/jobs/7"));
  EXPECT_EQ(client.ask(get("/broken")).status, 500);
  EXPECT_EQ(client.ask(get("/split")).status, 500);
  client.ask(get("/nowhere"));
  ASSERT_TRUE(log.wait(4));
  EXPECT_EQ(log.lines(),
            (std::vector<std::string>{"GET /jobs/{id} 200", "GET /broken 500 error", "GET /split 500", "GET  404"}));
  const HttpStats stats = running.stats();
  EXPECT_EQ(stats.requests, 4);
  EXPECT_EQ(stats.failed, 1);
  EXPECT_EQ(stats.durations.count, 4);
  EXPECT_EQ(stats.routes.at(0).statuses[2], 1);
  EXPECT_EQ(stats.routes.at(1).statuses[5], 1);
  EXPECT_GE(stats.routes.at(0).durations.p50, 1ms);  // what its handler awaits
  EXPECT_LE(stats.durations.p50, stats.durations.max);
}

TEST(HttpServer, LogsWhenTheLastByteIsWritten) {
  Log log;
  ServerThread running(log.options());
  const std::string large(64 << 20, 'x');  // more than the kernel holds for a client that does not read
  running.server().route("GET", "/", [&](HttpRequest&) { return HttpResponse(200, large); });
  Client client(running.start());
  client.send(get("/"));
  while (running.stats().routes.empty() || running.stats().connections == 0) continue;
  EXPECT_TRUE(log.lines().empty());
  EXPECT_EQ(client.read().body.size(), large.size());
  ASSERT_TRUE(log.wait(1));
  EXPECT_GT(log.last().sent, large.size());
  EXPECT_TRUE(log.last().complete);
}

TEST(HttpServer, DropsAClientThatDoesNotReadAndLogsItAsLost) {
  Log log;
  HttpOptions options = log.options();
  options.write_timeout = 1ms;
  ServerThread running(options);
  const std::string large(64 << 20, 'x');
  running.server().route("GET", "/", [&](HttpRequest&) { return HttpResponse(200, large); });
  Client client(running.start());
  client.send(get("/"));
  ASSERT_TRUE(log.wait(1));
  EXPECT_EQ(log.lines().front(), "GET / 200 lost");
  EXPECT_EQ(running.stats().lost, 1);
}

TEST(HttpServer, ClosesConnectionsThatAreIdleAndTellsTheSlowOnes) {
  HttpOptions options;
  options.idle_timeout = 20ms;
  options.header_timeout = 20ms;
  options.body_timeout = 20ms;
  ServerThread running(options);
  running.server().route("POST", "/", echo);
  const auto port = running.start();
  Client idle(port);
  EXPECT_TRUE(idle.ended());
  Client slow(port);
  EXPECT_EQ(slow.ask("POST / HT").status, 408);
  EXPECT_TRUE(slow.ended());
  Client slower(port);
  EXPECT_EQ(slower.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab").status, 408);
  EXPECT_TRUE(slower.ended());
}

TEST(HttpServer, GivesEachPartOfARequestItsOwnTime) {
  HttpOptions options;
  options.header_timeout = 100ms;
  ServerThread running(options);
  running.server().route("POST", "/", echo);
  Client client(running.start());
  const std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
  client.send(request.substr(0, 1));
  for (int turn = 0; turn < 3; ++turn) running.on_loop([] {});  // the byte is read
  test::Event sent;
  running.on_loop([&] {
    const base::SystemClock clock;
    const base::Mono until = clock.mono() + options.header_timeout;
    while (clock.mono() < until) continue;
    asio::post(running.io(), [&] {  // runs before the deadline does, which the loop has not seen yet
      client.send(request.substr(1));
      sent.set();
    });
  });
  ASSERT_TRUE(sent.wait());
  for (int turn = 0; turn < 3; ++turn) running.on_loop([] {});  // the head is read, and there is no body yet
  EXPECT_EQ(client.ask("body").body, "POST  - body");
}

TEST(HttpServer, HasIdleConnectionsGiveWayWhenItIsFull) {
  HttpOptions options;
  options.max_connections = 2;
  ServerThread running(options);
  running.server().route("GET", "/", [](HttpRequest&) { return HttpResponse(200, "x"); });
  running.server().route("GET", "/slow", wait_for_ever);
  const auto port = running.start();
  Client slow(port);
  slow.send(get("/slow"));
  Client idle(port);
  while (running.stats().accepted < 2) std::this_thread::yield();
  for (int asked = 0; asked < 3; ++asked) EXPECT_EQ(idle.ask(get("/")).status, 200);  // nobody waits for its place
  Client third(port);
  EXPECT_EQ(third.ask(get("/")).status, 200);
  EXPECT_TRUE(idle.ended());
  EXPECT_LE(running.stats().connections, 2);
}

/// Each request of a new connection brings another one while it is served, as a busy server's do.
TEST(HttpServer, HasKeptConnectionsTakeTurnsWithNewOnes) {
  constexpr int kNew = 20;
  std::uint16_t port = 0;
  std::optional<Client> kept;
  std::vector<Client> fresh;
  std::vector<std::string> order;
  ServerThread running;  // ends before what its handlers use
  running.server().route("GET", "/kept", [&](HttpRequest&) {
    order.emplace_back("kept");
    return HttpResponse(200);
  });
  running.server().route("GET", "/new", [&](HttpRequest&) {
    order.emplace_back("new");
    if (order.size() == 1) {
      EXPECT_TRUE(kept->send(get("/kept")));
    }
    if (fresh.size() < kNew) {
      EXPECT_TRUE(fresh.emplace_back(port).send(get("/new")));
    }
    return HttpResponse(200);
  });
  port = running.start();
  kept.emplace(port);
  ASSERT_EQ(kept->ask(get("/nowhere")).status, 404);
  running.on_loop([&] { EXPECT_TRUE(fresh.emplace_back(port).send(get("/new"))); });
  EXPECT_EQ(kept->read().status, 200);
  std::size_t before = 0;
  running.on_loop(
      [&] { before = static_cast<std::size_t>(std::find(order.begin(), order.end(), "kept") - order.begin()); });
  EXPECT_LT(before, 10U) << "it was there since the first one";
}

TEST(HttpServer, RefusesOptionsThatItCannotKeep) {
  asio::io_context io;
  HttpOptions options;
  options.max_connections = 0;
  EXPECT_THROW(HttpServer(io.get_executor(), options), Exception);
  options = HttpOptions();
  options.address = "localhost";
  HttpServer named(io.get_executor(), options);
  EXPECT_EQ(named.listen().error().code, Errc::InvalidInput);
  HttpServer first(io.get_executor());
  options = HttpOptions();
  options.port = first.listen().value();
  HttpServer second(io.get_executor(), options);
  EXPECT_EQ(second.listen().error().code, Errc::Io);
  first.route("GET", "/", echo);
  EXPECT_THROW(first.route("GET", "/", echo), Exception);
}

}  // namespace
}  // namespace galley
