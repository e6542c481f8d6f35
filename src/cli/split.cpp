// galley split: a list, a range of numbers or a file becomes many small command jobs, whose outputs are joined in
// order.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/follow.hpp"
#include "cli/job_content.hpp"
#include "cli/job_flags.hpp"
#include "cli/split_source.hpp"
#include "engine/new_job.hpp"
#include "engine/split.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

struct Flags {
  ContentFlags content;  ///< of it: --env, --cwd and --kind
  JobFlags job;
  SplitSourceFlags source;
  std::string token;
  std::string out;
  bool wait = false;
  std::string output = "text";
};

/// Behind the parts' command may stand --join -- and the join's.
std::vector<std::string> cut_join(std::vector<std::string>& command) {
  const std::vector<std::string> mark{"--join", "--"};
  const auto at = std::search(command.begin(), command.end(), mark.begin(), mark.end());
  if (at == command.end()) return {};
  std::vector<std::string> join(at + 2, command.end());
  command.erase(at, command.end());
  return join;
}

class Splitter {
 public:
  Splitter(Context& context, const Flags& flags) : context_(context), flags_(flags) {}

  Result<int> run();

 private:
  Result<void> prepare();
  [[nodiscard]] Result<job::NewJob> part(std::int64_t index) const;
  [[nodiscard]] Result<job::NewJob> join(BatchId batch) const;
  [[nodiscard]] Result<int> wait(const SplitAnswer& answer);
  Result<void> print_outputs(const SplitAnswer& answer);
  [[nodiscard]] Result<std::vector<JobId>> ids_of(BatchId batch) const;

  Context& context_;
  const Flags& flags_;
  Command command_;
  std::vector<std::string> join_;
  JobOptions options_;
  std::string queue_;
  std::string out_;  ///< absolute; empty: results
  SplitSource source_;
  StorePtr store_;
};

Result<void> Splitter::prepare() {
  if (!flags_.content.misplaced.empty() || !context_.command || context_.command->empty()) {
    return usage_error("the command of the parts is missing: galley split ... -- CMD ...");
  }
  const bool joined = std::count(context_.command->begin(), context_.command->end(), "--join") > 0;
  join_ = cut_join(*context_.command);
  if (context_.command->empty()) return usage_error("the command of the parts is missing before --join");
  if (joined && join_.empty() && context_.command->back() == "--join") {
    return usage_error("the command of the join is missing: ... --join -- CMD ...");
  }
  auto options = options_of(flags_.job, 1);
  if (!options) return options.error();
  options_ = *std::move(options);
  auto command = command_of(flags_.content, context_);
  if (!command) return command.error();
  command_ = *std::move(command);
  auto source = split_source(flags_.source, command_.argv);
  if (!source) return source.error();
  source_ = *std::move(source);
  if (!flags_.out.empty()) {
    std::error_code error;
    out_ = std::filesystem::absolute(flags_.out, error).lexically_normal().string();
    if (!error) std::filesystem::create_directories(out_, error);
    if (error) return Error{Errc::Io, "--out " + base::quoted(flags_.out) + ": " + error.message()};
  }
  const auto settings = context_.settings();
  if (!settings) return settings.error();
  queue_ = *settings->queue;
  auto store = context_.open(*settings, true);
  if (!store) return store.error();
  store_ = *std::move(store);
  return {};
}

Result<job::NewJob> Splitter::part(std::int64_t index) const {
  Command command = command_;
  source_.fill(index, command);
  if (out_.empty()) {
    command.keep_output = true;
  } else {
    const std::string number = std::to_string(index);
    command.output_file = out_ + "/" + std::string(6 - std::min<std::size_t>(6, number.size()), '0') + number;
  }
  return engine::new_command_job(*store_, queue_, command, flags_.content.kind, options_);
}

Result<job::NewJob> Splitter::join(BatchId batch) const {
  Command command = command_;
  command.argv = join_;
  command.input_batch = batch;
  command.keep_output = true;
  JobOptions options;
  options.priority = options_.priority;
  options.max_attempts = options_.max_attempts;
  options.backoff = options_.backoff;
  options.redacted = options_.redacted;
  return engine::new_command_job(*store_, queue_, command, {}, options);
}

