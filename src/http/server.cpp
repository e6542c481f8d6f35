#include "galley/http/server.hpp"

#include "galley/runtime/lifecycle.hpp"
#include "http/server_core.hpp"

namespace galley {

namespace {

void check_range(const char* option, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return;
  throw Exception(Error{Errc::InvalidInput, std::string(option) + " " + std::to_string(value) + " is not allowed: " +
                                                std::to_string(least) + ".." + std::to_string(most)});
}

void check_time(const char* option, Duration value, Duration least) {
  constexpr Duration kDay = std::chrono::hours(24);
  if (value >= least && value <= kDay) return;
  throw Exception(Error{Errc::InvalidInput, std::string(option) + " " + std::to_string(value.count()) +
                                                " us is not allowed: " + std::to_string(least.count()) + " us..24 h"});
}

HttpOptions checked(HttpOptions options) {
  check_range("backlog", options.backlog, 1, 65'535);
  check_range("max_connections", options.max_connections, 1, 1'000'000);
  check_range("max_header_bytes", static_cast<std::int64_t>(options.max_header_bytes), 1 << 10, 1 << 20);
  check_range("max_body_bytes", static_cast<std::int64_t>(options.max_body_bytes), 0, 1 << 30);
  check_time("idle_timeout", options.idle_timeout, std::chrono::milliseconds(1));
  check_time("header_timeout", options.header_timeout, std::chrono::milliseconds(1));
  check_time("body_timeout", options.body_timeout, std::chrono::milliseconds(1));
  check_time("write_timeout", options.write_timeout, std::chrono::milliseconds(1));
  check_time("idle_grace", options.idle_grace, Duration{0});
  return options;
}

}  // namespace

HttpServer::HttpServer(boost::asio::any_io_executor executor, HttpOptions options)
    : core_(std::make_shared<http::ServerCore>(std::move(executor), checked(std::move(options)))) {}

HttpServer::~HttpServer() { core_->close(); }

void HttpServer::add(std::string_view method, std::string_view pattern, HttpHandler handler, RequestClass request_class,
                     const boost::source_location& where) {
  core_->add(method, pattern, std::move(handler), request_class, where);
}

Result<std::uint16_t> HttpServer::listen() { return core_->listen(); }
void HttpServer::stop_accepting() { core_->stop_accepting(); }
void HttpServer::drain(std::function<void()> drained) { core_->drain(std::move(drained)); }
void HttpServer::cancel() { core_->cancel(); }
void HttpServer::close() { core_->close(); }
std::string HttpServer::left() const { return core_->left(); }
HttpStats HttpServer::stats() const { return core_->stats(); }

LifecyclePart part_of(HttpServer& server, std::string name) {
  LifecyclePart part;
  part.name = std::move(name);
  part.stop_accepting = [&server] { server.stop_accepting(); };
  part.drain = [&server](std::function<void()> drained) { server.drain(std::move(drained)); };
  part.cancel = [&server] { server.cancel(); };
  part.close = [&server] { server.close(); };
  part.left = [&server] { return server.left(); };
  return part;
}

}  // namespace galley
