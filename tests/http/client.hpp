#pragma once
// A client that says exactly the bytes it is told to, and a server on a loop of its own thread.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "galley/http/server.hpp"

namespace galley::test {

struct Answer {
  int status = 0;  ///< 0: the connection ended without one
  std::string head;
  std::string body;
  [[nodiscard]] bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : Client() { connect(port); }
  /// Not connected yet.
  Client() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(); }
  Client(Client&& other) noexcept : socket_(std::exchange(other.socket_, -1)), bytes_(std::move(other.bytes_)) {}
  Client& operator=(Client&&) = delete;

  bool connect(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  /// False also when it takes longer.
  bool connect_within(std::uint16_t port, std::chrono::milliseconds limit) {
    const int flags = fcntl(socket_, F_GETFL);
    fcntl(socket_, F_SETFL, flags | O_NONBLOCK);
    if (!connect(port)) {
      pollfd connecting{socket_, POLLOUT, 0};
      int fault = errno;
      socklen_t size = sizeof fault;
      if (fault != EINPROGRESS || poll(&connecting, 1, static_cast<int>(limit.count())) != 1) return false;
      getsockopt(socket_, SOL_SOCKET, SO_ERROR, &fault, &size);
      if (fault != 0) return false;
    }
    fcntl(socket_, F_SETFL, flags);
    return true;
  }
  /// By the server, as far as is known by now.
  bool was_closed() {
    char byte = 0;
    return bytes_.empty() && recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  /// Why the last answer did not come.
  [[nodiscard]] std::string fault() const {
    return (last_ == 0 ? std::string("ended") : std::string(std::strerror(errno_))) + " after " +
           std::to_string(bytes_.size()) + " bytes";
  }
  bool send(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// Sends no more.
  void finish() { shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  /// The next answer; `has_body` false: to HEAD.
  Answer read(bool has_body = true) {
    Answer answer;
    std::size_t end = 0;
    while ((end = bytes_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return answer;
    }
    answer.head = bytes_.substr(0, end + 4);
    bytes_.erase(0, end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const auto length = answer.head.find("Content-Length: ");
    std::size_t size = 0;
    if (length != std::string::npos && has_body) size = std::stoul(answer.head.substr(length + 16));
    while (bytes_.size() < size) {
      if (!more()) return {};
    }
    answer.body = bytes_.substr(0, size);
    bytes_.erase(0, size);
    return answer;
  }
  Answer ask(std::string_view bytes) {
    send(bytes);
    return read();
  }
  /// The server has ended the connection, in order and without another byte.
  bool ended() { return bytes_.empty() && !more() && last_ == 0; }

 private:
  bool more() {
    char some[16384];
    last_ = recv(socket_, some, sizeof some, 0);
    errno_ = errno;
    if (last_ <= 0) return false;
    bytes_.append(some, static_cast<std::size_t>(last_));
    return true;
  }

  int socket_;
  ssize_t last_ = 0;
  int errno_ = 0;
  std::string bytes_;
};

inline std::string get(std::string_view target, std::string_view headers = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers) + "\r\n";
}

/// A loop with a server, on a thread of its own.
class ServerThread {
 public:
  explicit ServerThread(const HttpOptions& options = {})
      : server_(std::make_unique<HttpServer>(io_.get_executor(), options)) {}
  ~ServerThread() {
    if (!thread_.joinable()) return;
    on_loop([this] { server_->close(); });
    work_.reset();
    thread_.join();
  }

  [[nodiscard]] HttpServer& server() { return *server_; }
  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  std::uint16_t start() {
    const auto port = server_->listen().value();
    thread_ = std::thread([this] { io_.run(); });
    return port;
  }
  /// Returns when it has been done.
  void on_loop(const std::function<void()>& action) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      action();
      done.set_value();
    });
    done.get_future().wait();
  }
  [[nodiscard]] HttpStats stats() {
    HttpStats stats;
    on_loop([&] { stats = server_->stats(); });
    return stats;
  }

 private:
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{io_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace galley::test
