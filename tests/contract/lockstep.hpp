#pragma once
// Two stores under one clock, the memory backend and another, driven through the same random operations; every answer
// of one must be the answer of the other. Beside that it keeps a book of its own and holds both to the invariants that
// no comparison would miss: nothing is lost, a job has one live claim, epochs only grow.

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "contract/backends.hpp"
#include "contract/describe.hpp"

namespace galley::store::contract {

class Lockstep {
 public:
  Lockstep(std::uint64_t seed, const Backend& backend);

  /// One random operation and the comparison of its answers. Failures are GoogleTest's.
  void operate();
  /// The comparison of all that the stores hold.
  void compare_contents();
  /// What was done last, for a person who looks at a failure.
  [[nodiscard]] std::string story() const;

 private:
  void expect_sound();
  using Worker = std::array<WorkerId, 2>;  // its id in each store

  // Chance.
  [[nodiscard]] int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }
  [[nodiscard]] bool one_in(int n) { return below(n) == 0; }
  template <class T>
  [[nodiscard]] const T& any_of(const std::vector<T>& items) {
    return items[static_cast<std::size_t>(below(static_cast<int>(items.size())))];
  }
  [[nodiscard]] job::NewJob any_job();
  void put_into_batches(job::NewJob& job);
  [[nodiscard]] store::Schedule any_schedule(const std::string& name);
  [[nodiscard]] job::NewJob grouped(const job::NewJob& job);
  [[nodiscard]] Finish any_finish(const job::Claim& claim);
  [[nodiscard]] ClaimRequest any_request();
  [[nodiscard]] std::vector<JobId> any_ids();
  [[nodiscard]] LimitTarget any_target();
  [[nodiscard]] LimitRule any_rule(LimitScope scope);
  [[nodiscard]] Filter any_filter();
  [[nodiscard]] Alteration any_alteration();

  // Operations.
  void enqueue();
  void exchange();
  void renew();
  void step();
  void pass_time();
  void change_workers();
  void report();
  void by_person();
  void look();
  void change_batches();
  void change_schedules();
  void change_limits();

  /// Calls `verb(store, which)` on both, expects the same answer, gives the other backend's one.
  template <class Verb>
  auto same(const std::string& what, Verb verb);
  /// The same, and part of the story.
  template <class Verb>
  auto both(const std::string& what, Verb verb);
  void join();
  /// Enters the jobs of ticks into the book.
  void note_ticks();
  void note_claim(const job::Claim& claim);
  void note_finish(const Finish& finish, FinishAnswer answer);
  /// Forgets the claims that the stores have recovered.
  void forget_lost_claims();
  [[nodiscard]] bool something_to_prune();
  [[nodiscard]] static Result<std::vector<JobId>> all_ids(Store& store, const Filter& filter, std::size_t page);
  [[nodiscard]] static Result<std::vector<job::JobRecord>> all_pages(Store& store, const Filter& filter,
                                                                     std::size_t page);

  std::mt19937_64 random_;
  base::ManualClock clock_;
  std::array<Opened, 2> opened_;  // the specification, the other
  std::vector<Worker> workers_;
  std::vector<job::Claim> claims_;  // all that were given, stale ones too
  std::vector<std::string> story_;

  // The book.
  BatchId opened_batches_ = 0;
  std::set<JobId> enqueued_;
  std::set<JobId> erased_;
  std::set<JobId> completed_;
  std::size_t pruned_ = 0;
  std::map<JobId, std::int64_t> live_;  // the claim that each running job is under
  std::int64_t last_epoch_ = 0;
  bool rates_ = false;  ///< some limit has a rate: when it lets a job go on, each backend may find out sooner or later
};

}  // namespace galley::store::contract
