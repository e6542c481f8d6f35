#pragma once
// Keeps a server useful when more is asked of it than it can do: who cannot be served in time is told so early and at
// little cost, the unimportant first, and the rest is served as if nothing were the matter.
//
//   galley::OverloadGuard guard;
//   galley::Arrival arrival;
//   arrival.request_class = galley::RequestClass::High;
//   arrival.at = when_its_first_byte_came;                       // the kernel's stamp where there is one
//   const galley::Verdict verdict = guard.take(arrival, now);    // admit() and start() where nothing lies between them
//   if (!verdict.admitted) return refuse_with_503(verdict.retry_after_s);
//   ...
//   guard.finished(how_long_it_took);
//
// What drives it is the wait that requests have really seen: from their arrival to their start. Three gates:
//   accept()  whether the next connection is accepted; else the kernel's backlog absorbs, and drops what is too much
//   admit()   before a request is parsed
//   start()   when it comes out of the line it waited in, before any work is done for it
//
// The rule. While Normal, only who has waited longer than max_wait, or whose deadline comes before its service would
// end, is refused. It is Busy once all requests of one interval have waited longer than the target: the least wait of
// an interval tells a line that stands from one that a burst has left (Nichols and Jacobson, "Controlling Queue Delay",
// ACM Queue 10(5), 2012). It is Busy earlier when the wait has grown by twice the target since it went above it (the
// line that a stall has left only gets shorter), and after half an interval when all waits are longer than interval and
// target together (that line has stood for an interval already). While Busy a request is refused when it has waited
// longer than its class may: Low half the target, Normal the target, High twice the target. So the wait settles at the
// limit of the class that does not fit as a whole; those below it are shed, those above it are all served. It is Normal
// again after an interval in which nobody has waited longer than half the target. System is never refused and never
// counted as a wait.
//
// The accept gate is closed while Busy when most of an interval have waited beyond twice the target, or when saying no
// takes too much of the time. It cannot tell classes apart: what the kernel drops may have been of any.
//
// One guard for each line that requests wait in (a loop, a pool): short waits in one line say nothing of another.
//
// It has no clock and no thread: moments are nanoseconds of any monotonic clock, always the same one. A moment before
// the latest that it has seen counts as that one.
//
// Thread-safety: every function from any thread; each holds a mutex for well under a microsecond. busy() holds none.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "galley/job.hpp"

