// galley jobs retry|cancel|delete|run|move|priority: what a person does to jobs, by id or by filter.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <boost/json/object.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <span>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/filter.hpp"

namespace galley::cli {

namespace {

using store::Operated;
using Verb = Result<std::vector<Operated>> (*)(store::Store&, std::span<const JobId>, const store::Alteration&);

/// One of the commands, as data.
struct Operation {
  const char* command;
  const char* done;  ///< "retried"
  const char* help;
  const char* example;
  const char* refusal;  ///< why a job in the wrong state is left alone
  Verb verb;
  const char* all_help;
  std::span<const JobState> all;  ///< what --all means without --state, in this order; empty: every state
};

constexpr JobState kDead[] = {JobState::Dead};
constexpr JobState kScheduled[] = {JobState::Scheduled};
// Against the stream of a job's life, so that a job that moves on meanwhile is met again.
constexpr JobState kNotEnded[] = {JobState::Blocked, JobState::Scheduled, JobState::Ready, JobState::Running};
constexpr JobState kWaiting[] = {JobState::Blocked, JobState::Scheduled, JobState::Ready};

constexpr Operation kOperations[] = {
    {"retry", "retried", "Make ended or scheduled jobs ready now, with all their tries",
     "Example: galley jobs retry --all --kind convert --ended-since 2h",
     "only dead, cancelled, discarded, expired and scheduled jobs can be retried",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration&) { return store.retry(ids); },
     "All dead jobs, or those that --state and the others choose", kDead},
    {"cancel", "cancelled", "End jobs that have not ended; a running one is asked to stop",
     "Example: galley jobs cancel 17 18", "it has ended already",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration&) { return store.cancel(ids); },
     "All jobs that have not ended, or those that --state and the others choose", kNotEnded},
    {"delete",
     "deleted",
     "Remove jobs that do not run, whatever their state",
     "Example: galley jobs delete --all --state completed",
     "a running job cannot be deleted; cancel it first",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration&) { return store.erase(ids); },
     "All jobs that --state and the others choose",
     {}},
    {"run", "made due", "Run scheduled jobs now; their counters stay as they are",
     "Example: galley jobs run --all --queue mail", "only scheduled jobs wait for their time",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration&) { return store.run_now(ids); },
     "All scheduled jobs that the others choose", kScheduled},
    {"move", "moved", "Put jobs that do not run into another queue",
     "Example: galley jobs move --to bulk --all --queue mail --tag newsletter", "a running job stays where it is",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration& change) {
       return store.alter(ids, change);
     },
     "All waiting jobs, or those that --state and the others choose", kWaiting},
    {"priority", "changed", "Give jobs that do not run another priority; they stand behind what is ready there",
     "Example: galley jobs priority --to 5 17", "a running job keeps its priority",
     [](store::Store& store, std::span<const JobId> ids, const store::Alteration& change) {
       return store.alter(ids, change);
     },
     "All waiting jobs, or those that --state and the others choose", kWaiting},
};

struct Flags {
  std::vector<JobId> ids;
  std::optional<std::string> queue;
  std::optional<int> priority;
  bool all = false;
  bool count = false;
  bool yes = false;
  bool json = false;
};

constexpr std::string_view kAnswers[] = {"done", "requested", "not_found", "wrong_state", "conflict"};

class Operator {
 public:
  Operator(Context& context, const Operation& operation, const Flags& flags, const FilterFlags& filter)
      : context_(context), operation_(operation), flags_(flags), filter_(filter) {}

  Result<int> run() {
    if (auto done = check(); !done) return done.error();
    auto store = context_.open_existing();
    if (!store) return store.error();
    store_ = std::move(*store);
    if (flags_.all) {
      auto chosen = filters();
      if (!chosen) return chosen.error();
      if (flags_.count || asks()) {
        auto many = count(*chosen);
        if (!many) return many.error();
        if (flags_.count) return say_count(*many);
        if (!agreed(*many)) return kExitFailure;
      }
      for (const store::Filter& filter : *chosen) {
        if (auto done = matching(filter); !done) return done.error();
      }
    } else if (auto done = named(); !done) {
      return done.error();
    }
    if (!flags_.json) {
      if (done_ > 0 || requested_ == 0) {
        context_.out.line(std::string(operation_.done) + " " + std::to_string(done_) + (done_ == 1 ? " job" : " jobs"));
      }
      if (requested_ > 0) {
        context_.out.line("asked the workers to stop " + std::to_string(requested_) + " running " +
                          (requested_ == 1 ? "job" : "jobs"));
      }
    }
    if (flags_.all && refused_ > 0) {
      context_.complain(std::to_string(refused_) + " were left as they are: " + operation_.refusal);
    }
    return !flags_.all && refused_ > 0 ? kExitFailure : kExitOk;
  }

 private:
  [[nodiscard]] Result<void> check() const {
    const std::string command = operation_.command;
    if (flags_.all && !flags_.ids.empty()) return usage_error("jobs " + command + " takes ids or --all, not both");
    if (!flags_.all && flags_.ids.empty()) return usage_error("jobs " + command + " needs ids, or --all");
    if (!flags_.all && filter_.any()) return usage_error("options that choose among jobs need --all; add it");
    if (!flags_.all && flags_.count) return usage_error("--count counts what --all would take; add --all");
    if (flags_.all && operation_.all.empty() && !filter_.state && !flags_.yes && !flags_.count) {
      return usage_error("jobs " + command + " --all takes jobs that wait, too: say which with --state, or add --yes");
    }
    return {};
  }

