// A server that computes on a worker pool and stays responsive: /health answers while all workers compute, and who
// cannot be served in time is sent away at little cost.
//
//   keep_a_server_responsive              starts, asks itself a few things, stops
//   keep_a_server_responsive --port 8080  serves until SIGTERM or SIGINT

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cstring>
#include <galley/http/server.hpp>
#include <galley/runtime/lifecycle.hpp>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/offload.hpp>
#include <galley/runtime/overload_guard.hpp>
#include <galley/runtime/worker_pool.hpp>
#include <iostream>
#include <iterator>
#include <string>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

std::uint64_t fibonacci(int n) { return n < 2 ? static_cast<std::uint64_t>(n) : fibonacci(n - 1) + fibonacci(n - 2); }

asio::awaitable<galley::HttpResponse> compute(galley::WorkerPool& pool, galley::HttpRequest& request) {
  const std::string text = request.query("n").value_or("30");
  int n = -1;
  std::from_chars(text.data(), text.data() + text.size(), n);
  if (n < 0 || n > 45) co_return galley::HttpResponse(400, "n must be 0..45\n");
  const galley::Result<std::uint64_t> result = co_await galley::run_on(pool, fibonacci, n);
  if (!result) co_return galley::HttpResponse(503, result.error().message + "\n");
  co_return galley::HttpResponse(200, std::to_string(*result) + "\n");
}

galley::HttpResponse health(const galley::OverloadGuard& guard, const galley::Loop& loop,
                            const galley::Lifecycle& lifecycle) {
  const galley::Readiness ready = lifecycle.readiness();
  const auto lag = loop.stats().ready_delay.quantile(0.99);  // so late a handler began after it was ready
  const std::string text = std::string("{\"status\":\"") + (guard.busy() ? "busy" : "normal") +
                           "\",\"lag_p99_us\":" + std::to_string(lag.count() / 1'000) +
                           ",\"ready\":" + (ready.yes ? "true" : "false") + ",\"why\":\"" + ready.reason + "\"}\n";
  return galley::HttpResponse(ready.yes ? 200 : 503, text, "application/json");
}

/// One request over a connection of its own: the whole answer.
asio::awaitable<std::string> ask(std::uint16_t port, std::string target) {
  tcp::socket socket(co_await asio::this_coro::executor);
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  co_await socket.async_connect(server, asio::use_awaitable);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
  std::string answer;
  boost::system::error_code end;
  co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::redirect_error(asio::use_awaitable, end));
  co_return answer;
}

asio::awaitable<void> ask_and_tell(std::uint16_t port, std::string target, int& left, galley::Lifecycle& lifecycle) {
  const std::string answer = co_await ask(port, target);
  std::cout << target << " gave " << answer.substr(answer.find("\r\n\r\n") + 4);
  if (--left == 0) lifecycle.stop("all has been asked");
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = argc == 3 && std::string_view(argv[1]) == "--port";
  int port_to_serve = serves ? -1 : 0;
  if (serves) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), port_to_serve);
  if (port_to_serve < 0 || port_to_serve > 65'535 || (argc > 1 && !serves)) {
    std::cerr << "allowed is nothing, or --port with 0 (one that is free) to 65535\n";
    return 2;
  }
  galley::Loop loop;
  galley::OverloadGuard guard;
  galley::WorkerPool pool;
  galley::Lifecycle lifecycle{loop.get_executor()};

  galley::HttpOptions options;
  options.guard = &guard;
  options.port = static_cast<std::uint16_t>(port_to_serve);
  galley::HttpServer server{loop.get_executor(), options};
  server.route("GET", "/compute", [&](galley::HttpRequest& request) { return compute(pool, request); });
  server.route(
      "GET", "/health", [&](galley::HttpRequest&) { return health(guard, loop, lifecycle); },
      galley::RequestClass::System);

  lifecycle.add(galley::part_of(pool)).value();  // first, because requests use it
  lifecycle.add(galley::part_of(server)).value();
  lifecycle.on_ended([](const galley::StopReport& report) { std::cout << "stopped: " << report.reason << "\n"; });
  if (serves) lifecycle.stop_on_signals().value();
  const auto port = server.listen();
  if (!port) {
    std::cerr << port.error().message << "\n";
    return 1;
  }
  lifecycle.started();
  std::cout << "listening on port " << *port << std::endl;
  const std::string targets[] = {"/compute?n=32", "/compute?n=32", "/compute?n=32", "/health", "/compute?n=many"};
  int left = std::size(targets);
  for (const std::string& target : targets) {
    if (serves) break;
    const auto done = [](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
    };
    asio::co_spawn(loop.context(), ask_and_tell(*port, target, left, lifecycle), done);
  }
  loop.run();
  const galley::HttpStats stats = server.stats();
  std::cout << stats.requests << " requests over " << stats.accepted << " connections\n";
  return lifecycle.exit_code();
}
