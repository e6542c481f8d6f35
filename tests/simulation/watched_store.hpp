#pragma once
// Enters each executed verb into the ledger, and then shows it the contents.

#include <string>
#include <utility>

#include "engine/forwarding_store.hpp"
#include "simulation/ledger.hpp"

namespace galley::simulation {

class WatchedStore final : public engine::ForwardingStore {
 public:
  WatchedStore(std::unique_ptr<store::Store> inner, Ledger& ledger)
      : ForwardingStore(std::move(inner)), ledger_(ledger) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    return entered(ForwardingStore::enqueue(jobs), [&](const auto& answer) { ledger_.enqueued(jobs, answer); });
  }
  Result<void> leave(store::WorkerId worker) override {
    ledger_.left(worker);
    return looked(ForwardingStore::leave(worker));
  }
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override {
    return entered(ForwardingStore::finish_and_claim(finishes, requests), [&](const auto& answer) {
      ledger_.finished(finishes, answer.finished);
      ledger_.claimed(requests, answer.claimed);
    });
  }
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    return entered(ForwardingStore::renew(renewals, lease),
                   [&](const auto& answer) { ledger_.renewed(renewals, answer, lease); });
  }
  Result<store::StepAnswer> step(std::size_t limit) override {
    return entered(ForwardingStore::step(limit), [&](const auto&) { ledger_.stepped(); });
  }
  Result<std::vector<store::Operated>> retry(std::span<const JobId> ids) override {
    return operated(Ledger::Operation::Retry, ids, ForwardingStore::retry(ids));
  }
  Result<std::vector<store::Operated>> cancel(std::span<const JobId> ids) override {
    return operated(Ledger::Operation::Cancel, ids, ForwardingStore::cancel(ids));
  }
  Result<std::vector<store::Operated>> erase(std::span<const JobId> ids) override {
    return operated(Ledger::Operation::Erase, ids, ForwardingStore::erase(ids));
  }
  Result<std::vector<store::Operated>> run_now(std::span<const JobId> ids) override {
    return operated(Ledger::Operation::RunNow, ids, ForwardingStore::run_now(ids));
  }
  Result<std::vector<store::Operated>> alter(std::span<const JobId> ids, const store::Alteration& change) override {
    return operated(Ledger::Operation::Alter, ids, ForwardingStore::alter(ids, change));
  }
  Result<void> pause(const std::string& queue) override {
    ledger_.paused(queue, true);
    return looked(ForwardingStore::pause(queue));
  }
  Result<void> resume(const std::string& queue) override {
    ledger_.paused(queue, false);
    return looked(ForwardingStore::resume(queue));
  }
  Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) override {
    ledger_.bounded(queue, most);
    return looked(ForwardingStore::set_max_waiting(queue, most));
  }
  Result<void> put_limit(const store::LimitTarget& target, const store::LimitRule& rule) override {
    ledger_.limited(target, rule);
    return looked(ForwardingStore::put_limit(target, rule));
  }
  Result<void> remove_limit(const store::LimitTarget& target) override {
    ledger_.unlimited(target);
    return looked(ForwardingStore::remove_limit(target));
  }
  Result<void> set_weight(const std::string& queue, const std::string& key, int weight) override {
    ledger_.weighed(queue, key, weight);
    return looked(ForwardingStore::set_weight(queue, key, weight));
  }
  Result<BatchId> open_batch(const std::string& name, const std::string& token) override {
    return entered(ForwardingStore::open_batch(name, token), [&](BatchId batch) { ledger_.opened(token, batch); });
  }
  Result<void> seal_batch(BatchId batch) override {
    auto answer = ForwardingStore::seal_batch(batch);
    if (answer) ledger_.sealed(batch);
    return looked(std::move(answer));
  }
  Result<void> put_schedule(const store::Schedule& schedule) override {
    auto answer = ForwardingStore::put_schedule(schedule);
    if (!answer) violated(Rule::State, "the schedule is refused: " + answer.error().message);
    ledger_.schedules().put(schedule, every_of(schedule));
    return looked(std::move(answer));
  }
  Result<void> remove_schedule(const std::string& name) override {
    ledger_.schedules().removed(name);
    return looked(ForwardingStore::remove_schedule(name));
  }
  Result<void> pause_schedule(const std::string& name, bool paused) override {
    ledger_.schedules().paused(name, paused);
    return looked(ForwardingStore::pause_schedule(name, paused));
  }

  /// The rules here are all "@every Ns".
  [[nodiscard]] static Duration every_of(const store::Schedule& schedule) {
    return std::chrono::seconds(std::stoi(schedule.rule.expression.substr(7)));
  }

 private:
  template <class T, class Enter>
  Result<T> entered(Result<T> answer, const Enter& enter) {
    if (!answer) violated(Rule::State, "the store itself failed: " + answer.error().message);
    enter(*answer);
    look();
    return answer;
  }
  Result<std::vector<store::Operated>> operated(Ledger::Operation operation, std::span<const JobId> ids,
                                                Result<std::vector<store::Operated>> answer) {
    return entered(std::move(answer), [&](const auto& answers) { ledger_.operated(operation, ids, answers); });
  }
  Result<void> looked(Result<void> answer) {
    look();
    return answer;
  }
  void look() {
    auto page = ForwardingStore::list({}, "", limits::kMaxPage);
    auto lanes = ForwardingStore::lanes();
    auto queues = ForwardingStore::queues();
    auto all_limits = ForwardingStore::limits();
    auto batches = ForwardingStore::batches(0, limits::kMaxPage);
    auto schedules = ForwardingStore::schedules();
    if (!page || !lanes || !queues || !all_limits || !batches || !schedules || !page->next.empty()) {
      violated(Rule::State, "the contents cannot be listed");
    }
    ledger_.holds({std::move(page->jobs), *std::move(lanes), *std::move(queues), *std::move(all_limits),
                   *std::move(batches), *std::move(schedules)});
  }

  Ledger& ledger_;
};

}  // namespace galley::simulation
