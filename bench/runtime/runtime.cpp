// ./dev bench runtime: what the loop, the worker pool and their tools cost, beside others that do the same.

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>

#include "bench/report.hpp"
#include "bench/runtime/rows.hpp"

namespace {

using namespace bench;
using namespace bench::runtime;

using Part = std::vector<Row> (*)(const Options&);
constexpr std::pair<const char*, Part> kParts[] = {
    {"pool", pool_rows},
    {"offload", offload_rows},
    {"idle", idle_rows},
    {"stall", stall_rows},
};

/// "at most 45: met".
std::string judged(const Aim& aim, double value) {
  const bool met = aim.kind == Aim::Kind::AtMost ? value <= aim.value : value >= aim.value;
  std::string wanted = std::to_string(aim.value);
  wanted.erase(wanted.find_last_not_of('0') + 1);
  if (wanted.ends_with('.')) wanted.pop_back();
  return (aim.kind == Aim::Kind::AtMost ? "at most " : "at least ") + wanted + (met ? ": met" : ": missed");
}

void run(const Row& row, const Options& options, const Report& report) {
  std::vector<Result> results;
  for (const Line& line : row.lines) {
    Result result{line.what, row.unit, {}};
    for (const Entrant& entrant : row.entrants) result.series.push_back({entrant.who, {}, ""});
    result.series.front().against = row.against;
    results.push_back(std::move(result));
  }
  for (int round = 0; round < (options.quick ? 1 : options.rounds); ++round) {
    for (std::size_t who = 0; who < row.entrants.size(); ++who) {
      const std::vector<double> values = row.entrants[who].measure();
      for (std::size_t at = 0; at < results.size(); ++at) results[at].series[who].runs.push_back(values.at(at));
    }
  }
  for (std::size_t at = 0; at < results.size(); ++at) {
    if (row.lines[at].aim) results[at].aim = judged(*row.lines[at].aim, median(results[at].series.front().runs));
  }
  report.results(row.heading, results);
}

constexpr const char* kUsage =
    "usage: ./dev bench runtime [--json] [--quick] [--only PART] [--rounds N] [--modules DIR]\n"
    "  --json         one JSON object a line instead of the tables\n"
    "  --quick        a few seconds, to see that it runs; its numbers are worth nothing\n"
    "  --only PART    one part, such as pool or idle\n"
    "  --rounds N     turns of each (default: 5)\n"
    "  --modules DIR  where npm has put its packages (default: build/peers)\n";

bool read_options(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json") {
      options.json = true;
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    } else if (word == "--rounds" && i + 1 < argc) {
      options.rounds = std::clamp(std::atoi(argv[++i]), 1, 101);
    } else if (word == "--modules" && i + 1 < argc) {
      options.modules = argv[++i];
    } else {
      return false;
    }
  }
  return options.only.empty() || std::any_of(std::begin(kParts), std::end(kParts),
                                             [&](const auto& part) { return options.only == part.first; });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, options)) {
    std::cerr << kUsage;
    return 2;
  }
  try {
    const Stopwatch watch;
    const CpuTime before = cpu_time();
    const Report report(options.json);
    report.facts(machine_facts());
    for (const auto& [name, part] : kParts) {
      if (!options.only.empty() && options.only != name) continue;
      for (const Row& row : part(options)) run(row, options, report);
    }
    report.facts({{"took", std::to_string(static_cast<int>(watch.seconds())) + " s"},
                  {"CPU time that others had meanwhile", share_of_others(before, cpu_time())}});
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "bench: " << failure.what() << "\n";
    return 1;
  }
}
