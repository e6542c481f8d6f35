#pragma once
// A real HTTP server on a free port of loopback, for tests.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <future>
#include <list>
#include <optional>
#include <string>
#include <thread>

namespace galley::test {

/// A real server on a free port, a thread a connection; `answer` gives the answer to each request, or nothing: then the
/// connection is closed.
class Server {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using Answer = std::function<std::optional<Response>(const Request&)>;

  explicit Server(Answer answer)
      : answer_(std::move(answer)),
        acceptor_(io_, boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    accepting_ = std::thread([this] { accept(); });
  }
  ~Server() {
    ending_ = true;
    boost::asio::ip::tcp::socket wake(io_);
    boost::system::error_code fault;
    wake.connect(boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), port()), fault);
    accepting_.join();
    for (auto& connection : connections_) connection.join();
  }

  [[nodiscard]] unsigned short port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port()) + path;
  }
  [[nodiscard]] int accepted() const { return accepted_; }
  /// Blocks until the first request has come, a minute at most.
  [[nodiscard]] bool wait_for_request() {
    return first_.get_future().wait_for(std::chrono::minutes(1)) == std::future_status::ready;
  }

 private:
  void accept() {
    while (true) {
      boost::asio::ip::tcp::socket socket = acceptor_.accept();
      if (ending_) return;
      ++accepted_;
      connections_.emplace_back([this, socket = std::move(socket)]() mutable { serve(socket); });
    }
  }

  void serve(boost::asio::ip::tcp::socket& socket) {
    boost::beast::flat_buffer buffer;
    boost::system::error_code fault;
    while (true) {
      Request request;
      boost::beast::http::read(socket, buffer, request, fault);
      if (fault) return;
      if (!requested_.exchange(true)) first_.set_value();
      auto response = answer_(request);
      if (!response) return;
      response->prepare_payload();
      boost::beast::http::write(socket, *response, fault);
      if (fault || !response->keep_alive()) return;
    }
  }

  Answer answer_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> ending_{false};
  std::atomic<int> accepted_{0};
  std::atomic<bool> requested_{false};
  std::promise<void> first_;
  std::thread accepting_;
  std::list<std::thread> connections_;
};

inline Server::Response ok(const Server::Request& request,
                           boost::beast::http::status status = boost::beast::http::status::ok) {
  Server::Response response{status, request.version()};
  response.keep_alive(request.keep_alive());
  response.body() = "x";
  return response;
}

}  // namespace galley::test
