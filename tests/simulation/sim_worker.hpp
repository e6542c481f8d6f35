#pragma once
// One worker of a simulation: the engine's core and dispatcher, moved by hand. What WorkerRun does with threads, this
// does a move at a time: a turn of the dispatcher, a look of the watchdog, or a word of one handler.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/attempt.hpp"
#include "engine/dispatcher.hpp"
#include "simulation/draw.hpp"
#include "simulation/trace.hpp"

namespace galley::simulation {

/// What all workers of a run have in common.
struct WorkerSettings {
  Duration lease = limits::kLease;
  double stubborn = 0;     ///< how many handlers ignore a stop
  double endless = 0;      ///< how many never end
  double not_started = 0;  ///< how many claims find no thread or no room
  double deaf = 0;         ///< how many rings are missed
  bool hoards = false;     ///< a planted bug: see Bug::HoardAhead
  bool outlives = false;   ///< another one: Bug::IgnoreLeaseEnd
  double brief = 0;        ///< how many attempts take less than a millisecond: their kinds are claimed ahead
};

/// Asked before an attempt begins; throws a Violation where it must not.
class Starts {
 public:
  virtual ~Starts() = default;
  virtual void begins(const job::ClaimId& claim) = 0;
};

class SimWorker final : private engine::Runner {
 public:
  struct Handler {
    std::shared_ptr<engine::RunningAttempt> attempt;
    int plan = 0;
    bool stubborn = false;
    bool endless = false;
    bool killed = false;
    bool slept = false;  ///< its worker did not run for a while: it could not be stopped in time
    Duration reaction{0};
    base::Mono began_at{};
    bool stopped = false;  ///< it was asked to
    base::Mono ends_at{};
    base::Mono speaks_at{};
  };

  SimWorker(std::string name, store::Store& store, const base::Clock& clock, Draw& draw, Trace& trace, Starts& starts,
            const WorkerSettings& settings);

  /// False: it could not join.
  [[nodiscard]] bool join();
  [[nodiscard]] store::WorkerId id() const noexcept { return id_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // Its threads: whether one has something to do now, and when the next one has.
  /// `calls`: how many the store has executed. Its bell is asked only after another one, because asking takes time.
  [[nodiscard]] bool dispatcher_due(std::int64_t calls);
  [[nodiscard]] bool watchdog_due();
  [[nodiscard]] std::optional<engine::SlotId> handler_due() const;
  [[nodiscard]] base::Mono next_wake(bool with_dispatcher);
  /// True: it has ended. `abandoned`: it must not say good-bye.
  struct Turned {
    bool ended = false;
    bool abandoned = false;
  };
  [[nodiscard]] Turned turn();
  void watch();
  void speak(engine::SlotId slot);

  /// It was told that this claim, which a handler still runs, is no longer its own.
  void loses(const job::ClaimId& claim);
  [[nodiscard]] bool has_lost(const job::ClaimId& claim) const { return lost_.contains(claim.epoch); }

  void stop();
  void hurry();
  void slept();
  [[nodiscard]] bool stopping() { return shared_.core.stopping(); }
  [[nodiscard]] const std::string& stalled() { return shared_.core.stalled(); }
  [[nodiscard]] const std::map<engine::SlotId, Handler>& handlers() const noexcept { return handlers_; }
  [[nodiscard]] bool has_endless() const;
  /// Since when it has had a claim ahead; nothing: it has none.
  [[nodiscard]] std::optional<base::Mono> ahead_since() const { return shared_.core.ahead_since(); }
  /// Without new stubborn or endless handlers from now on.
  void calm() { settings_ = {.lease = settings_.lease}; }

  // What the world does to it.
  bool in_call = false;
  base::Mono called_at{};  ///< of the wait that it is in
  bool doomed = false;
  base::Mono frozen_until{};
  base::Mono cut_off_until{};  ///< the others reach the store
  base::Mono trouble_at{};     ///< the last time that it did not reach its store, or did not run

 private:
  void adopt(engine::Start& start) override;
  bool launch(engine::SlotId slot) override;
  void changed() override {}
  store::Renewal renewal(const engine::SlotClaim& claim) override;
  void told(const engine::SlotClaim& claim, bool queue_paused) override;
  bool has_completed_itself(const engine::SlotClaim&) override { return false; }
  engine::AttemptEnd snapshot(engine::SlotId slot) override;

  [[nodiscard]] Handler* running(const engine::SlotClaim& claim);
  [[nodiscard]] base::Mono watch_at() const;
  void begin(engine::SlotId slot);
  void end(engine::SlotId slot);
  void wake() { woken_ = woken_ || shared_.dispatcher_waits; }
  static engine::CoreOptions options(Draw& draw, const WorkerSettings& settings);

  std::string name_;
  store::Store& store_;
  const base::Clock& clock_;
  Draw& draw_;
  Trace& trace_;
  Starts& starts_;
  WorkerSettings settings_;
  engine::CoreOptions options_;
  engine::SharedCore shared_;
  std::unique_ptr<store::Bell> bell_;
  engine::Dispatcher dispatcher_;
  store::WorkerId id_ = 0;
  std::map<engine::SlotId, Handler> handlers_;
  std::set<std::int64_t> lost_;  ///< epochs, each of one claim
  std::optional<base::Mono> waits_until_;
  bool woken_ = false;
  std::int64_t heard_ = 0;  ///< calls
};

}  // namespace galley::simulation
