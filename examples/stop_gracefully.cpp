// A process that is told to stop while it is at work: what was begun is finished, then all is closed in reverse order.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <galley/http/server.hpp>
#include <galley/runtime/lifecycle.hpp>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/worker_pool.hpp>
#include <iostream>
#include <string>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// A request that is in the middle of its work when the signal comes.
asio::awaitable<galley::HttpResponse> order(galley::HttpRequest request) {
  asio::steady_timer payment(co_await asio::this_coro::executor, std::chrono::milliseconds(100));
  std::raise(SIGTERM);
  co_await payment.async_wait(asio::use_awaitable);
  co_return galley::HttpResponse(200, "order " + std::string(request.parameter("id")) + " is paid");
}

asio::awaitable<void> customer(std::uint16_t port, std::string& answer) {
  tcp::socket socket(co_await asio::this_coro::executor);
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  co_await socket.async_connect(server, asio::use_awaitable);
  const std::string request = "POST /orders/7 HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
  boost::system::error_code end;
  co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::redirect_error(asio::use_awaitable, end));
}

}  // namespace

int main() {
  galley::Loop loop;
  galley::WorkerPool pool;
  galley::HttpServer server{loop.get_executor()};
  server.route("POST", "/orders/{id}", order);

  galley::LifecycleOptions options;
  options.not_ready = std::chrono::milliseconds(50);  // twice what a load balancer takes to notice; here there is none
  options.drain = std::chrono::seconds(20);
  galley::Lifecycle lifecycle{loop.get_executor(), options};
  lifecycle.add(galley::part_of(pool)).value();  // first, because requests use it
  lifecycle.add(galley::part_of(server)).value();
  lifecycle.on_stage([&](galley::Stage stage) {
    const galley::Readiness ready = lifecycle.readiness();
    std::cout << name(stage) << (ready.yes ? "" : " (" + ready.reason + ")") << "\n";
  });
  lifecycle.on_ended([](const galley::StopReport& report) {
    std::cout << "stopped by " << report.reason << ", " << report.abandoned.size() << " parts abandoned\n";
  });
  lifecycle.stop_on_signals().value();

  std::string answer;
  const auto done = [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
  };
  asio::co_spawn(loop.context(), customer(server.listen().value(), answer), done);
  lifecycle.started();
  loop.run();
  std::cout << answer.substr(answer.find("\r\n\r\n") + 4) << "\n";
  const bool in_order = answer.find("Connection: close") != std::string::npos && answer.ends_with("order 7 is paid");
  return in_order ? lifecycle.exit_code() : 1;
}
