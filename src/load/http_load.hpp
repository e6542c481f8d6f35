#pragma once
// A load test over HTTP/1.1: an open loop of requests on kept connections, from one thread.

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "galley/error.hpp"
#include "load/open_loop.hpp"

namespace galley::load {

inline constexpr std::size_t kMaxAnswerBytes = 64 << 20;  // of a body, which is read and dropped
inline constexpr std::size_t kMaxRequestBytes = 16 << 20;

struct HttpTarget {
  std::string host;       ///< a name or an address
  std::string port;       ///< "80"
  std::string path;       ///< with the query: "/compute?n=30"
  std::string authority;  ///< as the Host header says it
};

/// Reads "http://host[:port][/path][?query]". Errors: InvalidInput naming the URL and what is allowed.
[[nodiscard]] Result<HttpTarget> target_from(std::string_view url);

struct HttpRequest {
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
/// Errors: InvalidInput naming what is wrong.
[[nodiscard]] Result<void> validate(const HttpRequest& request);

struct HttpLoad {
  HttpTarget target;
  HttpRequest request;
  int connections = 100;
  Duration timeout = std::chrono::seconds(10);  ///< of one request, from when it was sent; connecting included
  Duration deadline{0};                         ///< Report::deadline
};

/// Carries the plan out and returns when the last answer is in, or soon after `stopping` became true (it is looked at
/// every 50 ms); what is on its way then gets no more than the time-out. A server that is not there is not an error:
/// each request counts as refused. Errors: NotFound where the host has no address, Io.
[[nodiscard]] Result<Report> run_http(const HttpLoad& load, Plan plan, const base::Clock& clock,
                                      const std::atomic<bool>& stopping);

}  // namespace galley::load
