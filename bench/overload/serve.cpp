// The server of the overload benchmark: one loop, and a piece of work of a known length in each request.
//
//   galley_overload RULE WORK_US
//
// RULE: none, toobusy, accept, admit, start (one gate of the guard alone), all (the three). It prints its port and goes
// on until it is killed.
//
//   /work /low /high   the work, in the class Normal, Low or High
//   /stall             holds the loop for a second
//   /status            JSON: what was refused, and how long after a stall somebody was who came when it was over

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "bench/stopwatch.hpp"
#include "galley/http/server.hpp"
#include "galley/runtime/overload_guard.hpp"
#include "galley/runtime/too_busy.hpp"

namespace bench {
namespace {

namespace asio = boost::asio;

/// So many steps of a computation: as long on a busy machine as on an idle one, measured by the work done.
std::uint64_t work(std::int64_t steps) {
  std::uint64_t value = 88'172'645'463'325'252U;
  for (std::int64_t step = 0; step < steps; ++step) {
    value ^= value << 13U;  // xorshift64 (Marsaglia, "Xorshift RNGs", 2003)
    value ^= value >> 7U;
    value ^= value << 17U;
  }
  return value;
}

/// Steps in a microsecond: the best of some tries, so that no other process is measured.
double steps_in_a_us() {
  constexpr std::int64_t kSteps = 2'000'000;
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const Stopwatch watch;
    if (work(kSteps) == 0) std::abort();
    best = std::max(best, static_cast<double>(kSteps) / (watch.seconds() * 1e6));
  }
  return best;
}

Nanos monotonic_now() { return Nanos(static_cast<std::int64_t>(monotonic_us() * 1e3)); }

class Server {
 public:
  Server(std::string_view rule, double work_us)
      : steps_(static_cast<std::int64_t>(work_us * steps_in_a_us())),
        second_(static_cast<std::int64_t>(1e6 * steps_in_a_us())) {
    if (rule == "toobusy") {
      too_busy_ = std::make_unique<galley::TooBusy>();
      tick();
    } else if (rule != "none") {
      galley::OverloadOptions options;
      options.accept_gate = rule == "accept" || rule == "all";
      options.admit_gate = rule == "admit" || rule == "all";
      options.start_gate = rule == "start" || rule == "all";
      guard_ = std::make_unique<galley::OverloadGuard>(options);
    }
    galley::HttpOptions options;
    options.guard = guard_.get();
    options.backlog = 4'096;
    options.on_request = [this](const galley::HttpLogEntry& entry) { note(entry); };
    server_ = std::make_unique<galley::HttpServer>(io_.get_executor(), options);
    add_routes();
  }

  void run() {
    std::printf("%d\n", server_->listen().value());
    std::fflush(stdout);
    io_.run();
  }

 private:
  void add_routes() {
    const auto handler = [this](galley::HttpRequest&) { return answer(); };
    server_->route("GET", "/work", handler);
    server_->route("GET", "/low", handler, galley::RequestClass::Low);
    server_->route("GET", "/high", handler, galley::RequestClass::High);
    server_->route(
        "GET", "/stall",
        [this](galley::HttpRequest&) {
          const bool done = work(second_) != 0;
          stalled_until_us_ = monotonic_us();
          return galley::HttpResponse(done ? 200 : 500);
        },
        galley::RequestClass::System);
    server_->route(
        "GET", "/status", [this](galley::HttpRequest&) { return galley::HttpResponse(200, status()); },
        galley::RequestClass::System);
  }

  galley::HttpResponse answer() {
    if (too_busy_ && (*too_busy_)()) return galley::HttpResponse(503, "busy");
    return galley::HttpResponse(200, std::to_string(work(steps_)));
  }

  void tick() {
    timer_.expires_after(too_busy_->interval());
    timer_.async_wait([this](boost::system::error_code fault) {
      if (fault) return;
      too_busy_->tick(monotonic_now());
      tick();
    });
  }

  void note(const galley::HttpLogEntry& entry) {
    if (entry.status != 503) return;
    ++refused_;
    const double came = monotonic_us() - static_cast<double>(entry.duration.count());
    if (stalled_until_us_ == 0 || came < stalled_until_us_) return;
    ++false_refusals_;
    last_false_us_ = came - stalled_until_us_;
  }

  std::string status() {
    char text[200];
    const galley::OverloadStatus guard = guard_ ? guard_->status(monotonic_now()) : galley::OverloadStatus{};
    std::snprintf(text, sizeof text,
                  R"({"refused": %lld, "false": %lld, "false_for_ms": %.1f, "refusing": %.3f, "times_closed": %lld})",
                  static_cast<long long>(refused_), static_cast<long long>(false_refusals_), last_false_us_ / 1e3,
                  guard.refusing, static_cast<long long>(guard.times_closed));
    return text;
  }

  std::int64_t steps_;
  std::int64_t second_;
  asio::io_context io_{1};
  asio::steady_timer timer_{io_};
  std::unique_ptr<galley::TooBusy> too_busy_;
  std::unique_ptr<galley::OverloadGuard> guard_;
  std::unique_ptr<galley::HttpServer> server_;
  std::int64_t refused_ = 0;
  double stalled_until_us_ = 0;  ///< 0: not yet
  std::int64_t false_refusals_ = 0;
  double last_false_us_ = 0;
};

int main(int count, char** words) {
  const std::string_view rule = count == 3 ? words[1] : "";
  constexpr std::string_view kRules[] = {"none", "toobusy", "accept", "admit", "start", "all"};
  const double work_us = count == 3 ? std::atof(words[2]) : 0;
  if (std::find(std::begin(kRules), std::end(kRules), rule) == std::end(kRules) || work_us <= 0) {
    std::fprintf(stderr, "usage: galley_overload none|toobusy|accept|admit|start|all WORK_US\n");
    return 2;
  }
  Server(rule, work_us).run();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int count, char** words) { return bench::main(count, words); }
