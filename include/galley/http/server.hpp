#pragma once
// A small HTTP/1.1 server on a loop that the program has already, for the interfaces of a service: routes, limits, a
// log of requests, and an end that drops none.
//
//   galley::HttpServer server{loop.get_executor()};
//   server.route("GET", "/jobs/{id}", [](galley::HttpRequest& request) {
//     return galley::HttpResponse(200, "job " + std::string(request.parameter("id")));
//   });
//   const auto port = server.listen().value();
//
// A handler is a plain function, or a coroutine that returns asio::awaitable<HttpResponse>. It takes the request as
// HttpRequest&, which lives until it has answered, or as HttpRequest, to keep. What it throws is answered with 500.
//
// Requests of one connection are answered one after the other; what a client sends ahead waits in the kernel, but for
// 64 KiB. A request that cannot be understood is answered with 4xx or 505, and its connection closed.
//
// Thread-safety: none. All functions, and the destructor, are for the thread that runs the loop, or before it runs; the
// executor must not run two handlers at a time. The loop must outlive the server.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/assert/source_location.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "galley/error.hpp"
#include "galley/http/message.hpp"
#include "galley/runtime/overload_guard.hpp"

namespace galley {

namespace http {
class ServerCore;
}

/// One request, as it is logged when the last byte of its answer is handed to the kernel, or its connection is lost.
struct HttpLogEntry {
  std::string_view method;
  std::string_view pattern;  ///< of its route, "/jobs/{id}"; empty: it had none, or was refused before that was known
  int status = 0;
  Duration duration{0};      ///< from when the kernel had its last byte
  Duration waited{0};        ///< of that, until its handler began or it was refused
  std::uint64_t sent = 0;    ///< bytes, with the head
  bool complete = true;      ///< false: the connection was lost before the last byte was written
  std::exception_ptr error;  ///< what its handler threw, answered with 500
};

struct HttpOptions {
  std::string address = "127.0.0.1";  ///< An IP address; "0.0.0.0" or "::" for all.
  std::uint16_t port = 0;             ///< 0: one that is free.
  int backlog = 1'024;                ///< Connections that the kernel holds until they are accepted, 1..65,535.
  bool reuse_port = false;            ///< Several servers may listen on the port: one a loop.

  int max_connections = 10'000;                      ///< 1..1,000,000; more wait in the kernel, and idle ones give way.
  std::size_t max_header_bytes = 16 << 10;           ///< 1 KiB..1 MiB; more is answered with 431.
  std::size_t max_body_bytes = 1 << 20;              ///< 0..1 GiB; more is answered with 413.
  Duration idle_timeout = std::chrono::seconds(60);  ///< Of a connection between requests: then it is closed.
  Duration header_timeout = std::chrono::seconds(10);  ///< From the first byte of a request to its head's last: 408.
  Duration body_timeout = std::chrono::seconds(60);    ///< From there to its last byte: 408.
  Duration write_timeout = std::chrono::seconds(60);   ///< Of an answer, to its last byte: the connection is dropped.
  /// At a stop, a connection that is idle for less than this may have a request on its way, and is given the rest of
  /// it.
  Duration idle_grace = std::chrono::milliseconds(500);

