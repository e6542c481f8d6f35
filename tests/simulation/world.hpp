#pragma once
// One run: workers, producers and persons round one store, moved one at a time by a scheduler that draws who is next,
// what goes wrong, and how time passes. One thread, one seed.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "simulation/faulty_store.hpp"
#include "simulation/ledger.hpp"
#include "simulation/planted_store.hpp"
#include "simulation/sim_worker.hpp"
#include "simulation/watched_store.hpp"

namespace galley::simulation {

/// How one run went.
struct Ran {
  std::optional<Rule> broken;
  std::string what;
  std::string trace;
  std::uint64_t hash = 0;  ///< of the whole trace
  int moves = 0;
};

[[nodiscard]] Ran simulate(std::uint64_t seed, Bug bug = Bug::None);

/// What can go wrong in one run, drawn with its seed: some runs are calm, some are wild, most lack some of it.
struct Weather {
  double lost_request = 0;
  double lost_reply = 0;
  double twice = 0;
  double slow = 0;
  double dies_in_call = 0;
  double outage = 0;
  double crash = 0;
  double freeze = 0;
  double leave = 0;
  double calendar = 0;
  double person = 0;
};

/// What the jobs of one run are like: how many of them have a key, are ordered by it, and name a limit; how often a
/// limit has a rate, a producer turns to its batches and splits, a person to the schedules; whether keys have weights.
struct Mix {
  double keyed = 0;
  double ordered = 0;
  double limited = 0;
  double rated = 0;
  double batched = 0;
  double recurring = 0;
  bool weighted = false;
};

/// A batch on its way into the store, whose producer repeats what is not answered.
struct OpenBatch {
  std::string token;
  BatchId id = 0;  ///< 0: it was not answered yet
  int jobs = 0;    ///< that are still to be put into it
  std::vector<job::Trigger> callbacks;
};

/// A split that was not answered yet.
struct OpenSplit {
  std::string token;
  int parts = 0;
};

inline constexpr std::size_t kMaxWorkers = 4;

class World final : private Witness, private Road, private Starts {
 public:
  World(std::uint64_t seed, Bug bug);
  void run();
  [[nodiscard]] const Trace& trace() const noexcept { return trace_; }
  [[nodiscard]] int moves() const noexcept { return moves_; }

 private:
  void claimed(const job::ClaimId& claim) override;
  void recovered(const job::ClaimId& claim) override;
  void begins(const job::ClaimId& claim) override;
  Journey journey(std::string_view verb) override;
  void pass(Duration time) override;
  bool loses(const job::ClaimId& claim) override;
  void ends(const job::ClaimId& claim) override;
  void die() override;

  [[nodiscard]] Starts& starts() noexcept { return *this; }

  // The scheduler.
  void move(base::Mono no_later);
  bool move_urgent();
  bool move_one();
  void check_ahead() const;
  void check_lost() const;
  void advance(base::Mono no_later);
  [[nodiscard]] bool runs(const SimWorker& worker) const;
  void turn(SimWorker& worker);
  void bury();
  void drain();
  [[nodiscard]] std::string what_is_left() const;

  // What comes from outside.
  void happen();
  void join();
  void crash(SimWorker& worker);
  void freeze(SimWorker& worker);
  void prove_a_death();
  [[nodiscard]] SimWorker* any_worker();
  void produce();
  void send(std::size_t index);
  [[nodiscard]] job::NewJob new_job();
  void start_gathering();
  void gather();
  void gather_on(std::size_t index);
  void send_split(std::size_t index, bool last_time);
  void end_gathering();
  void operate();
  void change_queue();
  void change_limit();
  void change_schedule();
  void weigh();

  Bug bug_;
  Draw draw_;
  base::ManualClock clock_;
  Time latest_;  ///< that the calendar has shown
  Trace trace_;
  Ledger ledger_;
  WorkerSettings settings_;
  Weather weather_;
  Mix mix_;
  FaultyStore store_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  SimWorker* caller_ = nullptr;  ///< whose call is under way; nothing: a producer or a person
  std::vector<job::NewJob> unsent_;
  std::vector<OpenBatch> batches_;
  std::vector<OpenSplit> splits_;
  std::set<std::string> schedules_;
  std::vector<store::WorkerId> dead_;
  base::Mono outage_until_{};
  base::Mono happens_at_{};
  int jobs_left_ = 0;
  int names_ = 0;
  int tokens_ = 0;
  int depth_ = 0;
  int moves_ = 0;
  bool calm_ = false;
};

}  // namespace galley::simulation
