// Producers of batches and splits: what is not answered is sent again, and whatever is under way is ended at the end.

#include <utility>

#include "engine/split.hpp"
#include "simulation/world.hpp"

namespace galley::simulation {

namespace {
constexpr std::size_t kOpen = 3;  ///< batches, and splits, under way at a time
}

void World::start_gathering() {
  const std::string token = std::to_string(++tokens_);
  if (draw_.chance(0.4)) {
    if (splits_.size() < kOpen) splits_.push_back({"split" + token, draw_.between(0, 4)});
    return;
  }
  if (batches_.size() == kOpen) return;
  OpenBatch& batch = batches_.emplace_back(OpenBatch{"batch" + token, 0, draw_.between(0, 4), {}});
  for (int i = draw_.between(0, 2); i > 0; --i) {
    batch.callbacks.push_back(static_cast<job::Trigger>(draw_.between(0, 2)));
  }
}

void World::gather() {
  if (jobs_left_ > 0 && draw_.chance(0.3)) {
    jobs_left_ -= 3;
    start_gathering();
  }
  const std::size_t open = batches_.size() + splits_.size();
  if (open == 0) return;
  const std::size_t which = draw_.bits() % open;
  which < batches_.size() ? gather_on(which) : send_split(which - batches_.size(), false);
}

/// Opened first; then its jobs and callbacks in any order, each until it is acknowledged; sealed at the end.
void World::gather_on(std::size_t index) {
  OpenBatch& batch = batches_[index];
  if (batch.id == 0) {
    if (const auto id = store_.open_batch("n", batch.token)) batch.id = *id;
    trace_.say("producer", "opens " + batch.token + " as batch " + std::to_string(batch.id));
    return;
  }
  if (batch.jobs == 0 && batch.callbacks.empty()) {
    trace_.say("producer", "seals batch " + std::to_string(batch.id));
    if (store_.seal_batch(batch.id)) batches_.erase(batches_.begin() + static_cast<std::ptrdiff_t>(index));
    return;
  }
  job::NewJob job = new_job();
  job.unique = {};
  if (batch.jobs > 0 && (batch.callbacks.empty() || draw_.chance(0.6))) {
    --batch.jobs;
    job.batch = batch.id;
  } else {
    job.delay = Duration{0};
    job.awaits = batch.id;
    job.trigger = batch.callbacks.back();
    batch.callbacks.pop_back();
  }
  unsent_.push_back(std::move(job));
  send(unsent_.size() - 1);
}

/// The library's own way to write it. What it cannot write, it says so, and it is repeated with its token.
void World::send_split(std::size_t index, bool last_time) {
  const OpenSplit split = splits_[index];
  const auto part = [&] {
    job::NewJob job;
    job.queue = "a";
    job.kind = "k";
    job.content = job::Content::Bytes;
    job.policy.max_attempts = 3;
    return job;
  };
  engine::SplitPlan plan;
  plan.name = "n";
  plan.token = split.token;
  plan.parts = split.parts;
  plan.part = [&](std::int64_t) -> Result<job::NewJob> { return part(); };
  plan.join = [&](BatchId) -> Result<job::NewJob> { return part(); };
  const auto answer = engine::enqueue_split(StorePtr(StorePtr(), &store_), plan);
  if (answer) trace_.say("producer", "has split " + split.token + " into " + std::to_string(split.parts));
  if (!answer && !last_time) return;
  splits_.erase(splits_.begin() + static_cast<std::ptrdiff_t>(index));
  if (answer) return;
  // A person has deleted some of it, so that it cannot be written as it was: what is there of it is all.
  if (const auto id = store_.open_batch("n", split.token)) (void)store_.seal_batch(*id);
}

/// Without faults: each is sealed, or its callbacks would wait for ever.
void World::end_gathering() {
  for (const char* const queue : {"a", "b"}) (void)store_.set_max_waiting(queue, std::nullopt);
  while (!splits_.empty()) send_split(splits_.size() - 1, true);
  while (!batches_.empty()) gather_on(batches_.size() - 1);
}

}  // namespace galley::simulation