namespace galley {

/// How important a request is; the lowest are shed first.
enum class RequestClass : std::uint8_t {
  Low,
  Normal,
  High,
  System,  ///< Health and metrics: exempt.
};
inline constexpr int kRequestClasses = 4;
/// "low", "normal", "high", "system".
[[nodiscard]] std::string_view name(RequestClass request_class) noexcept;

/// Why a request is not served.
enum class Refusal : std::uint8_t {
  Overload,  ///< by admit(): requests of its class wait too long just now
  Waited,    ///< by start(): it has itself waited too long
  Deadline,  ///< by either: its deadline comes before its service would end
};
inline constexpr int kRefusals = 3;
/// "overload", "waited", "deadline".
[[nodiscard]] std::string_view name(Refusal refusal) noexcept;

struct OverloadOptions {
  /// The wait that is all right, 1 ms..10 s. At least a few times what one request takes. Twice that is about the p99
  /// of the wait under overload.
  Duration target = std::chrono::milliseconds(20);
  /// How long it must be bad to be Busy, and good to be Normal again, 10 ms..60 s.
  Duration interval = std::chrono::milliseconds(100);
  /// Longer than this nobody waits, also while Normal: who asked has mostly gone. Above the target; 0: no limit.
  Duration max_wait = std::chrono::seconds(1);
  /// Of a request that brings no deadline of its own, from its arrival, up to 1 h; 0: none.
  Duration deadline{0};
  /// The part of the time that saying no may take, 0.01..1; when it takes more, connections are no longer accepted.
  double max_refusing = 0.1;
  /// Retry-After is drawn evenly between these two, so that those who are sent away do not come back together. Whole
  /// seconds, 1 s..1 h.
  Duration retry_after_min = std::chrono::seconds(1);
  Duration retry_after_max = std::chrono::seconds(5);
  /// Of the drawing; 0: from the system.
  std::uint64_t seed = 0;
  /// Gates that are off let everybody through.
  bool accept_gate = true;
  bool admit_gate = true;
  bool start_gate = true;
  OverloadOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// A request, as far as its class and its times go.
struct Arrival {
  RequestClass request_class = RequestClass::Normal;
  std::chrono::nanoseconds at{0};                    ///< When it came.
  std::optional<std::chrono::nanoseconds> deadline;  ///< The moment after which its answer is of no use.
  Arrival() {}
};

struct Verdict {
  bool admitted = true;
  Refusal refusal = Refusal::Overload;  ///< Where it was not admitted.
  int retry_after_s = 0;                ///< The same: for the header Retry-After.
};

struct AcceptAnswer {
  bool open = true;                    ///< Accept one connection now.
  std::chrono::nanoseconds ask_at{0};  ///< Where it is not open: the moment to ask again.
  /// What listen() should be called with from now on, also on a socket that listens already: what can be served within
  /// the target. 0: whatever the server had.
  int backlog = 0;
};

enum class OverloadState : std::uint8_t { Normal, Busy };
/// "normal", "busy".
[[nodiscard]] std::string_view name(OverloadState state) noexcept;

/// For /health and metrics. Counters only grow.
struct OverloadStatus {
  OverloadState state = OverloadState::Normal;
  bool accepting = true;             ///< the accept gate is open
  std::chrono::nanoseconds wait{0};  ///< the signal: what the request that came last to its start has waited; 0: idle
  std::chrono::nanoseconds service{0};  ///< a request's, exponentially weighted by 1/8
  double refusing = 0;                  ///< the part of the last interval that was spent on saying no
  std::int64_t waiting = 0;             ///< admitted, not started
  std::int64_t times_busy = 0;          ///< how often it became Busy
  std::int64_t times_closed = 0;        ///< how often the accept gate closed
  std::array<std::int64_t, kRequestClasses> started{};
  std::array<std::array<std::int64_t, kRefusals>, kRequestClasses> refused{};  ///< by class, then by reason
  [[nodiscard]] std::int64_t refused_by(Refusal reason) const noexcept;        ///< of all classes
};

class OverloadGuard {
 public:
  /// Throws Exception: InvalidInput naming the option, its value and what is allowed.
  explicit OverloadGuard(const OverloadOptions& options = {});
  ~OverloadGuard();
  OverloadGuard(const OverloadGuard&) = delete;
  OverloadGuard& operator=(const OverloadGuard&) = delete;

  /// Before each connection is accepted; a server may also ask before it reads the next request of a kept connection.
  /// While the gate is closed it lets as many through as can be served, so that the server never runs dry.
  [[nodiscard]] AcceptAnswer accept(std::chrono::nanoseconds now);

  /// Once the class is known, before parsing. Who is admitted comes to start() or abandon(), once.
  [[nodiscard]] Verdict admit(const Arrival& arrival, std::chrono::nanoseconds now);
  /// When it comes out of the line.
  [[nodiscard]] Verdict start(const Arrival& arrival, std::chrono::nanoseconds now);
  /// Instead of start(): its client has gone while it waited.
  void abandon();
  /// admit() and start() in one, where there is no line between them.
  [[nodiscard]] Verdict take(const Arrival& arrival, std::chrono::nanoseconds now);

  /// What one request took from its start to its answer; not called for those that were refused, nor for System.
  void finished(std::chrono::nanoseconds service);
  /// What it took to say no once, from reading to writing. A server that never says so has the gate of accept() go by
  /// the wait alone.
  void spent_refusing(std::chrono::nanoseconds cost, std::chrono::nanoseconds now);

  [[nodiscard]] OverloadStatus status(std::chrono::nanoseconds now) const;
  /// As of the last event: whether work that can be left out should be left out.
  [[nodiscard]] bool busy() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley
