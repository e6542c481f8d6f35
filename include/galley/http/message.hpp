#pragma once
// What a handler of the HTTP server gets, and what it gives back.
//
// Thread-safety: plain values.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "galley/job.hpp"

namespace galley {

namespace http {
class RequestParser;
}

/// One request, whole: a handler never sees a part of one. Views live as long as it does, also when it is moved.
class HttpRequest {
 public:
  /// For tests of handlers; the server makes its own.
  explicit HttpRequest(std::string_view method = "GET", std::string_view target = "/", std::string body = {});
  ~HttpRequest();
  HttpRequest(HttpRequest&&) noexcept;
  HttpRequest& operator=(HttpRequest&&) noexcept;

  /// "GET".
  [[nodiscard]] std::string_view method() const noexcept;
  /// As it was sent: "/jobs/7?full=1".
  [[nodiscard]] std::string_view target() const noexcept;
  /// The target up to the question mark.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The first value of that name in the query, decoded; nothing: it is not there.
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
  /// What stands in the path at {name} of the route's pattern, decoded; empty: the pattern has no such name.
  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
  /// The first of that name, whatever its case; nothing: it is not there.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  [[nodiscard]] const std::string& body() const noexcept;
  /// "127.0.0.1:50312"; empty for one that a test has made.
  [[nodiscard]] std::string_view peer() const noexcept;
  /// From when the kernel had it until its handler began.
  [[nodiscard]] Duration waited() const noexcept;

 private:
  friend class http::RequestParser;
  struct Content;
  std::unique_ptr<Content> content_;
};

struct HttpResponse {
  int status = 200;  ///< 200..599
  /// Content-Length, Connection and Date are the server's.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool close = false;  ///< The connection ends with this answer.

  HttpResponse() {}
  explicit HttpResponse(int code) : status(code) {}
  HttpResponse(int code, std::string text, std::string content_type = "text/plain; charset=utf-8")
      : status(code), body(std::move(text)) {
    headers.emplace_back("Content-Type", std::move(content_type));
  }
};

}  // namespace galley
