#include "cli/render_job.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/text.hpp"
#include "engine/command.hpp"
#include "job/settle.hpp"

namespace galley::cli {

namespace {

namespace json = boost::json;

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

json::value text_value(std::string_view bytes) { return json::value(base::to_utf8(bytes)); }

json::value command_value(const Command& command) {
  json::array argv;
  for (const std::string& word : command.argv) argv.push_back(text_value(word));
  json::object env;
  for (const auto& [name, value] : command.env) env[base::to_utf8(name)] = base::to_utf8(value);
  return json::object{{"argv", std::move(argv)},
                      {"cwd", text_value(command.cwd)},
                      {"env", std::move(env)},
                      {"input", text_value(command.input)}};
}

json::value payload_value(const job::JobRecord& job) {
  if (job.content == job::Content::Command) {
    if (const auto command = engine::decode_command(job.payload)) return command_value(*command);
  }
  if (job.content == job::Content::Json) {
    json::error_code fault;
    json::value value = json::parse(job.payload, fault);
    if (!fault) return value;
  }
  return text_value(job.payload);
}

void fact(Output& out, std::string_view name, std::string_view value) {
  constexpr std::size_t kNameColumns = 14;
  std::string line(name);
  line.resize(kNameColumns, ' ');
  // Further lines of a value are set in below its first one.
  for (const char c : to_terminal(value)) {
    line += c;
    if (c == '\n') line.append(kNameColumns, ' ');
  }
  while (line.ends_with(' ') || line.ends_with('\n')) line.pop_back();
  out.line(line);
}

void fact_unless_empty(Output& out, std::string_view name, std::string_view value) {
  if (!value.empty()) fact(out, name, value);
}

/// What stands in the place of a payload or a result that is not to be shown.
std::string redacted(std::string_view hidden) { return "(" + std::to_string(hidden.size()) + " bytes, redacted)"; }

void print_payload(Output& out, const job::JobRecord& job) {
  if (job.redacted) return fact(out, "payload", redacted(job.payload));
  if (job.content == job::Content::Command) {
    if (const auto command = engine::decode_command(job.payload)) {
      fact(out, "command", shell_quoted(command->argv));
      fact_unless_empty(out, "cwd", command->cwd);
      for (const auto& [name, value] : command->env) fact(out, "env", name + "=" + value);
      fact_unless_empty(out, "input", command->input);
      return;
    }
  }
  fact(out, "payload", job.payload);
}

void print_policy(Output& out, const job::JobRecord& job) {
  const job::Policy& policy = job.policy;
  const job::Counters& counters = job.counters;
  fact(out, "priority", std::to_string(job.priority));
  fact(out, "attempts", std::to_string(counters.attempts));
  fact(out, "errors", std::to_string(counters.errors) + " of " + std::to_string(policy.max_attempts));
  fact(out, "pauses", std::to_string(counters.pauses) + " of " + std::to_string(policy.max_pauses));
  fact(out, "crashes", std::to_string(counters.crashes) + " of " + std::to_string(policy.max_crashes));
  if (counters.snoozes > 0) fact(out, "snoozes", std::to_string(counters.snoozes));
  if (policy.timeout > Duration{0}) {
    fact(out, "timeout", base::format_duration(policy.timeout) + ", then " + std::string(name(policy.on_timeout)));
  }
  fact(out, "grace", base::format_duration(policy.grace));
  fact(out, "backoff", job::to_text(policy.backoff));
  if (policy.resumable) fact(out, "resumable", "yes");
}

void print_marks(Output& out, const job::JobRecord& job) {
  if (!job.unique.key.empty()) {
    fact(out, "unique", job.unique.key + " until " + std::string(name(job.unique.until)));
  }
  if (!job.group.key.empty()) fact(out, "group", job.group.key + ", " + std::to_string(job.members) + " jobs");
  if (job.batch != 0) fact(out, "batch", std::to_string(job.batch));
  if (job.awaits != 0) {
    fact(out, "awaits", std::string(name(job.trigger)) + " of batch " + std::to_string(job.awaits));
  }
  for (const std::string& tag : job.tags) fact(out, "tag", tag);
  for (const auto& [header, value] : job.headers) fact(out, "header", header + "=" + value);
}

void print_attempt(Output& out, const job::AttemptRecord& attempt, bool hides_output) {
  const job::AttemptReport& report = attempt.report;
  out.line("");
  fact(out, "attempt", std::to_string(attempt.attempt) + ", " + attempt.outcome);
  fact(out, "  from", base::format_time(attempt.started_at));
  fact(out, "  to", base::format_time(attempt.ended_at) + " (" + base::format_duration(report.run_time) + ")");
  fact_unless_empty(out, "  worker", attempt.worker);
  if (report.exit_code) fact(out, "  exit code", std::to_string(*report.exit_code));
  if (report.signal) fact(out, "  signal", std::to_string(*report.signal));
  fact_unless_empty(out, "  error", report.error);
  const auto shown = [&](const std::string& text) { return hides_output && !text.empty() ? redacted(text) : text; };
  fact_unless_empty(out, "  stdout", shown(report.out));
  fact_unless_empty(out, "  stderr", shown(report.err));
  fact_unless_empty(out, "  log", report.log);
}

}  // namespace

json::value time_value(const std::optional<Time>& time) {
  return time ? json::value(base::format_time(*time)) : json::value(nullptr);
}

std::string summary(const job::JobRecord& job) {
  if (job.redacted) return redacted(job.payload);
  if (job.content == job::Content::Command) {
    if (const auto command = engine::decode_command(job.payload)) return shell_quoted(command->argv);
  }
  return job.payload;
}

std::string age(const job::JobRecord& job, Time now) {
  const auto since = [&](Time then) { return base::format_duration(std::max(now - then, Duration{0})); };
  switch (job.state) {
    case JobState::Scheduled:
      return job.due_at ? "due in " + base::format_duration(std::max(*job.due_at - now, Duration{0})) : "waits";
    case JobState::Ready:
    case JobState::Blocked: return "waits " + since(job.enqueued_at);
    case JobState::Running: return "runs " + since(job.started_at.value_or(now));
    default: return "ended " + since(job.finished_at.value_or(now)) + " ago";
  }
}

json::object to_json(const job::JobRecord& job) {
  const bool command = job.content == job::Content::Command;
  json::object object{{"id", job.id},
                      {"state", name(job.state)},
                      {"queue", text_value(job.queue)},
                      {"kind", text_value(job.kind)},
                      {"key", text_value(job.key)},
                      {"content", name(job.content)},
                      {command ? "command" : "payload", job.redacted ? json::value(nullptr) : payload_value(job)},
                      {"redacted", job.redacted},
                      {"priority", job.priority},
                      {"attempts", job.counters.attempts},
                      {"errors", job.counters.errors},
                      {"pauses", job.counters.pauses},
                      {"snoozes", job.counters.snoozes},
                      {"crashes", job.counters.crashes},
                      {"max_attempts", job.policy.max_attempts},
                      {"max_pauses", job.policy.max_pauses},
                      {"max_crashes", job.policy.max_crashes},
                      {"timeout_ms", milliseconds(job.policy.timeout)},
                      {"grace_ms", milliseconds(job.policy.grace)},
                      {"on_timeout", name(job.policy.on_timeout)},
                      {"backoff", job::to_text(job.policy.backoff)},
                      {"resumable", job.policy.resumable},
                      {"enqueued_at", time_value(job.enqueued_at)},
                      {"due_at", time_value(job.due_at)},
                      {"started_at", time_value(job.started_at)},
                      {"finished_at", time_value(job.finished_at)},
                      {"worker", text_value(job.worker)},
                      {"error", text_value(job.error)},
                      {"progress", text_value(job.progress)},
                      {"error_class", text_value(job.error_class)},
                      {"result", job.redacted ? json::value(nullptr) : json::value(text_value(job.result))},
                      {"checkpoint_bytes", job.checkpoint.size()},
                      {"cancel_requested", job.cancel_requested},
                      {"unique", text_value(job.unique.key)},
                      {"expires_at", time_value(job.expires_at)},
                      {"deadline_at", time_value(job.deadline_at)}};
  json::array limits;
  for (const std::string& limit : job.limits) limits.push_back(json::value(text_value(limit)));
  if (!limits.empty()) object["limits"] = std::move(limits);
  if (job.ordered) object["ordered"] = true;
  if (job.expect > Duration{0}) object["expect_ms"] = milliseconds(job.expect);
  if (!job.group.key.empty()) object["group"] = {{"key", text_value(job.group.key)}, {"jobs", job.members}};
  if (job.batch != 0) object["batch"] = job.batch;
  if (job.awaits != 0) object["awaits"] = {{"batch", job.awaits}, {"trigger", name(job.trigger)}};
  json::array tags;
  for (const std::string& tag : job.tags) tags.push_back(json::value(text_value(tag)));
  object["tags"] = std::move(tags);
  json::object headers;
  for (const auto& [header, value] : job.headers) headers[header] = text_value(value);
  object["headers"] = std::move(headers);
  return object;
}

json::object to_json(const job::AttemptRecord& attempt, bool redacted) {
  const job::AttemptReport& report = attempt.report;
  const auto number = [](const std::optional<int>& value) {
    return value ? json::value(*value) : json::value(nullptr);
  };
  return {{"attempt", attempt.attempt},
          {"outcome", text_value(attempt.outcome)},
          {"started_at", time_value(attempt.started_at)},
          {"ended_at", time_value(attempt.ended_at)},
          {"run_ms", milliseconds(report.run_time)},
          {"worker", text_value(attempt.worker)},
          {"exit_code", number(report.exit_code)},
          {"signal", number(report.signal)},
          {"error", text_value(report.error)},
          {"stdout", redacted ? json::value(nullptr) : text_value(report.out)},
          {"stderr", redacted ? json::value(nullptr) : text_value(report.err)},
          {"log", text_value(report.log)}};
}

void print_job(Output& out, const job::JobRecord& job, const std::vector<job::AttemptRecord>& attempts) {
  fact(out, "job", std::to_string(job.id));
  fact(out, "state", std::string(name(job.state)) + (job.cancel_requested ? ", to be cancelled" : ""));
  fact(out, "queue", job.queue);
  fact(out, "kind", job.kind);
  fact_unless_empty(out, "key", job.ordered ? job.key + " (in order)" : job.key);
  std::string limits;
  for (const std::string& limit : job.limits) limits += (limits.empty() ? "" : ", ") + limit;
  fact_unless_empty(out, "limits", limits);
  if (job.expect > Duration{0}) fact(out, "expected to run", base::format_duration(job.expect));
  print_payload(out, job);
  print_policy(out, job);
  print_marks(out, job);
  fact(out, "enqueued at", base::format_time(job.enqueued_at));
  if (job.due_at) fact(out, "due at", base::format_time(*job.due_at));
  if (job.started_at) fact(out, "started at", base::format_time(*job.started_at));
  if (job.finished_at) fact(out, "finished at", base::format_time(*job.finished_at));
  fact_unless_empty(out, "worker", job.worker);
  if (job.expires_at && !job.started_at) fact(out, "expires at", base::format_time(*job.expires_at));
  if (job.deadline_at) fact(out, "deadline", base::format_time(*job.deadline_at));
  fact_unless_empty(out, "error", job.error);
  fact_unless_empty(out, "error class", job.error_class);
  fact_unless_empty(out, "progress", job.progress);
  fact_unless_empty(out, "result", job.redacted && !job.result.empty() ? redacted(job.result) : job.result);
  if (!job.checkpoint.empty()) fact(out, "checkpoint", std::to_string(job.checkpoint.size()) + " bytes");
  for (const job::AttemptRecord& attempt : attempts) print_attempt(out, attempt, job.redacted);
}

}  // namespace galley::cli
