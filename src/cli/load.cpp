// galley load http: an open-loop load test.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <atomic>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/lines.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "load/http_load.hpp"

namespace galley::cli {

namespace {

constexpr int kExitInvalid = 3;  // the generator could not keep up: the figures mean little

struct Flags {
  std::string url;
  std::string rate;
  std::optional<std::string> duration;
  bool poisson = false;
  std::uint64_t seed = 1;
  int connections = 100;
  std::string timeout = "10s";
  std::optional<std::string> deadline;
  std::string method;
  std::vector<std::string> headers;
  std::optional<std::string> body;
  std::vector<int> allowed;
  bool json = false;
};

Result<load::HttpRequest> request_of(const Flags& flags) {
  load::HttpRequest request;
  for (const std::string& text : flags.headers) {
    const auto colon = text.find(':');
    if (colon == std::string::npos)
      return usage_error("--header: " + base::quoted(text) + " has no ':'; allowed is 'NAME: VALUE'");
    const auto value = text.find_first_not_of(' ', colon + 1);
    request.headers.emplace_back(text.substr(0, colon), value == std::string::npos ? "" : text.substr(value));
  }
  if (flags.body) {
    request.body = *flags.body;
    if (*flags.body == "-") {
      auto body = read_all(STDIN_FILENO, load::kMaxRequestBytes, "standard input");
      if (!body) return body.error();
      request.body = *std::move(body);
    }
  }
  request.method = !flags.method.empty() ? flags.method : flags.body ? "POST" : "GET";
  if (auto valid = load::validate(request); !valid) return valid.error();
  return request;
}

Result<Duration> time_from(const char* option, const std::string& text) {
  auto time = base::parse_duration(option, text);
  if (time && *time <= Duration{0}) {
    return usage_error(option + (": " + base::quoted(text)) + " is not allowed; allowed is more than 0");
  }
  return time;
}

Result<load::HttpLoad> load_of(const Flags& flags) {
  auto target = load::target_from(flags.url);
  if (!target) return target.error();
  auto request = request_of(flags);
  if (!request) return request.error();
  const auto timeout = time_from("--timeout", flags.timeout);
  if (!timeout) return timeout.error();
  load::HttpLoad load{*std::move(target), *std::move(request), flags.connections, *timeout};
  if (flags.deadline) {
    const auto deadline = time_from("--deadline", *flags.deadline);
    if (!deadline) return deadline.error();
    load.deadline = *deadline;
  }
  return load;
}

Result<load::Plan> plan_of(const Flags& flags) {
  std::optional<Duration> duration;
  if (flags.duration) {
    const auto given = time_from("--duration", *flags.duration);
    if (!given) return given.error();
    duration = *given;
  }
  auto stretches = load::stretches_from(flags.rate, duration);
  if (!stretches) return stretches.error();
  return load::Plan(*std::move(stretches), flags.poisson ? std::optional(flags.seed) : std::nullopt);
}

int exit_code_of(const load::Report& report, const std::vector<int>& allowed) {
  if (!report.valid()) return kExitInvalid;
  const bool refused = std::any_of(report.statuses.begin(), report.statuses.end(), [&](const auto& one) {
    return one.first >= 400 && std::find(allowed.begin(), allowed.end(), one.first) == allowed.end();
  });
  return refused || report.failed() > 0 ? kExitFailure : kExitOk;
}

Result<int> http(Context& context, const Flags& flags) {
  const auto load = load_of(flags);
  if (!load) return load.error();
  auto plan = plan_of(flags);
  if (!plan) return plan.error();
  std::atomic<bool> stopping{false};
  Signals signals;
  signals.watch([&stopping](int count) {
    if (count == 1) {
      stopping = true;
    } else {
      std::_Exit(kExitFailure);
    }
  });
  const auto report = load::run_http(*load, *std::move(plan), context.clock, stopping);
  if (!report) return report.error();
  if (flags.json) {
    context.out.line(load::to_json(*report));
  } else {
    context.out.write(load::to_text(*report));
  }
  return exit_code_of(*report, flags.allowed);
}

void add_request_options(CLI::App& app, Flags& flags) {
  app.add_option("--method", flags.method, "GET, or POST where there is a body")->type_name("WORD");
  app.add_option("--header", flags.headers, "'NAME: VALUE'; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--body", flags.body, "What each request carries; - reads it from standard input")
      ->type_name("TEXT|-");
}

constexpr const char* kFooter =
    "The response time of a request counts from the moment for which it was planned, its service time from when it was "
    "sent.\n"
    "Exit code 0: all were answered, with a status below 400 or an allowed one. 1: some were not. 3: the generator\n"
    "itself was late with more than 5 % of the requests, and the run is invalid.\n"
    "Examples:\n"
    "  galley load http http://localhost:8080/ --rate 1000 --duration 30s\n"
    "  galley load http http://localhost:8080/ --rate 100:10s,0..2000:1m --poisson --allow-status 503 --json";

}  // namespace

void add_load(CLI::App& app, Context& context) {
  CLI::App* load = app.add_subcommand("load", "Test what a server does under load");
  load->callback([load, &context] {
    if (!load->get_subcommands().empty()) return;
    context.action = [] { return Result<int>(usage_error("say what is tested: galley load http URL --rate 100:10s")); };
  });
  load->footer("Example: galley load http http://localhost:8080/ --rate 200 --duration 30s");
  CLI::App* command = load->add_subcommand("http", "Requests at planned moments, whether answers come or not");
  auto flags = std::make_shared<Flags>();
  command->add_option("URL", flags->url, "http://HOST[:PORT][/PATH][?QUERY]")->required()->type_name("");
  command
      ->add_option("--rate", flags->rate,
                   "Requests a second: 1000; steps 100:10s,500:10s; a ramp 0..1000:30s; or a mixture")
      ->required()
      ->type_name("PLAN");
  command->add_option("--duration", flags->duration, "How long (where the plan does not say it)")->type_name("TIME");
  command->add_flag("--poisson", flags->poisson, "Independent arrivals of that mean, instead of even spacing");
  command->add_option("--seed", flags->seed, "Of --poisson: the same seed gives the same moments (default: 1)")
      ->type_name("N");
  command->add_option("--connections", flags->connections, "At most; opened when needed (default: 100)")
      ->check(CLI::Range(1, load::kMaxConnections).description(""))
      ->type_name("1..10000");
  command->add_option("--timeout", flags->timeout, "Of one request, from when it was sent (default: 10s)")
      ->type_name("TIME");
  command
      ->add_option("--deadline", flags->deadline,
                   "Count as good what was answered within it from the planned moment, with a status below 400")
      ->type_name("TIME");
  add_request_options(*command, *flags);
  command->add_option("--allow-status", flags->allowed, "An error that is expected, such as 503; may be repeated")
      ->check(CLI::Range(400, 599).description(""))
      ->type_name("STATUS")
      ->allow_extra_args(false);
  command->add_flag("--json", flags->json, "The report as one JSON object");
  command->footer(kFooter);
  command->callback([&context, flags] { context.action = [&context, flags] { return http(context, *flags); }; });
}

}  // namespace galley::cli
