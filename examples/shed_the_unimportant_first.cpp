// A server that is asked for three times what it can do, and serves the important requests as if nothing were the
// matter. In time that is made up: the guard is told every moment, so an hour of overload takes no longer than a test.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>

#include "galley/runtime/overload_guard.hpp"

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

constexpr nanoseconds kService = 1ms;
constexpr nanoseconds kRefusal = 20us;

/// Of ten requests one is High, three are Normal, and six Low.
galley::RequestClass class_of(std::int64_t number) {
  const std::int64_t digit = number % 10;
  return digit == 0 ? galley::RequestClass::High : digit < 4 ? galley::RequestClass::Normal : galley::RequestClass::Low;
}

struct Counts {
  std::int64_t came[galley::kRequestClasses] = {};
  std::int64_t served[galley::kRequestClasses] = {};
  nanoseconds longest_wait{0};
};

/// Requests come every `gap`, and are taken first come, first served.
Counts serve(galley::OverloadGuard& guard, nanoseconds gap, nanoseconds length) {
  Counts counts;
  std::deque<galley::Arrival> line;
  std::int64_t number = 0;
  for (nanoseconds now{0}; now < length;) {
    for (; number * gap <= now; ++number) {
      galley::Arrival arrival;
      arrival.at = number * gap;
      arrival.request_class = class_of(number);
      ++counts.came[static_cast<int>(arrival.request_class)];
      line.push_back(arrival);
    }
    if (line.empty()) {
      now = number * gap;
      continue;
    }
    const galley::Arrival next = line.front();
    line.pop_front();
    const galley::Verdict verdict = guard.take(next, now);
    if (!verdict.admitted) {  // 503, and Retry-After: verdict.retry_after_s
      now += kRefusal;
      guard.spent_refusing(kRefusal, now);
      continue;
    }
    if (now - next.at > counts.longest_wait) counts.longest_wait = now - next.at;
    now += kService;
    guard.finished(kService);
    ++counts.served[static_cast<int>(next.request_class)];
  }
  return counts;
}

}  // namespace

int main() {
  galley::OverloadGuard guard;
  const nanoseconds length = 1h;
  const Counts counts = serve(guard, kService / 3, length);
  for (const auto request_class :
       {galley::RequestClass::High, galley::RequestClass::Normal, galley::RequestClass::Low}) {
    const int i = static_cast<int>(request_class);
    std::printf("%-6s  %8lld came, %5.1f %% served\n", galley::name(request_class).data(),
                static_cast<long long>(counts.came[i]),
                100.0 * static_cast<double>(counts.served[i]) / static_cast<double>(counts.came[i]));
  }
  const galley::OverloadStatus status = guard.status(length);
  std::printf("the longest wait of a served one: %lld ms; now %s, refused %lld\n",
              static_cast<long long>(counts.longest_wait / 1ms), galley::name(status.state).data(),
              static_cast<long long>(status.refused_by(galley::Refusal::Overload)));
  return counts.served[static_cast<int>(galley::RequestClass::High)] * 100 >= counts.came[2] * 99 ? 0 : 1;
}
