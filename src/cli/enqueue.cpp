// galley enqueue: puts a command, a typed job, or one of them for each line of standard input into a queue.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <limits>
#include <memory>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/follow.hpp"
#include "cli/job_content.hpp"
#include "cli/job_flags.hpp"
#include "cli/job_source.hpp"
#include "cli/lines.hpp"
#include "engine/command.hpp"
#include "engine/room.hpp"
#include "job/validate.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

// --each: a transaction takes what is there, at most this much; half of the store's bounds leaves room for growth.
constexpr std::size_t kBatchJobs = 1'000;
constexpr std::size_t kBatchBytes = limits::kMaxEnqueueBytes / 2;

/// Batches: what the jobs are put into, and what they wait for.
struct BatchFlags {
  BatchId batch = 0;
  BatchId after = 0;
  std::optional<std::string> trigger;
};

Result<void> check_batches(const BatchFlags& flags, const OnceFlags& once) {
  if (flags.trigger && flags.after == 0)
    return usage_error("--trigger says what of a batch is waited for: add --after ID");
  if (flags.after != 0 && (!once.delay.empty() || !once.at.empty())) {
    return usage_error("--after and --delay or --at exclude each other: its batch decides when it runs");
  }
  if (flags.after != 0 && flags.after == flags.batch) {
    return usage_error("--batch and --after both name batch " + std::to_string(flags.after) +
                       "; a job cannot wait for its own batch");
  }
  return {};
}

void add_batch_options(CLI::App& app, BatchFlags& flags) {
  const auto id = CLI::Range(BatchId{1}, std::numeric_limits<BatchId>::max()).description("");
  app.add_option("--batch", flags.batch, "Put it into this batch (galley batches open)")->check(id)->type_name("ID");
  app.add_option("--after", flags.after, "Not before this batch has come to its --trigger")->check(id)->type_name("ID");
  app.add_option("--trigger", flags.trigger,
                 "success (all jobs completed, the default), failure (the first one failed) or finished (all ended)")
      ->check(CLI::IsMember({"success", "failure", "finished"}).description(""))
      ->type_name("WHAT");
}

struct Flags : ContentFlags {
  JobFlags job;
  OnceFlags once;
  BatchFlags batches;
  bool each = false;
  bool null_delimited = false;
  bool wait = false;
  std::string output = "text";
};

/// Makes the jobs of one call and sends them to the store, batch by batch.
class Producer {
 public:
  Producer(Context& context, const Flags& flags) : context_(context), flags_(flags) {}

  Result<int> run();

 private:
  [[nodiscard]] Result<void> check_flags() const;
  Result<void> prepare();
  [[nodiscard]] Result<job::NewJob> job_of(std::string_view line) const;
  [[nodiscard]] Result<job::NewJob> completed(Result<job::NewJob> job) const;
  Result<void> one();
  Result<void> each();
  Result<void> add_line(const LineReader& lines, std::string_view line);
  Result<void> send();
  [[nodiscard]] bool typed() const noexcept { return flags_.typed(); }

  Context& context_;
  const Flags& flags_;
  JobOptions options_;
  Command command_;
  std::string queue_;
  StorePtr store_;
  std::vector<job::NewJob> batch_;
  std::vector<std::int64_t> batch_lines_;  ///< of --each: where each of them stood
  std::size_t batch_bytes_ = 0;
  std::size_t sent_ = 0;
  std::size_t refused_ = 0;
  std::vector<JobId> ids_;  ///< to follow
};

Result<void> Producer::check_flags() const {
  if (auto done = check_content(flags_, context_, "galley enqueue"); !done) return done;
  if (flags_.each && typed() && *flags_.json != "-") {
    return usage_error("--each with --json reads payloads: use --json -");
  }
  if (flags_.each && flags_.stdin_input) return usage_error("--each and --stdin both read standard input; use one");
  if (flags_.each && flags_.once.token) return usage_error("--token names one job; it cannot be used with --each");
  if (flags_.null_delimited && !flags_.each) return usage_error("-0 says how --each splits its input; add --each");
  return check_batches(flags_.batches, flags_.once);
}

/// Everything that can be refused before the first line is read.
Result<void> Producer::prepare() {
  if (auto done = check_flags(); !done) return done;
  auto options = options_of(flags_.job, typed() ? JobOptions{}.max_attempts : 1);
  if (!options) return options.error();
  options_ = std::move(*options);
  if (auto done = read_once(flags_.once, options_); !done) return done;
  options_.batch = flags_.batches.batch;
  auto command = command_of(flags_, context_);
  if (!command) return command.error();
  command_ = std::move(*command);
  const auto settings = context_.settings();
  if (!settings) return settings.error();
  queue_ = *settings->queue;
  job::NewJob probe;
  probe.queue = queue_;
  probe.kind = flags_.kind.empty() ? "command" : flags_.kind;
  probe.content = typed() ? job::Content::Json : job::Content::Bytes;
  if (typed()) probe.payload = "null";  // any JSON
  probe.awaits = flags_.batches.after;
  if (auto done = job::apply(options_, probe); !done) return done;
  auto store = context_.open(*settings, true);
  if (!store) return store.error();
  store_ = std::move(*store);
  return {};
}

Result<job::NewJob> Producer::job_of(std::string_view line) const {
  if (typed()) return completed(json_job(flags_.kind, std::string(line)));
  const auto command = with_line(command_, line);
  if (!command) return command.error();
  return completed(engine::command_job(*command, flags_.kind));
}

/// With all that is not its content.
Result<job::NewJob> Producer::completed(Result<job::NewJob> job) const {
  if (!job) return job;
  job->queue = queue_;
  job->awaits = flags_.batches.after;
  if (flags_.batches.trigger) job->trigger = job::trigger_from(*flags_.batches.trigger).value_or(job->trigger);
  if (auto done = job::apply(options_, *job); !done) return done.error();
  return job;
}

Result<void> Producer::send() {
  if (batch_.empty()) return {};
  auto enqueued = store_->enqueue(batch_);
  if (!enqueued) return enqueued.error();
  if (options_.wait_for_room > Duration{0}) {
    engine::RoomWait room(*store_);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if ((*enqueued)[i].refused == Errc::QueueFull) room.add(i, batch_[i], options_.wait_for_room);
    }
    if (auto waited = room.run(*enqueued); !waited) return waited;
  }
  for (std::size_t i = 0; i < enqueued->size(); ++i) {
    const store::Enqueued& job = (*enqueued)[i];
    if (job.refused) {
      const std::string line = flags_.each ? "line " + std::to_string(batch_lines_[i]) + ": " : "";
      context_.complain(Error{*job.refused, line + job.reason});
      ++refused_;
      continue;
    }
    if (flags_.output == "json") {
      context_.out.line(boost::json::object{{"id", job.id}, {"existed", job.existed}, {"replaced", job.replaced}});
    } else {
      context_.out.line(std::to_string(job.id));
    }
    if (flags_.wait) ids_.push_back(job.id);
  }
  sent_ += batch_.size();
  batch_.clear();
  batch_lines_.clear();
  batch_bytes_ = 0;
  return context_.out.flush();
}

Result<void> Producer::one() {
  auto job = completed(content_job(flags_, command_));
  if (!job) return job.error();
  batch_.push_back(std::move(*job));
  return send();
}

Result<void> Producer::add_line(const LineReader& lines, std::string_view line) {
  auto job = job_of(line);
  if (!job) {
    Error error = job.error();
    error.message = "line " + std::to_string(lines.number()) + ": " + error.message;
    return error;
  }
  batch_bytes_ += job->payload.size();
  batch_.push_back(std::move(*job));
  batch_lines_.push_back(lines.number());
  return {};
}

/// A bad line ends it; the lines before it are enqueued, so that a person can go on from there.
Result<void> Producer::each() {
  LineReader lines(STDIN_FILENO, flags_.null_delimited ? '\0' : '\n', limits::kMaxPayloadBytes);
  while (true) {
    // A slow writer's lines do not wait for a full batch.
    if (batch_.size() >= kBatchJobs || batch_bytes_ >= kBatchBytes || (!batch_.empty() && !lines.ready())) {
      if (auto done = send(); !done) return done;
    }
    auto line = lines.next();
    Result<void> added;
    if (!line) {
      added = line.error();
    } else if (!*line) {
      return send();
    } else if (!(*line)->empty()) {
      added = add_line(lines, **line);
    }
    if (added) continue;
    if (auto done = send(); !done) return done;
    Error error = added.error();
    error.message += "; the " + std::to_string(sent_) + " jobs of the lines before it are enqueued";
    return error;
  }
}

Result<int> Producer::run() {
  if (auto done = prepare(); !done) return done.error();
  if (auto done = flags_.each ? each() : one(); !done) return done.error();
  const int code = refused_ == 0 ? kExitOk : kExitFailure;
  if (!flags_.wait) return code;
  auto followed = follow(context_, *store_, std::move(ids_));
  return followed && *followed == kExitOk ? Result<int>(code) : followed;
}

void add_each(CLI::App& app, Flags& flags) {
  app.add_flag("--each", flags.each,
               "One job for each line of standard input: {} inside any argument becomes the line; with --json - each "
               "line is a payload; empty lines are skipped");
  app.add_flag("-0,--null", flags.null_delimited, "Lines of --each end with NUL, as find -print0 writes them");
}

constexpr const char* kExamples =
    "Examples:\n"
    "  galley enqueue --queue thumbs -- convert cat.png -resize 200 cat.small.png\n"
    "  find . -name '*.png' -print0 | galley enqueue --each -0 --wait -- gzip -k {}\n"
    "  galley enqueue --kind thumbnail --json '{\"path\": \"cat.png\"}' --attempts 3";

}  // namespace

void add_enqueue(CLI::App& app, Context& context) {
  CLI::App* enqueue = app.add_subcommand("enqueue", "Put jobs into a queue; prints their ids, one a line");
  auto flags = std::make_shared<Flags>();
  enqueue->add_option("--queue", context.flags.queue, "The queue (default: default; also in galley.toml)")
      ->type_name("NAME");
  add_content_options(*enqueue, *flags);
  add_each(*enqueue, *flags);
  add_job_options(*enqueue, flags->job);
  add_once_options(*enqueue, flags->once);
  add_batch_options(*enqueue, flags->batches);
  enqueue->add_flag("--wait", flags->wait, "Follow the jobs; exit with 0 if all completed, else 1");
  enqueue->add_option("--output", flags->output, "text (ids) or json (one object a line)")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->type_name("FORM");
  add_store_option(*enqueue, context);
  enqueue->footer(kExamples);
  enqueue->callback(
      [&context, flags] { context.action = [&context, flags] { return Producer(context, *flags).run(); }; });
}

}  // namespace galley::cli
