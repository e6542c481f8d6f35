#pragma once
// A store with one bug of choice, to see that the simulation finds it. The product carries no switches: the bug is
// made out of what the store allows.

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "engine/forwarding_store.hpp"

namespace galley::simulation {

enum class Bug : std::uint8_t {
  None,
  IgnoreEpoch,     ///< a late finish ends the present claim
  RenewAnything,   ///< a renewal of a lost claim is answered as if it were held
  ShortLease,      ///< leases end halfway
  NeverRecover,    ///< a dead worker's claims stay
  PutBackInFront,  ///< a paused job stands before what was ready
  ClaimTooMany,    ///< one more than the slots that are free
  HandOutTwice,    ///< a claim goes to two workers
  BoundOff,        ///< a queue takes more than its bound
  LoseEnqueue,     ///< some acknowledged jobs are not there
  ForgetToken,     ///< a repeated enqueue is a second job
  ForgetUnique,    ///< a key is held by many
  CountNoErrors,   ///< errors are not counted
  LimitOff,        ///< one claim more than a limit allows
  LimitForgets,    ///< a limit that is put again does not count what runs under it
  IgnoreHolder,    ///< an ordered job that waits for another try lets the next one of its key start
  IgnoreOrdered,   ///< ordered jobs are like others
  RateOff,         ///< a limit's rate lets twice as many start
  WeightOff,       ///< the weight of one key is a thousand
  CallbackEarly,   ///< a callback does not wait for its batch
  LoseMember,      ///< a job of a batch is not counted by it
  TickTwice,       ///< a tick has two jobs
  ForgetTick,      ///< a tick that nobody served in time has no job, whatever its schedule says
  IgnoreLeaseEnd,  ///< a worker (not its store) lets attempts go on though their leases end
  IgnoreLoss,      ///< a worker takes a claim that it cannot renew any more for one that it holds
  HoardAhead,      ///< a worker (not its store) neither starts nor gives back what no slot of its has come for
};

class PlantedStore final : public engine::ForwardingStore {
 public:
  PlantedStore(std::unique_ptr<store::Store> inner, Bug bug) : ForwardingStore(std::move(inner)), bug_(bug) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override;
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override;
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override;
  Result<store::StepAnswer> step(std::size_t limit) override;
  Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) override;
  Result<void> put_limit(const store::LimitTarget& target, const store::LimitRule& rule) override;
  Result<void> set_weight(const std::string& queue, const std::string& key, int weight) override;
  Result<void> put_schedule(const store::Schedule& schedule) override;

 private:
  [[nodiscard]] store::Finish wrong(store::Finish finish) const;
  [[nodiscard]] store::ClaimRequest wrong(store::ClaimRequest request) const;
  void put_in_front(const store::Finish& finish);
  void let_pass(const store::Finish& finish);
  void tick_again(std::span<const store::ScheduleStats> before);
  void hand_out_twice(std::span<const store::ClaimRequest> requests, store::FinishAndClaimAnswer& answer);

  Bug bug_;
  int enqueues_ = 0;
  std::map<JobId, job::Claim> last_;  ///< of each job
  std::optional<std::pair<store::WorkerId, job::Claim>> copy_;
};

}  // namespace galley::simulation
