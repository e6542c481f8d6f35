#include "galley/queue.hpp"

#include <boost/json/parse.hpp>
#include <utility>

#include "engine/command.hpp"
#include "job/validate.hpp"
#include "store/combiner.hpp"
#include "store/store.hpp"

namespace galley {

namespace {

Result<void> check_json(std::string_view text) {
  boost::system::error_code failure;
  boost::json::parse({text.data(), text.size()}, failure);
  if (!failure) return {};
  return Error{Errc::InvalidInput, "the payload is not valid JSON: " + failure.message()};
}

/// One job ready for the store. `content` Json: the payload is checked.
Result<job::NewJob> new_job(const std::string& queue, std::string_view kind, job::Content content, std::string payload,
                            const JobOptions& options) {
  job::NewJob job;
  job.queue = queue;
  job.kind = kind;
  job.content = content;
  job.payload = std::move(payload);
  if (auto applied = job::apply(options, job); !applied) return applied.error();
  if (content == job::Content::Json) {
    if (auto checked = check_json(job.payload); !checked) return checked.error();
  }
  return job;
}

Result<JobId> enqueue_one(store::Store& store, job::NewJob job) {
  std::vector<job::NewJob> jobs;
  jobs.push_back(std::move(job));
  auto enqueued = store.combiner().enqueue(std::move(jobs));
  if (!enqueued) return enqueued.error();
  return enqueued->front().id;
}

}  // namespace

Queue::Queue(StorePtr store, std::string name) : store_(std::move(store)), name_(std::move(name)) {
  if (auto checked = job::check_queue("queue", name_); !checked) throw Exception(checked.error());
}

Result<JobId> Queue::enqueue_json(std::string_view kind, std::string json, const JobOptions& options) {
  auto job = new_job(name_, kind, job::Content::Json, std::move(json), options);
  if (!job) return job.error();
  return enqueue_one(*store_, *std::move(job));
}

Result<JobId> Queue::enqueue_bytes(std::string_view kind, std::string bytes, const JobOptions& options) {
  auto job = new_job(name_, kind, job::Content::Bytes, std::move(bytes), options);
  if (!job) return job.error();
  return enqueue_one(*store_, *std::move(job));
}

Result<JobId> Queue::enqueue_command(const Command& command, std::string_view kind, const JobOptions& options) {
  auto job = engine::command_job(command, kind);
  if (!job) return job.error();
  job->queue = name_;
  if (auto applied = job::apply(options, *job); !applied) return applied.error();
  return enqueue_one(*store_, *std::move(job));
}

/// Everything is checked before the first batch is sent, so that only the store can end it half way.
Result<std::vector<JobId>> Queue::enqueue_json_all(std::string_view kind, std::vector<Item> items) {
  std::vector<job::NewJob> jobs;
  jobs.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto job = new_job(name_, kind, job::Content::Json, std::move(items[i].payload), items[i].options);
    if (!job) {
      Error error = job.error();
      error.message = "item " + std::to_string(i) + ": " + error.message;
      return error;
    }
    jobs.push_back(*std::move(job));
  }
  std::vector<JobId> ids;
  ids.reserve(jobs.size());
  for (std::size_t next = 0; next < jobs.size();) {
    std::vector<job::NewJob> batch;
    std::size_t bytes = 0;
    while (next < jobs.size() && batch.size() < limits::kMaxEnqueueBatch) {
      bytes += jobs[next].payload.size();
      if (!batch.empty() && bytes > limits::kMaxEnqueueBytes) break;
      batch.push_back(std::move(jobs[next++]));
    }
    auto enqueued = store_->combiner().enqueue(std::move(batch));
    if (!enqueued) {
      Error error = enqueued.error();
      if (!ids.empty()) error.message = "after the first " + std::to_string(ids.size()) + " jobs: " + error.message;
      return error;
    }
    for (const store::Enqueued& one : *enqueued) ids.push_back(one.id);
  }
  return ids;
}

}  // namespace galley
