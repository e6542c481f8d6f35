#pragma once
// Jobs and callbacks of batches, for the tests of batches.

#include "contract/support.hpp"

namespace galley::store::contract {

using job::Trigger;

/// A job like a_job(), put into `batch`, waiting for `awaits`, or both.
[[nodiscard]] inline job::NewJob in_batch(BatchId batch, job::NewJob job = a_job()) {
  job.batch = batch;
  return job;
}
[[nodiscard]] inline job::NewJob callback(BatchId awaits, Trigger trigger, job::NewJob job = a_job().kind("callback")) {
  job.awaits = awaits;
  job.trigger = trigger;
  return job;
}

/// As "4=2+1, 1 lost, sealed, failed, finished": total, succeeded and failed.
[[nodiscard]] inline std::string counts(const BatchStats& batch) {
  std::string text =
      std::to_string(batch.total) + "=" + std::to_string(batch.succeeded) + "+" + std::to_string(batch.failed);
  if (batch.lost != 0) text += ", " + std::to_string(batch.lost) + " lost";
  if (batch.sealed) text += ", sealed";
  if (batch.failed_at) text += ", failed";
  if (batch.finished_at) text += ", finished";
  return text;
}

class BatchContract : public Contract {
 protected:
  BatchId open(const std::string& name = "nightly", const std::string& token = "") {
    return store.open_batch(name, token).value();
  }
  BatchId open_with_callbacks() {
    const BatchId id = open();
    for (const Trigger trigger : {Trigger::Success, Trigger::Failure, Trigger::Finished}) {
      callbacks.push_back(add(callback(id, trigger)));
    }
    return id;
  }
  void seal(BatchId id) { ASSERT_TRUE(store.seal_batch(id)); }
  std::string counted(BatchId id) { return counts(store.find_batch(id).value()); }
  Enqueued try_to_add(const job::NewJob& job) { return store.enqueue(std::span(&job, 1)).value().at(0); }
  /// "success failure finished": the states of the three callbacks.
  std::string callback_states() {
    std::string text;
    for (const JobId id : callbacks) (text += text.empty() ? "" : " ") += name(state(id));
    return text;
  }

  Ids callbacks;
};

}  // namespace galley::store::contract
