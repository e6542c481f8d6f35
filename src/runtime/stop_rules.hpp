#pragma once
// The order of a graceful stop, without timers and without the parts that are stopped: what has happened goes in, what
// is to be done comes out.
//
//   Running ─stop─▶ NotReady ─delay over─▶ Draining ─all drained──────────────▶ Ended
//                                             └─limit over─▶ Cancelling ─all drained, or limit over─▶ Ended
//
// Parts are numbered as they were registered, which is the order in which they need each other: a later one uses an
// earlier one. So all is done in reverse. A part is drained when those after it are, because they may still need it.
// Each further request to stop ends the stage that is going on: after the second nothing is waited for but what was
// cancelled, after the third nothing.
//
// Pure. Thread-safety: none.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "galley/runtime/lifecycle.hpp"

namespace galley::runtime {

struct StopAction {
  enum class Kind : std::uint8_t {
    StopAccepting,  ///< of a part
    Drain,          ///< of a part: drained() is to be called when nothing is left of it
    Cancel,         ///< of a part
    Close,          ///< of a part
    End,            ///< the last
  };
  Kind kind = Kind::End;
  int part = -1;
  [[nodiscard]] bool operator==(const StopAction&) const = default;
};

class StopRules {
 public:
  StopRules(Duration not_ready, Duration drain, Duration cancel)
      : not_ready_(not_ready), drain_limit_(drain), cancel_limit_(cancel) {}

  /// The first begins the stop of so many parts; each further one hurries it.
  [[nodiscard]] std::vector<StopAction> stop(int parts, base::Mono now);
  /// Also when it is no longer waited for.
  [[nodiscard]] std::vector<StopAction> drained(int part);
  [[nodiscard]] std::vector<StopAction> tick(base::Mono now);
  /// When to call tick(); nothing: no need.
  [[nodiscard]] std::optional<base::Mono> deadline() const noexcept;

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  /// At the end: it was still at work, and is left alone.
  [[nodiscard]] bool abandoned(int part) const { return !parts_[static_cast<std::size_t>(part)].drained; }
  [[nodiscard]] bool cancelled(int part) const { return parts_[static_cast<std::size_t>(part)].cancelled; }
  /// Requests to stop, after the first.
  [[nodiscard]] int hurried() const noexcept { return hurried_; }

 private:
  struct Part {
    bool draining = false;
    bool drained = false;
    bool cancelled = false;
  };
  using Actions = std::vector<StopAction>;
  void begin_draining(Actions& actions, base::Mono now);
  void drain_next(Actions& actions);
  void begin_cancelling(Actions& actions, base::Mono now);
  void end(Actions& actions);
  [[nodiscard]] bool all_drained() const noexcept;

  Duration not_ready_;
  Duration drain_limit_;
  Duration cancel_limit_;
  Stage stage_ = Stage::Running;
  base::Mono since_{};  ///< of the stage
  int hurried_ = 0;
  std::vector<Part> parts_;
};

}  // namespace galley::runtime
