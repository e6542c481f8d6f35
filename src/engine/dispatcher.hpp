#pragma once
// The worker's loop without its thread: one turn asks the core what to do next, does it on the store, and tells the
// core how it went. All store calls of a worker are made here. Whoever calls turn() waits in between as it says: the
// worker's own thread with the store's bell, a simulation with a clock of its own.
//
// Thread-safety: turn() from one thread, start() from any; the lock of SharedCore guards the core against the others.

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/log.hpp"
#include "engine/meter.hpp"
#include "engine/worker_core.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// The core and its one lock.
struct SharedCore {
  explicit SharedCore(CoreOptions options, base::Mono now) : core(std::move(options), now) {}
  std::mutex mutex;
  WorkerCore core;
  bool dispatcher_waits = false;  ///< its last turn said so: news for it must wake it
};

/// Whoever runs the attempts.
class Runner {
 public:
  virtual ~Runner() = default;
  /// With the lock held: the attempt exists from now on, and actions for it may come.
  virtual void adopt(Start& start) = 0;
  /// Without the lock: it begins. False: it could not.
  virtual bool launch(SlotId slot) = 0;
  /// With the lock held: the core was told something, so its next_deadline() may have changed.
  virtual void changed() = 0;
  /// Without the lock: what the attempt has to tell; where it has ended, the bare renewal.
  virtual store::Renewal renewal(const SlotClaim& claim) = 0;
  virtual void told(const SlotClaim& claim, bool queue_paused) = 0;
  /// Without the lock: RunningAttempt::has_completed_itself; false where the attempt has ended.
  virtual bool has_completed_itself(const SlotClaim& claim) = 0;
  /// Without the lock: what an attempt that does not end has said so far.
  virtual AttemptEnd snapshot(SlotId slot) = 0;
};

struct Turn {
  bool done = false;
  bool abandoned = false;                ///< see Done
  std::optional<base::Mono> wait_until;  ///< nothing: turn again now
};

class Dispatcher {
 public:
  /// All are borrowed.
  Dispatcher(store::Store& store, SharedCore& shared, Runner& runner, const base::Clock& clock, base::Logger logger,
             std::function<bool(const job::JobRecord&)> serves);

  [[nodiscard]] Turn turn();
  /// Launches what the runner has adopted.
  void start(const std::vector<Start>& starts);
  /// False: no thread could be started for it, and its claim is to be given back with the next turn.
  bool start(SlotId slot);

 private:
  Turn act(const Exchange& exchange);
  Turn act(const Renew& renew);
  Turn act(const Step& step);
  Turn act(const Look& look);
  Turn act(const Abandon& abandon);
  Turn act(const Wait& wait);
  Turn act(const Done& done);
  Turn failed(std::string_view verb, const Error& error);
  [[nodiscard]] bool is_completed_by_handler(const SlotClaim& claim);
  void tell_measures();
  void learn();
  void log_finish(const store::Finish& finish, const FinishNote& note, store::FinishAnswer answer) const;
  struct Trouble {
    std::vector<job::ClaimId> given_up;
    bool failing = false;
    std::string stalled;
  };
  void log_trouble(const Trouble& trouble);

  store::Store& store_;
  SharedCore& shared_;
  Runner& runner_;
  const base::Clock& clock_;
  base::Logger logger_;
  Duration lease_;
  std::function<bool(const job::JobRecord&)> serves_;
  Meter meter_;
  base::Mono learn_at_{};
  bool failing_ = false;  ///< said so
  bool said_stalled_ = false;
};

}  // namespace galley::engine
