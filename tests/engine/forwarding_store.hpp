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
  Result<store::WorkerId> join(const store::WorkerCard& card) override { return inner_->join(card); }
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
  Result<store::IdPage> select(const store::Filter& filter, const std::string& cursor, std::size_t limit) override {
    return inner_->select(filter, cursor, limit);
  }
  Result<std::vector<store::Operated>> run_now(std::span<const JobId> ids) override { return inner_->run_now(ids); }
  Result<std::vector<store::Operated>> alter(std::span<const JobId> ids, const store::Alteration& change) override {
    return inner_->alter(ids, change);
  }
  Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) override {
    return inner_->set_max_waiting(queue, most);
  }
  Result<void> set_max_bytes(std::optional<std::int64_t> most) override { return inner_->set_max_bytes(most); }
  Result<void> set_order(const std::string& queue, job::Order order) override {
    return inner_->set_order(queue, order);
  }
  Result<void> set_weight(const std::string& queue, const std::string& key, int weight) override {
    return inner_->set_weight(queue, key, weight);
  }
  Result<void> put_limit(const store::LimitTarget& target, const store::LimitRule& rule) override {
    return inner_->put_limit(target, rule);
  }
  Result<void> remove_limit(const store::LimitTarget& target) override { return inner_->remove_limit(target); }
  Result<std::vector<store::LimitStats>> limits() override { return inner_->limits(); }
  Result<store::Standing> standing(JobId id) override { return inner_->standing(id); }
  Result<BatchId> open_batch(const std::string& name, const std::string& token) override {
    return inner_->open_batch(name, token);
  }
  Result<void> seal_batch(BatchId batch) override { return inner_->seal_batch(batch); }
  Result<store::BatchStats> find_batch(BatchId batch) override { return inner_->find_batch(batch); }
  Result<std::vector<store::BatchStats>> batches(BatchId after, std::size_t limit) override {
    return inner_->batches(after, limit);
  }
  Result<void> put_schedule(const store::Schedule& schedule) override { return inner_->put_schedule(schedule); }
  Result<void> remove_schedule(const std::string& name) override { return inner_->remove_schedule(name); }
  Result<void> pause_schedule(const std::string& name, bool paused) override {
    return inner_->pause_schedule(name, paused);
  }
  Result<std::vector<store::ScheduleStats>> schedules() override { return inner_->schedules(); }
  Result<void> report(std::span<const store::Measured> measured) override { return inner_->report(measured); }
  Result<std::vector<store::Minute>> minutes(int minutes) override { return inner_->minutes(minutes); }
  Result<store::StoreInfo> info() override { return inner_->info(); }
  Result<std::vector<store::Finding>> examine(bool repair) override { return inner_->examine(repair); }
  Result<void> backup(const std::string& path) override { return inner_->backup(path); }

 private:
  std::unique_ptr<store::Store> inner_;
};

}  // namespace galley::engine
