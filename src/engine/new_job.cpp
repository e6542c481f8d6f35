#include "engine/new_job.hpp"

#include <boost/json/parse.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "engine/command.hpp"
#include "galley/middleware.hpp"
#include "job/validate.hpp"

namespace galley::engine {

namespace {

Result<void> check_json(std::string_view text) {
  boost::system::error_code failure;
  boost::json::parse({text.data(), text.size()}, failure);
  if (!failure) return {};
  return Error{Errc::InvalidInput, "the payload is not valid JSON: " + failure.message()};
}

/// Shows the job to the middleware, and takes over what it has changed.
Result<void> through_middleware(const store::Store& store, job::NewJob& job, JobOptions& options) {
  const auto chain = store.middleware();
  if (chain.empty()) return {};
  const bool command = job.content == job::Content::Command;
  Draft draft{job.queue, job.kind, job.payload, command, std::move(options)};
  for (const auto& one : chain) {
    if (auto passed = one->on_enqueue(draft); !passed) return passed;
  }
  const bool changed = draft.payload != job.payload;
  job.queue = std::move(draft.queue);
  job.kind = std::move(draft.kind);
  job.payload = std::move(draft.payload);
  options = std::move(draft.options);
  if (changed && job.content == job::Content::Json && !check_json(job.payload)) job.content = job::Content::Bytes;
  return {};
}

Result<job::NewJob> completed(const store::Store& store, job::NewJob job, JobOptions options) {
  if (auto passed = through_middleware(store, job, options); !passed) return passed.error();
  if (auto applied = job::apply(options, job); !applied) return applied.error();
  return job;
}

}  // namespace

Result<job::NewJob> new_job(const store::Store& store, const std::string& queue, std::string_view kind,
                            job::Content content, std::string payload, const JobOptions& options) {
  job::NewJob job;
  job.queue = queue;
  job.kind = kind;
  job.content = content;
  job.payload = std::move(payload);
  if (content == job::Content::Json) {
    if (auto checked = check_json(job.payload); !checked) return checked.error();
  }
  return completed(store, std::move(job), options);
}

Result<job::NewJob> new_command_job(const store::Store& store, const std::string& queue, const Command& command,
                                    std::string_view kind, const JobOptions& options) {
  auto job = command_job(command, kind);
  if (!job) return job.error();
  job->queue = queue;
  return completed(store, *std::move(job), options);
}

}  // namespace galley::engine