  /// Asked before a connection is accepted, before a request is parsed, and before its handler begins; who is refused
  /// gets 503 with Retry-After, and the connection ends. Borrowed, and must outlive the loop; null: none.
  OverloadGuard* guard = nullptr;
  std::function<void(const HttpLogEntry&)> on_request;  ///< Must not throw.
  HttpOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// How long requests took; zeros where there was none.
struct HttpTimes {
  std::int64_t count = 0;
  Duration mean{0}, p50{0}, p90{0}, p99{0}, p999{0}, max{0};
};

struct HttpRouteStats {
  std::string method;
  std::string pattern;
  std::int64_t statuses[6] = {};  ///< [2]: of 200..299, and so on
  HttpTimes durations;
};

struct HttpStats {
  int connections = 0;
  int in_flight = 0;               ///< requests whose handler runs
  std::int64_t accepted = 0;       ///< connections
  std::int64_t requests = 0;       ///< answered, in whatever way
  std::int64_t refused = 0;        ///< of those, by the guard
  std::int64_t bad = 0;            ///< of those, not understood, too large or too slow
  std::int64_t lost = 0;           ///< their connection was lost before the last byte was written
  std::int64_t failed = 0;         ///< their handler threw
  std::int64_t accept_errors = 0;  ///< a connection could not be accepted: out of descriptors or memory
  HttpTimes durations;             ///< of all that were answered
  HttpTimes waits;                 ///< until their handler began
  std::vector<HttpRouteStats> routes;
};

using HttpPlainHandler = std::function<HttpResponse(HttpRequest&)>;
using HttpCoroutineHandler = std::function<boost::asio::awaitable<HttpResponse>(HttpRequest&)>;
using HttpHandler = std::variant<HttpPlainHandler, HttpCoroutineHandler>;

class HttpServer {
 public:
  /// Throws Exception, InvalidInput naming the option.
  explicit HttpServer(boost::asio::any_io_executor executor, HttpOptions options = {});
  /// As close(). What a handler awaits is destroyed with the loop.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// `pattern`: "/" and parts between slashes, each a text or {name}, which stands for any one part that is not empty;
  /// a text goes before a name. A GET route also answers HEAD. A handler stays until the loop ends. Throws Exception,
  /// InvalidInput: not a method or a pattern, or one that is there already. `request_class`: for the overload guard;
  /// health and metrics are System. While a plain function runs, its route
  /// is the current task of the thread (galley/runtime/current_task.hpp).
  template <class Handler>
  void route(std::string_view method, std::string_view pattern, Handler handler,
             RequestClass request_class = RequestClass::Normal,
             const boost::source_location& where = BOOST_CURRENT_LOCATION) {
    add(method, pattern, wrap(std::move(handler)), request_class, where);
  }

  /// Accepts from now on; the port. Errors: InvalidInput (address), Io (taken, not allowed).
  [[nodiscard]] Result<std::uint16_t> listen();

  /// No new connections: those that the kernel has are accepted yet, for 50 ms in which it takes no more, then the port
  /// is closed. Each answer ends its connection, or the last of those to what was sent ahead; idle ones are closed
  /// (HttpOptions::idle_grace).
  void stop_accepting();
  /// Calls `drained` once, when no connection is left, maybe before it returns. After stop_accepting().
  void drain(std::function<void()> drained);
  /// Cancels what the handlers that run await; those that end by it are answered with 503.
  void cancel();
  /// Closes all connections as they are.
  void close();
  /// "3 requests on 5 connections"; empty: nothing.
  [[nodiscard]] std::string left() const;

  [[nodiscard]] HttpStats stats() const;

 private:
  template <class Handler>
  static HttpHandler wrap(Handler handler) {
    constexpr bool kBorrows = std::is_invocable_v<Handler&, HttpRequest&>;
    static_assert(kBorrows || std::is_invocable_v<Handler&, HttpRequest>,
                  "a handler takes HttpRequest& or HttpRequest");
    auto call = [handler = std::move(handler)](HttpRequest& request) mutable {
      if constexpr (kBorrows) {
        return handler(request);
      } else {
        return handler(std::move(request));
      }
    };
    if constexpr (std::is_convertible_v<decltype(call(std::declval<HttpRequest&>())), HttpResponse>) {
      return HttpPlainHandler(std::move(call));
    } else {
      return HttpCoroutineHandler(std::move(call));
    }
  }
  void add(std::string_view method, std::string_view pattern, HttpHandler handler, RequestClass request_class,
           const boost::source_location& where);

  std::shared_ptr<http::ServerCore> core_;
};

struct LifecyclePart;
/// What a stop has to see to (galley/runtime/lifecycle.hpp). Borrows the server.
[[nodiscard]] LifecyclePart part_of(HttpServer& server, std::string name = "http");

}  // namespace galley
