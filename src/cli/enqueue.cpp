// galley enqueue: puts a command, a typed job, or one of them for each line of standard input into a queue.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/follow.hpp"
#include "cli/job_source.hpp"
#include "cli/lines.hpp"
#include "engine/command.hpp"
#include "job/settle.hpp"
#include "job/validate.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

// --each: a transaction takes what is there, at most this much; half of the store's bounds leaves room for growth.
constexpr std::size_t kBatchJobs = 1'000;
constexpr std::size_t kBatchBytes = limits::kMaxEnqueueBytes / 2;

struct Flags {
  std::string kind;
  std::optional<std::string> json;
  int priority = 0;
  std::string delay;
  std::string at;
  std::string timeout;
  std::string grace;
  std::string on_timeout;
  std::optional<int> attempts;
  std::string backoff;
  bool resumable = false;
  std::string key;
  std::string token;
  std::vector<std::string> env;
  std::string cwd;
  bool stdin_input = false;
  bool each = false;
  bool null_delimited = false;
  bool wait = false;
  std::string output = "text";
  std::vector<std::string> misplaced;  ///< a command without the "--" before it
};

/// Reads an optional duration into `target`.
Result<void> read_duration(std::string_view field, const std::string& text, Duration& target) {
  if (text.empty()) return {};
  const auto value = base::parse_duration(field, text);
  if (!value) return value.error();
  target = *value;
  return {};
}

Result<JobOptions> options_of(const Flags& flags) {
  JobOptions options;
  options.priority = flags.priority;
  options.max_attempts = flags.attempts.value_or(flags.json ? options.max_attempts : 1);
  options.resumable = flags.resumable;
  options.key = flags.key;
  options.token = flags.token;
  if (auto done = read_duration("--delay", flags.delay, options.delay); !done) return done.error();
  if (auto done = read_duration("--timeout", flags.timeout, options.timeout); !done) return done.error();
  if (auto done = read_duration("--grace", flags.grace, options.grace); !done) return done.error();
  if (!flags.at.empty()) {
    const auto at = base::parse_time("--at", flags.at);
    if (!at) return at.error();
    options.at = *at;
  }
  if (!flags.on_timeout.empty()) options.on_timeout = on_timeout_from(flags.on_timeout);
  if (!flags.backoff.empty()) {
    auto backoff = job::backoff_from(flags.backoff);
    if (!backoff) return backoff.error();
    options.backoff = std::move(*backoff);
  }
  return options;
}

/// Makes the jobs of one call and sends them to the store, batch by batch.
class Producer {
 public:
  Producer(Context& context, const Flags& flags) : context_(context), flags_(flags) {}

  Result<int> run();

 private:
  [[nodiscard]] Result<void> check_flags() const;
  Result<void> prepare();
  [[nodiscard]] Result<job::NewJob> job_of(std::optional<std::string_view> line) const;
  Result<void> one();
  Result<void> each();
  Result<void> add_line(const LineReader& lines, std::string_view line);
  Result<void> send();
  [[nodiscard]] bool typed() const noexcept { return flags_.json.has_value(); }

  Context& context_;
  const Flags& flags_;
  JobOptions options_;
  Command command_;
  std::string queue_;
  StorePtr store_;
  std::vector<job::NewJob> batch_;
  std::size_t batch_bytes_ = 0;
  std::size_t sent_ = 0;
  std::vector<JobId> ids_;  ///< to follow
};

Result<void> Producer::check_flags() const {
  if (!flags_.misplaced.empty()) {
    return usage_error("'" + flags_.misplaced[0] + "' was not expected; put -- before the command: galley enqueue -- " +
                       flags_.misplaced[0] + " ...");
  }
  const bool command = context_.command.has_value();
  if (typed()) {
    if (command) return usage_error("--json makes a typed job; it cannot be used together with a command behind --");
    if (flags_.kind.empty()) return usage_error("--json needs --kind NAME: the handler that the payload is for");
    if (!flags_.env.empty() || !flags_.cwd.empty() || flags_.stdin_input) {
      return usage_error("--env, --cwd and --stdin belong to a command; a job of --json has none");
    }
    if (flags_.each && *flags_.json != "-") return usage_error("--each with --json reads payloads: use --json -");
  } else if (!command || context_.command->empty()) {
    return usage_error("there is nothing to enqueue: give a command behind --, or --kind NAME --json TEXT");
  }
  if (flags_.each && flags_.stdin_input) return usage_error("--each and --stdin both read standard input; use one");
  if (flags_.each && !flags_.token.empty()) return usage_error("--token names one job; it cannot be used with --each");
  if (flags_.null_delimited && !flags_.each) return usage_error("-0 says how --each splits its input; add --each");
  if (!flags_.delay.empty() && !flags_.at.empty()) return usage_error("--delay and --at exclude each other; use one");
  return {};
}

