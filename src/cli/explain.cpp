// galley explain: why a job does not run (yet), and what has become of it so far.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "engine/explain.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kTextColumns = 500;  // an error's first line may be long

boost::json::array to_json(const std::vector<engine::Reason>& reasons) {
  boost::json::array all;
  for (const engine::Reason& reason : reasons) {
    all.push_back(
        {{"code", reason.code}, {"text", base::to_utf8(reason.text)}, {"advice", base::to_utf8(reason.advice)}});
  }
  return all;
}

boost::json::object to_json(const job::JobRecord& job, const engine::Explanation& explanation) {
  boost::json::array timeline;
  for (const engine::Moment& moment : explanation.timeline) {
    timeline.push_back(
        {{"at", base::format_time(moment.at)}, {"what", base::to_utf8(moment.what)}, {"ahead", moment.ahead}});
  }
  return {{"id", job.id},
          {"state", name(job.state)},
          {"queue", base::to_utf8(job.queue)},
          {"kind", base::to_utf8(job.kind)},
          {"reasons", to_json(explanation.reasons)},
          {"notes", to_json(explanation.notes)},
          {"timeline", std::move(timeline)}};
}

void print(Output& out, const std::vector<engine::Reason>& reasons, const std::string& before) {
  for (const engine::Reason& reason : reasons) {
    out.line("  " + before + to_cell(reason.text, kTextColumns));
    if (!reason.advice.empty()) out.line("    -> " + to_cell(reason.advice, kTextColumns));
  }
}

void print(Output& out, const engine::Facts& facts, const engine::Explanation& explanation) {
  const job::JobRecord& job = facts.job;
  const std::string kind = job.kind.empty() ? "" : ", kind " + to_terminal(job.kind);
  out.line("job " + std::to_string(job.id) + " is " + std::string(name(job.state)) + " (queue " +
           to_terminal(job.queue) + kind + ")");
  print(out, explanation.reasons, "");
  print(out, explanation.notes, "note: ");
  out.line("time line");
  for (const engine::Moment& moment : explanation.timeline) {
    const std::string ahead = moment.ahead ? "in " + base::format_duration(moment.at - facts.now) + ": " : "";
    out.line("  " + base::format_time(moment.at) + "  " + ahead + to_cell(moment.what, kTextColumns));
  }
}

Result<int> explain(Context& context, const std::vector<JobId>& ids, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  int code = kExitOk;
  bool first = true;
  for (const JobId id : ids) {
    const auto facts = engine::gather(**store, context.clock, id);
    if (!facts && facts.error().code != Errc::NotFound) return facts.error();
    if (!facts) {
      context.complain(Error{Errc::NotFound, "there is no job " + std::to_string(id)});
      code = kExitFailure;
      continue;
    }
    const engine::Explanation explanation = engine::explain(*facts);
    if (json) {
      context.out.line(to_json(facts->job, explanation));
    } else {
      if (!first) context.out.line("");
      print(context.out, *facts, explanation);
    }
    first = false;
  }
  return code;
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* explain_app =
      app.add_subcommand("explain", "Say why jobs do not run (yet), what to do, and their time line");
  auto ids = std::make_shared<std::vector<JobId>>();
  auto json = std::make_shared<bool>(false);
  explain_app->add_option("ID", *ids, "Jobs")->required();
  explain_app->add_flag("--json", *json, "One object a line: reasons, notes and timeline");
  add_store_option(*explain_app, context);
  explain_app->footer("Example: galley explain 17");
  explain_app->callback(
      [&context, ids, json] { context.action = [&context, ids, json] { return explain(context, *ids, *json); }; });
}

}  // namespace galley::cli
