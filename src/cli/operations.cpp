// galley jobs retry|cancel|delete: what a person does to jobs, by id or by filter.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <span>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/filter.hpp"

namespace galley::cli {

namespace {

using store::Operated;
using Verb = Result<std::vector<Operated>> (store::Store::*)(std::span<const JobId>);

/// One of the three commands, as data.
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

constexpr JobState kToRetry[] = {JobState::Dead};
// Against the stream of a job's life, so that a job that moves on meanwhile is met again.
constexpr JobState kToCancel[] = {JobState::Blocked, JobState::Scheduled, JobState::Ready, JobState::Running};

constexpr Operation kOperations[] = {
    {"retry", "retried", "Make ended or scheduled jobs ready now, with all their tries",
     "Example: galley jobs retry --all --kind convert",
     "only dead, cancelled, discarded, expired and scheduled jobs can be retried", &store::Store::retry,
     "All dead jobs, or those that --state names, of --queue and --kind", kToRetry},
    {"cancel", "cancelled", "End jobs that have not ended; a running one is asked to stop",
     "Example: galley jobs cancel 17 18", "it has ended already", &store::Store::cancel,
     "All jobs that have not ended, or those that --state names, of --queue and --kind", kToCancel},
    {"delete",
     "deleted",
     "Remove jobs that do not run, whatever their state",
     "Example: galley jobs delete --all --state completed",
     "a running job cannot be deleted; cancel it first",
     &store::Store::erase,
     "All jobs that --queue, --state and --kind choose",
     {}},
};

struct Flags {
  std::vector<JobId> ids;
  bool all = false;
  bool yes = false;
  bool json = false;
};

constexpr std::string_view kAnswers[] = {"done", "requested", "not_found", "wrong_state"};

class Operator {
 public:
  Operator(Context& context, const Operation& operation, const Flags& flags, const FilterFlags& filter)
      : context_(context), operation_(operation), flags_(flags), filter_(filter) {}

  Result<int> run() {
    if (auto done = check(); !done) return done.error();
    auto store = context_.open_existing();
    if (!store) return store.error();
    store_ = std::move(*store);
    if (auto done = flags_.all ? everything() : named(); !done) return done.error();
    if (!flags_.json) {
      context_.out.line(std::string(operation_.done) + " " + std::to_string(done_) + (done_ == 1 ? " job" : " jobs"));
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
    if (!flags_.all && filter_.any()) return usage_error("--queue, --state and --kind choose among --all; add --all");
    if (flags_.all && operation_.all.empty() && filter_.state.empty() && !flags_.yes) {
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

  Result<void> everything() {
    store::Filter filter = filter_from(filter_);
    if (filter.state || operation_.all.empty()) return matching(filter);
    for (const JobState state : operation_.all) {
      filter.state = state;
      if (auto done = matching(filter); !done) return done;
    }
    return {};
  }

  Result<void> matching(const store::Filter& filter) {
    std::string cursor;
    do {
      const auto page = store_->list(filter, cursor, limits::kMaxPage);
      if (!page) return page.error();
      std::vector<JobId> ids;
      for (const job::JobRecord& job : page->jobs) ids.push_back(job.id);
      if (!ids.empty()) {
        if (auto done = apply(ids); !done) return done;
      }
      cursor = page->next;
    } while (!cursor.empty());
    return {};
  }

  Result<void> apply(std::span<const JobId> ids) {
    const auto answers = ((*store_).*operation_.verb)(ids);
    if (!answers) return answers.error();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const Operated answer = (*answers)[i];
      if (flags_.json) {
        context_.out.line({{"id", ids[i]}, {"outcome", kAnswers[static_cast<std::size_t>(answer)]}});
      }
      if (answer == Operated::Done) ++done_;
      if (answer == Operated::Requested) ++requested_;
      // Of --all, a job that is gone meanwhile is nobody's concern.
      if (answer == Operated::WrongState || (answer == Operated::NotFound && !flags_.all)) refuse(ids[i], answer);
    }
    return {};
  }

  void refuse(JobId id, Operated answer) {
    ++refused_;
    if (flags_.all) return;
    if (answer == Operated::NotFound) {
      context_.complain("there is no job " + std::to_string(id));
      return;
    }
    const auto states = store_->states(std::span(&id, 1));
    const std::string state = states && (*states)[0] ? " is " + std::string(name(*(*states)[0])) : "";
    context_.complain("job " + std::to_string(id) + state + " and was not " + operation_.done + ": " +
                      operation_.refusal);
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

}  // namespace

void add_operations(CLI::App& jobs, Context& context, FilterFlags& filter) {
  for (const Operation& operation : kOperations) {
    CLI::App* app = jobs.add_subcommand(operation.command, operation.help);
    auto flags = std::make_shared<Flags>();
    app->add_option("ID", flags->ids, "Jobs");
    app->add_flag("--all", flags->all, operation.all_help);
    add_filter_options(*app, filter);
    if (operation.all.empty()) app->add_flag("--yes", flags->yes, "Of --all: whatever their state");
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
