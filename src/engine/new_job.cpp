#include "engine/new_job.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "engine/command.hpp"
#include "galley/middleware.hpp"
#include "job/validate.hpp"

namespace galley::engine {

namespace {

/// Hears what a payload holds, and keeps none of it: to be valid is all that is asked.
struct Deaf {
  using Code = boost::system::error_code;
  using Text = boost::json::string_view;
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  static bool on_document_begin(Code&) { return true; }
  static bool on_document_end(Code&) { return true; }
  static bool on_object_begin(Code&) { return true; }
  static bool on_object_end(std::size_t, Code&) { return true; }
  static bool on_array_begin(Code&) { return true; }
  static bool on_array_end(std::size_t, Code&) { return true; }
  static bool on_key_part(Text, std::size_t, Code&) { return true; }
  static bool on_key(Text, std::size_t, Code&) { return true; }
  static bool on_string_part(Text, std::size_t, Code&) { return true; }
  static bool on_string(Text, std::size_t, Code&) { return true; }
  static bool on_number_part(Text, Code&) { return true; }
  static bool on_int64(std::int64_t, Text, Code&) { return true; }
  static bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  static bool on_double(double, Text, Code&) { return true; }
  static bool on_bool(bool, Code&) { return true; }
  static bool on_null(Code&) { return true; }
  static bool on_comment_part(Text, Code&) { return true; }
  static bool on_comment(Text, Code&) { return true; }
};

Result<void> check_json(std::string_view text) {
  boost::system::error_code failure;
  boost::json::basic_parser<Deaf> parser{boost::json::parse_options()};
  const std::size_t read = parser.write_some(false, text.data(), text.size(), failure);
  if (!failure && read < text.size()) failure = boost::json::error::extra_data;
  if (!failure) return {};
  return Error{Errc::InvalidInput, "the payload is not valid JSON: " + failure.message()};
}

using Chain = std::vector<std::shared_ptr<Middleware>>;

/// Shows the job to the middleware, and takes over what it has changed.
Result<void> through_middleware(const Chain& chain, job::NewJob& job, JobOptions& options) {
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

Result<void> complete(const store::Store& store, job::NewJob& job, const JobOptions& options) {
  const Chain chain = store.middleware();
  if (chain.empty()) return job::apply(options, job);
  JobOptions changed = options;
  if (auto passed = through_middleware(chain, job, changed); !passed) return passed;
  return job::apply(changed, job);
}

}  // namespace

Result<job::NewJob> new_job(const store::Store& store, const std::string& queue, std::string_view kind,
                            job::Content content, std::string payload, const JobOptions& options) {
  Result<job::NewJob> made{job::NewJob()};
  job::NewJob& job = *made;
  job.queue = queue;
  job.kind = kind;
  job.content = content;
  job.payload = std::move(payload);
  if (content == job::Content::Json) {
    if (auto checked = check_json(job.payload); !checked) return checked.error();
  }
  if (auto done = complete(store, job, options); !done) return done.error();
  return made;
}

Result<job::NewJob> new_command_job(const store::Store& store, const std::string& queue, const Command& command,
                                    std::string_view kind, const JobOptions& options) {
  auto job = command_job(command, kind);
  if (!job) return job.error();
  job->queue = queue;
  if (auto done = complete(store, *job, options); !done) return done.error();
  return job;
}

}  // namespace galley::engine
