#include "galley/queue.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/new_job.hpp"
#include "engine/room.hpp"
#include "job/validate.hpp"
#include "store/combiner.hpp"
#include "store/store.hpp"

namespace galley {

namespace {

Receipt enqueue_one(const StorePtr& store, job::NewJob job, Duration patience) {
  std::optional<job::NewJob> kept;
  if (patience > Duration{0}) kept = job;
  std::vector<job::NewJob> jobs;
  jobs.push_back(std::move(job));
  auto enqueued = store->combiner().enqueue(std::move(jobs));
  if (!enqueued) return enqueued.error();
  if (kept && enqueued->front().refused == Errc::QueueFull) {
    engine::RoomWait room(*store);
    room.add(0, *std::move(kept), patience);
    if (auto waited = room.run(*enqueued); !waited) return waited.error();
  }
  const store::Enqueued& one = enqueued->front();
  if (one.refused) return Error{*one.refused, one.reason};
  return {store, one.id, one.existed};
}

/// Jobs in the longest pieces that one enqueue may take.
class Batches {
 public:
  explicit Batches(std::size_t jobs) : left_(jobs) {}
  void add(job::NewJob job) {
    bytes_ += job.payload.size();
    if (all_.empty() || all_.back().size() == limits::kMaxEnqueueBatch || bytes_ > limits::kMaxEnqueueBytes) {
      all_.emplace_back().reserve(std::min(left_, limits::kMaxEnqueueBatch));
      bytes_ = job.payload.size();
    }
    all_.back().push_back(std::move(job));
    --left_;
  }
  [[nodiscard]] std::vector<std::vector<job::NewJob>>& all() noexcept { return all_; }

 private:
  std::vector<std::vector<job::NewJob>> all_;
  std::size_t bytes_ = 0;  // of the last one
  std::size_t left_;
};

/// Which of many items the store has refused.
struct Refusals {
  std::size_t count = 0;
  std::size_t first = 0;
  store::Enqueued why;

  void add(std::size_t item, const store::Enqueued& answer) {
    if (count++ > 0) return;
    first = item;
    why = answer;
  }

  [[nodiscard]] Error error(std::size_t of) const {
    const std::string rest = count == of ? "" : ", the others are enqueued";
    return {why.refused.value(),
            std::to_string(count) + " of " + std::to_string(of) + " jobs were refused" + rest + "; item " +
                std::to_string(first) + ": " + why.reason,
            count == of ? Written::Nothing : Written::Unknown};
  }
};

/// The store failed when it had answered for some of them.
Error after(const std::vector<store::Enqueued>& answers, Error error) {
  const auto refused = static_cast<std::size_t>(std::count_if(
      answers.begin(), answers.end(), [](const store::Enqueued& one) { return one.refused.has_value(); }));
  if (answers.empty()) return error;
  error.message = "after the first " + std::to_string(answers.size()) + " jobs" +
                  (refused > 0 ? " (" + std::to_string(refused) + " refused)" : "") + ": " + error.message;
  if (refused < answers.size()) error.written = Written::Unknown;
  return error;
}

}  // namespace

Queue::Queue(StorePtr store, std::string name) : store_(std::move(store)), name_(std::move(name)) {
  if (auto checked = job::check_queue("queue", name_); !checked) throw Exception(checked.error());
}

Receipt Queue::enqueue_json(std::string_view kind, std::string json, const JobOptions& options) {
  auto job = engine::new_job(*store_, name_, kind, job::Content::Json, std::move(json), options);
  if (!job) return job.error();
  return enqueue_one(store_, *std::move(job), options.wait_for_room);
}

Receipt Queue::enqueue_bytes(std::string_view kind, std::string bytes, const JobOptions& options) {
  auto job = engine::new_job(*store_, name_, kind, job::Content::Bytes, std::move(bytes), options);
  if (!job) return job.error();
  return enqueue_one(store_, *std::move(job), options.wait_for_room);
}

Receipt Queue::enqueue_command(const Command& command, std::string_view kind, const JobOptions& options) {
  auto job = engine::new_command_job(*store_, name_, command, kind, options);
  if (!job) return job.error();
  return enqueue_one(store_, *std::move(job), options.wait_for_room);
}

/// Everything is checked before the first batch is sent, so that only the store can end it half way.
Result<std::vector<JobId>> Queue::enqueue_json_all(std::string_view kind, std::vector<Item> items) {
  Batches batches(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto job = engine::new_job(*store_, name_, kind, job::Content::Json, std::move(items[i].payload), items[i].options);
    if (!job) {
      Error error = job.error();
      error.message = "item " + std::to_string(i) + ": " + error.message;
      return error;
    }
    batches.add(*std::move(job));
  }
  std::vector<store::Enqueued> answers;
  engine::RoomWait room(*store_);
  answers.reserve(items.size());
  for (std::vector<job::NewJob>& batch : batches.all()) {
    const std::size_t first = answers.size();
    const std::size_t next = first + batch.size();
    const bool patient = std::any_of(items.begin() + static_cast<std::ptrdiff_t>(first),
                                     items.begin() + static_cast<std::ptrdiff_t>(next),
                                     [](const Item& item) { return item.options.wait_for_room > Duration{0}; });
    std::vector<job::NewJob> kept = patient ? batch : std::vector<job::NewJob>();
    auto enqueued = store_->combiner().enqueue(std::move(batch));
    if (!enqueued) return after(answers, enqueued.error());
    for (store::Enqueued& one : *enqueued) {
      const std::size_t item = answers.size();
      const Duration patience = items[item].options.wait_for_room;
      if (one.refused == Errc::QueueFull && patience > Duration{0}) {
        room.add(item, std::move(kept[item - first]), patience);
      }
      answers.push_back(std::move(one));
    }
  }
  if (auto waited = room.run(answers); !waited) return after(answers, waited.error());
  std::vector<JobId> ids;
  Refusals refusals;
  ids.reserve(answers.size());
  for (const store::Enqueued& one : answers) {
    if (one.refused) refusals.add(ids.size(), one);
    ids.push_back(one.id);
  }
  if (refusals.count > 0) return refusals.error(ids.size());
  return ids;
}

}  // namespace galley