/// Everything that can be refused before the first line is read.
Result<void> Producer::prepare() {
  if (auto done = check_flags(); !done) return done;
  auto options = options_of(flags_);
  if (!options) return options.error();
  options_ = std::move(*options);
  if (!typed()) {
    command_.argv = *context_.command;
    auto env = environment_of(flags_.env, [](const char* name) -> const char* { return std::getenv(name); });
    if (!env) return env.error();
    command_.env = std::move(*env);
    std::error_code fault;
    command_.cwd = std::filesystem::absolute(flags_.cwd.empty() ? "." : flags_.cwd, fault).lexically_normal();
    if (fault) return Error{Errc::Io, "the current directory cannot be found: " + fault.message()};
    if (command_.cwd.size() > 1 && command_.cwd.ends_with('/')) command_.cwd.pop_back();
  }
  const auto settings = context_.settings();
  if (!settings) return settings.error();
  queue_ = *settings->queue;
  job::NewJob probe;
  probe.queue = queue_;
  probe.kind = flags_.kind.empty() ? "command" : flags_.kind;
  probe.content = job::Content::Bytes;
  if (auto done = job::apply(options_, probe); !done) return done;
  auto store = context_.open(*settings, true);
  if (!store) return store.error();
  store_ = std::move(*store);
  return {};
}

Result<job::NewJob> Producer::job_of(std::optional<std::string_view> line) const {
  Result<job::NewJob> job = job::NewJob{};
  if (typed()) {
    job = json_job(flags_.kind, std::string(line.value_or(*flags_.json)));
  } else if (line) {
    const auto command = with_line(command_, *line);
    if (!command) return command.error();
    job = engine::command_job(*command, flags_.kind);
  } else {
    job = engine::command_job(command_, flags_.kind);
  }
  if (!job) return job;
  job->queue = queue_;
  if (auto done = job::apply(options_, *job); !done) return done.error();
  if (auto done = job::validate(*job); !done) return done.error();
  return job;
}

Result<void> Producer::send() {
  if (batch_.empty()) return {};
  const auto enqueued = store_->enqueue(batch_);
  if (!enqueued) return enqueued.error();
  for (const store::Enqueued& job : *enqueued) {
    if (flags_.output == "json") {
      context_.out.line(boost::json::object{{"id", job.id}, {"existed", job.existed}});
    } else {
      context_.out.line(std::to_string(job.id));
    }
    if (flags_.wait) ids_.push_back(job.id);
  }
  sent_ += batch_.size();
  batch_.clear();
  batch_bytes_ = 0;
  return context_.out.flush();
}

Result<void> Producer::one() {
  std::optional<std::string> payload;
  if (flags_.stdin_input || (typed() && *flags_.json == "-")) {
    auto input = read_all(STDIN_FILENO, limits::kMaxPayloadBytes, "standard input");
    if (!input) return input.error();
    if (flags_.stdin_input) {
      command_.input = std::move(*input);
    } else {
      payload = std::move(*input);
    }
  }
  auto job = job_of(payload ? std::optional<std::string_view>(*payload) : std::nullopt);
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
  return flags_.wait ? follow(context_, *store_, std::move(ids_)) : Result<int>(kExitOk);
}

void add_what(CLI::App& app, Flags& flags) {
  app.add_option("CMD", flags.misplaced, "The program and its arguments, run without a shell")->type_name("");
  app.add_option("--kind", flags.kind, "Which handler runs it (of a command: by default the program's base name)")
      ->type_name("NAME");
  app.add_option("--json", flags.json, "A typed job of --kind with this payload; - reads it from standard input")
      ->type_name("TEXT|-");
  app.add_flag("--each", flags.each,
               "One job for each line of standard input: {} inside any argument becomes the line; with --json - each "
               "line is a payload; empty lines are skipped");
  app.add_flag("-0,--null", flags.null_delimited, "Lines of --each end with NUL, as find -print0 writes them");
  app.add_flag("--stdin", flags.stdin_input, "The command's standard input is read from this one");
  app.add_option("--cwd", flags.cwd, "The command's working directory (default: this one)")->type_name("DIR");
  app.add_option("--env", flags.env,
                 "A variable the command gets, from here or with a value; may be repeated; no others but PATH")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
}

void add_how(CLI::App& app, Flags& flags) {
  app.add_option("--priority", flags.priority, "-10..10, larger runs sooner (default 0)")
      ->check(CLI::Range(-limits::kMaxPriority, limits::kMaxPriority).description(""))
      ->type_name("N");
  app.add_option("--delay", flags.delay, "Not before this time has passed, as 90s or 1h30m")->type_name("TIME");
  app.add_option("--at", flags.at, "Not before, as 2026-12-31T23:59:00Z or @1767225600")->type_name("WHEN");
  app.add_option("--timeout", flags.timeout, "The most that one attempt may run (default: no limit)")
      ->type_name("TIME");
  app.add_option("--grace", flags.grace, "From the stop request to the kill (default 5s)")->type_name("TIME");
  app.add_option("--on-timeout", flags.on_timeout, "pause, retry or dead (default: pause if --resumable, else retry)")
      ->check(CLI::IsMember({"pause", "retry", "dead"}).description(""))
      ->type_name("WHAT");
  app.add_option("--attempts", flags.attempts, "Tries that may end in an error (default 1 for commands, 10 for kinds)")
      ->check(CLI::Range(1, limits::kMaxAttempts).description(""))
      ->type_name("N");
  app.add_option("--backoff", flags.backoff,
                 "Wait before another try: exponential:1s..1h (the default), fixed:10s or list:1s,10s,1m")
      ->type_name("HOW");
  app.add_flag("--resumable", flags.resumable, "It saves its state and goes on from there");
  app.add_option("--key", flags.key, "A tenant or account that it belongs to")->type_name("TEXT");
  app.add_option("--token", flags.token, "Enqueueing the same token twice gives the same job")->type_name("TEXT");
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
  add_what(*enqueue, *flags);
  add_how(*enqueue, *flags);
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