  Result<void> named() {
    for (std::size_t at = 0; at < flags_.ids.size(); at += limits::kMaxPage) {
      const std::size_t size = std::min(limits::kMaxPage, flags_.ids.size() - at);
      if (auto done = apply(std::span(flags_.ids).subspan(at, size)); !done) return done;
    }
    return {};
  }

  /// What --all takes, in turn.
  [[nodiscard]] Result<std::vector<store::Filter>> filters() const {
    auto filter = filter_from(filter_, context_.clock.wall());
    if (!filter) return filter.error();
    if (filter->state || operation_.all.empty()) return std::vector{*filter};
    std::vector<store::Filter> all;
    for (const JobState state : operation_.all) {
      filter->state = state;
      all.push_back(*filter);
    }
    return all;
  }

  [[nodiscard]] Result<std::int64_t> count(const std::vector<store::Filter>& chosen) {
    std::int64_t many = 0;
    for (const store::Filter& filter : chosen) {
      std::string cursor;
      do {
        const auto page = store_->select(filter, cursor, limits::kMaxPage);
        if (!page) return page.error();
        many += static_cast<std::int64_t>(page->ids.size());
        cursor = page->next;
      } while (!cursor.empty());
    }
    return many;
  }

  int say_count(std::int64_t many) {
    if (flags_.json) {
      context_.out.line(boost::json::object{{"count", many}});
    } else {
      context_.out.line(std::to_string(many));
    }
    return kExitOk;
  }

  /// A person at a terminal is shown the number first.
  [[nodiscard]] bool asks() const { return !flags_.yes && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1; }

  [[nodiscard]] bool agreed(std::int64_t many) {
    context_.complain(std::string(operation_.command) + " " + std::to_string(many) + (many == 1 ? " job" : " jobs") +
                      "? y or n");
    std::string answer;
    return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
  }

  Result<void> matching(const store::Filter& filter) {
    std::string cursor;
    do {
      const auto page = store_->select(filter, cursor, limits::kMaxPage);
      if (!page) return page.error();
      if (!page->ids.empty()) {
        if (auto done = apply(page->ids); !done) return done;
      }
      cursor = page->next;
    } while (!cursor.empty());
    return {};
  }

  Result<void> apply(std::span<const JobId> ids) {
    const auto answers = operation_.verb(*store_, ids, {flags_.queue, flags_.priority});
    if (!answers) return answers.error();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const Operated answer = (*answers)[i];
      if (flags_.json) {
        context_.out.line({{"id", ids[i]}, {"outcome", kAnswers[static_cast<std::size_t>(answer)]}});
      }
      if (answer == Operated::Done) ++done_;
      if (answer == Operated::Requested) ++requested_;
      // Of --all, a job that is gone meanwhile is nobody's concern.
      const bool refused = answer == Operated::WrongState || answer == Operated::Conflict;
      if (refused || (answer == Operated::NotFound && !flags_.all)) refuse(ids[i], answer);
    }
    return {};
  }

  void refuse(JobId id, Operated answer) {
    ++refused_;
    if (flags_.all) return;
    if (answer == Operated::NotFound) {
      context_.complain(Error{Errc::NotFound, "there is no job " + std::to_string(id)});
      return;
    }
    if (answer == Operated::Conflict) {
      context_.complain(Error{Errc::Conflict, "job " + std::to_string(id) + " was not " + operation_.done +
                                                  ": another job holds its unique key by now"});
      return;
    }
    const auto states = store_->states(std::span(&id, 1));
    const std::string state = states && (*states)[0] ? " is " + std::string(name(*(*states)[0])) : "";
    context_.complain(Error{Errc::WrongState, "job " + std::to_string(id) + state + " and was not " + operation_.done +
                                                  ": " + operation_.refusal});
  }

  Context& context_;
  const Operation& operation_;
  const Flags& flags_;
  const FilterFlags& filter_;
  StorePtr store_;
  std::int64_t done_ = 0;
  std::int64_t requested_ = 0;
  std::int64_t refused_ = 0;
};

/// --to, of the two that have one.
void add_target(CLI::App& app, const Operation& operation, Flags& flags) {
  const std::string_view command = operation.command;
  if (command == "move") {
    app.add_option("--to", flags.queue, "The queue")->type_name("NAME")->required();
  } else if (command == "priority") {
    app.add_option("--to", flags.priority, "-10..10, larger runs sooner")
        ->check(CLI::Range(-limits::kMaxPriority, limits::kMaxPriority).description(""))
        ->type_name("N")
        ->required();
  }
}

}  // namespace

void add_operations(CLI::App& jobs, Context& context, FilterFlags& filter) {
  for (const Operation& operation : kOperations) {
    CLI::App* app = jobs.add_subcommand(operation.command, operation.help);
    auto flags = std::make_shared<Flags>();
    app->add_option("ID", flags->ids, "Jobs");
    app->add_flag("--all", flags->all, operation.all_help);
    add_filter_options(*app, filter);
    app->add_flag("--count", flags->count, "Only say how many jobs --all would take");
    app->add_flag("--yes", flags->yes,
                  operation.all.empty() ? "Of --all: whatever their state, and without asking"
                                        : "Of --all: without asking a person at a terminal");
    add_target(*app, operation, *flags);
    app->add_flag("--json", flags->json, "One object a line: id and outcome");
    add_store_option(*app, context);
    app->footer(operation.example);
    app->callback([&context, &operation, &filter, flags] {
      context.action = [&context, &operation, &filter, flags] {
        return Operator(context, operation, *flags, filter).run();
      };
    });
  }
}

}  // namespace galley::cli