Result<int> Splitter::run() {
  if (auto done = prepare(); !done) return done.error();
  engine::SplitPlan plan;
  plan.name = "split";
  plan.token = flags_.token;
  plan.key = options_.key;
  plan.parts = source_.parts;
  plan.part = [this](std::int64_t index) { return part(index); };
  if (!join_.empty()) plan.join = [this](BatchId batch) { return join(batch); };
  const auto answer = engine::enqueue_split(store_, plan);
  if (!answer) return answer.error();
  if (flags_.wait) return wait(*answer);
  if (flags_.output == "json") {
    boost::json::object object{{"batch", answer->batch}, {"parts", answer->parts}, {"join", nullptr}};
    if (answer->join != 0) object["join"] = answer->join;
    context_.out.line(object);
  } else {
    context_.out.line(std::to_string(answer->batch));
  }
  return kExitOk;
}

Result<std::vector<JobId>> Splitter::ids_of(BatchId batch) const {
  store::Filter members;
  members.batch = batch;
  std::vector<JobId> ids;
  std::string cursor;
  do {
    const auto page = store_->select(members, cursor, limits::kMaxPage);
    if (!page) return page.error();
    ids.insert(ids.end(), page->ids.begin(), page->ids.end());
    cursor = page->next;
  } while (!cursor.empty());
  return ids;
}

/// The join is followed when the parts have completed: before, it may stand blocked for ever.
Result<int> Splitter::wait(const SplitAnswer& answer) {
  auto ids = ids_of(answer.batch);
  if (!ids) return ids.error();
  const auto parts = follow(context_, *store_, *std::move(ids));
  if (!parts || *parts != kExitOk) return parts;
  if (answer.join != 0) {
    const auto joined = follow(context_, *store_, {answer.join});
    if (!joined || *joined != kExitOk) return joined;
  }
  if (auto printed = print_outputs(answer); !printed) return printed.error();
  return kExitOk;
}

Result<void> Splitter::print_outputs(const SplitAnswer& answer) {
  if (answer.join != 0) {
    const auto record = store_->find(answer.join);
    if (!record) return record.error();
    context_.out.write(record->result);
    return {};
  }
  if (!out_.empty()) return {};  // they stand in their files
  Results all = results(store_, answer.batch);
  while (!context_.out.closed()) {
    const auto one = all.next();
    if (!one) return one.error();
    if (!*one) return {};
    context_.out.write((*one)->result);
    if (auto flushed = context_.out.flush(); !flushed) return flushed;
  }
  return {};
}

constexpr const char* kExamples =
    "Examples:\n"
    "  galley split --input access.log --lines 100000 --wait -- grep -c error --join -- awk '{n+=$1} END {print n}'\n"
    "  ls *.png | galley split --items - --chunk 20 -- mogrify -resize 200 {}\n"
    "  galley split --range 1..1000000 --chunk 10000 --out primes -- primes {first} {last}\n"
    "\n"
    "At most 100000 parts. They are the jobs of one batch, whose id is printed, and share with others as one key "
    "does.\n"
    "What a part writes is its result, at most 64 KiB, or with --out a file. Behind --join -- stands a command that\n"
    "runs when all parts have completed; its standard input is what they wrote, in order.";

}  // namespace

void add_split(CLI::App& app, Context& context) {
  CLI::App* split = app.add_subcommand("split", "Split a file, a list or a range into jobs, and join their outputs");
  auto flags = std::make_shared<Flags>();
  split->add_option("--queue", context.flags.queue, "The queue (default: default; also in galley.toml)")
      ->type_name("NAME");
  add_split_sources(*split, flags->source);
  split->add_option("--kind", flags->content.kind, "Of the parts (default: the program's name)")->type_name("NAME");
  split->add_option("--env", flags->content.env, "A variable of the commands; without a value, that of this shell")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  split->add_option("--cwd", flags->content.cwd, "Their working directory (default: this one)")->type_name("DIR");
  split->add_option("CMD", flags->content.misplaced, "The command of a part")->type_name("");
  add_job_options(*split, flags->job);
  split->add_option("--token", flags->token, "Splitting with the same token again adds nothing that is there already")
      ->type_name("TEXT");
  split
      ->add_option("--out", flags->out, "What each part writes goes into a file of this directory, named by its number")
      ->type_name("DIR");
  split->add_flag("--wait", flags->wait, "Follow the parts and the join, then print what they wrote, in order");
  split->add_option("--output", flags->output, "text (the id of the batch) or json (one object)")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->type_name("FORM");
  add_store_option(*split, context);
  split->footer(kExamples);
  split->callback(
      [&context, flags] { context.action = [&context, flags] { return Splitter(context, *flags).run(); }; });
}

}  // namespace galley::cli
