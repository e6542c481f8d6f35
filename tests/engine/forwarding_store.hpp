#pragma once
// A store that hands every verb to another one, for tests that change or watch some of them.

#include <memory>
#include <utility>

#include "store/store.hpp"

namespace galley::engine {

class ForwardingStore : public store::Store {
 public:
  explicit ForwardingStore(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    return inner_->enqueue(jobs);
  }
  Result<store::WorkerId> join(const std::string& name, const std::string& pools) override {
    return inner_->join(name, pools);
  }
  Result<void> leave(store::WorkerId worker) override { return inner_->leave(worker); }
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override {
    return inner_->finish_and_claim(finishes, requests);
  }
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    return inner_->renew(renewals, lease);
  }
  Result<store::StepAnswer> step(std::size_t limit) override { return inner_->step(limit); }
  std::unique_ptr<store::Bell> bell() override { return inner_->bell(); }
  Result<job::JobRecord> find(JobId id) override { return inner_->find(id); }
  Result<std::vector<job::AttemptRecord>> attempts(JobId id) override { return inner_->attempts(id); }
  Result<std::vector<std::optional<JobState>>> states(std::span<const JobId> ids) override {
    return inner_->states(ids);
  }
  Result<store::Page> list(const store::Filter& filter, const std::string& cursor, std::size_t limit) override {
    return inner_->list(filter, cursor, limit);
  }
  Result<std::vector<store::LaneStats>> lanes() override { return inner_->lanes(); }
  Result<std::vector<store::QueueStats>> queues() override { return inner_->queues(); }
  Result<std::vector<store::WorkerStats>> workers() override { return inner_->workers(); }
  Result<std::vector<store::Operated>> retry(std::span<const JobId> ids) override { return inner_->retry(ids); }
  Result<std::vector<store::Operated>> cancel(std::span<const JobId> ids) override { return inner_->cancel(ids); }
  Result<std::vector<store::Operated>> erase(std::span<const JobId> ids) override { return inner_->erase(ids); }
  Result<void> pause(const std::string& queue) override { return inner_->pause(queue); }
  Result<void> resume(const std::string& queue) override { return inner_->resume(queue); }

 private:
  std::unique_ptr<store::Store> inner_;
};

}  // namespace galley::engine
