#pragma once
// What a server and its connections share. Connections hold it, so that it outlives them.
//
// Thread-safety: none; all of it on the loop.

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "galley/http/server.hpp"
#include "galley/runtime/current_task.hpp"
#include "http/deadlines.hpp"
#include "http/listener.hpp"
#include "http/routes.hpp"
#include "telemetry/hdr_histogram.hpp"

namespace galley::http {

class Connection;

/// The lines of a server's deadlines.
enum Line : std::size_t { kIdle, kLastCall, kHead, kBody, kWrite, kLinger };

struct Route {
  Route(std::string_view route_method, std::string_view route_pattern, const boost::source_location& where)
      : method(route_method), pattern(route_pattern), task(method + " " + pattern, where) {}
  std::string method;
  std::string pattern;
  TaskInfo task;
  RequestClass request_class = RequestClass::Normal;
  HttpHandler handler;
  std::int64_t statuses[6] = {};
  telemetry::HdrHistogram durations;
};

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(boost::asio::any_io_executor executor, HttpOptions options);

  void add(std::string_view method, std::string_view pattern, HttpHandler handler, RequestClass request_class,
           const boost::source_location& where);
  Result<std::uint16_t> listen();
  void stop_accepting();
  void drain(std::function<void()> drained);
  void cancel();
  void close();
  [[nodiscard]] std::string left() const;
  [[nodiscard]] HttpStats stats() const;

  // For connections.
  [[nodiscard]] const HttpOptions& options() const noexcept { return options_; }
  [[nodiscard]] const base::Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] const Routes& routes() const noexcept { return routes_; }
  [[nodiscard]] Route& route(std::size_t number) { return *handlers_[number]; }
  /// Each answer ends its connection, unless another request was sent ahead and is here.
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }
  [[nodiscard]] std::span<char> scratch() noexcept { return scratch_; }
  /// Of an answer that is written now.
  [[nodiscard]] const std::string& date();
  /// The guard's answer, rendered once for each number of seconds.
  [[nodiscard]] const std::string& refusal(int retry_after_s);
  /// From now on; keeps the timer behind the deadlines.
  void set_deadline(Connection& connection, Line line);
  void clear_deadline(Connection& connection) noexcept;
  void enter(Connection& connection) { connections_.insert(&connection); }
  void leave(Connection& connection) noexcept { connections_.erase(&connection); }
  void record(const HttpLogEntry& entry, std::optional<std::size_t> route);
  HttpStats& counts() noexcept { return counts_; }

 private:
  enum class Accepted : std::uint8_t { One, None, Later };
  void wait_for_connections();
  void accept_some();
  Accepted accept_one();
  void accept_again_at(base::Mono moment);
  void make_room();
  void start(boost::asio::ip::tcp::socket socket, std::string peer);
  void ended();
  void close_port();
  void tell_if_drained();
  void arm(base::Mono moment);
  void deadlines_came();

  boost::asio::any_io_executor executor_;
  HttpOptions options_;
  base::SystemClock clock_;
  Routes routes_;
  std::vector<std::unique_ptr<Route>> handlers_;
  std::vector<char> scratch_;

  Listener listener_;
  boost::asio::steady_timer accept_timer_;
  bool awaits_connections_ = false;
  base::Mono seen_empty_{};  ///< when the listener had no connection for us
  bool stopping_ = false;
  bool port_closed_ = false;

  Deadlines deadlines_;
  boost::asio::steady_timer timer_;
  std::optional<base::Mono> armed_;

  std::set<Connection*> connections_;  ///< those with a socket
  int open_ = 0;                       ///< coroutines that have not ended
  std::vector<std::function<void()>> drained_;

  std::string date_;
  std::int64_t date_s_ = -1;
  std::map<int, std::string> refusals_;  ///< by seconds: at most an hour of them
  HttpStats counts_;
  telemetry::HdrHistogram durations_;
  telemetry::HdrHistogram waits_;
};

}  // namespace galley::http
