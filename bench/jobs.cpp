// ./dev bench jobs: how fast Galley moves jobs, and how near that is to what its library can do at all.
//
// Contenders take turns, so that a slow minute of the machine hits all of them; each run begins with an empty store;
// what is shown is the median.

#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>

#include "bench/alone.hpp"
#include "bench/contender.hpp"
#include "bench/report.hpp"
#include "bench/roles.hpp"
#include "bench/scratch.hpp"

namespace {

using namespace bench;

struct Options {
  bool json = false;
  bool large = false;
  bool quick = false;
  std::string only;  ///< a part's name; empty: all
  std::filesystem::path dir = std::filesystem::temp_directory_path();
};

/// How much is done: enough to be steady, and about two minutes in all.
struct Sizes {
  int rounds = 3;
  int bulk = 50'000;
  Nanos singles = std::chrono::milliseconds(500);
  int drained = 20'000;
  int latency_rate = 100;
  int latency_jobs = 400;
  int waiting = 1'000'000;
  int claims = 2'000;
  std::chrono::seconds idle{10};
};

Sizes sizes_of(const Options& options) {
  Sizes sizes;
  if (options.large) sizes.waiting = 10'000'000;
  if (options.quick) {  // shows that everything runs; the numbers are worth nothing
    using namespace std::chrono_literals;
    sizes = {1, 2'000, 50ms, 1'000, 100, 30, 1'000, 200, 1s};
  }
  return sizes;
}

struct Entrant {
  std::string who;
  std::string against;
  std::unique_ptr<Contender> contender;
};

/// With -f0 beanstalkd syncs each put and delete by itself, a few hundred a second: shown for single calls only,
/// because the larger measures would take minutes and say the same.
std::vector<Entrant> entrants(bool single_calls) {
  std::vector<Entrant> all;
  all.push_back({"galley", "by hand", make_galley(Durability::Full)});
  all.push_back({"by hand", "", make_by_hand(Durability::Full)});
  all.push_back({"galley normal", "by hand normal", make_galley(Durability::Normal)});
  all.push_back({"by hand normal", "", make_by_hand(Durability::Normal)});
  if (beanstalkd_version()) {
    if (single_calls) all.push_back({"beanstalkd -f0", "", make_beanstalkd(Durability::Full)});
    all.push_back({"beanstalkd", "", make_beanstalkd(Durability::Normal)});
  }
  return all;
}

template <class Measure>
Result compare(const Options& options, const Sizes& sizes, const std::string& what, std::vector<Entrant> all,
               const Measure& measure) {
  Result result{what, "jobs/s", {}};
  for (const Entrant& one : all) result.series.push_back({one.who, {}, one.against});
  for (int round = 0; round < sizes.rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Scratch scratch(options.dir);
      all[i].contender->fresh(scratch.path());
      result.series[i].runs.push_back(measure(*all[i].contender));
      all[i].contender->stop();
    }
  }
  return result;
}

void run_bulk(const Options& options, const Sizes& sizes, const Report& report) {
  report.results("bulk enqueue", {compare(options, sizes, "100 bytes each", entrants(false),
                                          [&](Contender& one) { return one.bulk(sizes.bulk); })});
}

void run_singles(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<Result> singles;
  for (const int threads : {1, 4, 16}) {
    const std::string what = std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    singles.push_back(compare(options, sizes, what, entrants(true),
                              [&](Contender& one) { return one.singles(threads, sizes.singles); }));
  }
  report.results("single awaited enqueue", singles);
}

void run_drains(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<Result> drains;
  for (const int slots : {1, 10, 100}) {
    const std::string what = std::to_string(slots) + (slots == 1 ? " slot" : " slots");
    drains.push_back(compare(options, sizes, what, entrants(false),
                             [&](Contender& one) { return one.drain(slots, sizes.drained); }));
  }
  report.results("drain of no-op jobs", drains);
}

std::string url_in(const Scratch& scratch, bool normal = false) {
  return "sqlite:" + (scratch.path() / "galley.db").string() + (normal ? "?durability=normal" : "");
}

void run_latency(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<Latencies> of;
  for (const bool normal : {false, true}) {
    const Scratch scratch(options.dir);
    of.push_back(measure_latency(url_in(scratch, normal), sizes.latency_rate, sizes.latency_jobs));
  }
  const auto us = [](Nanos time) { return std::vector{std::chrono::duration<double, std::micro>(time).count()}; };
  const auto row = [&](const std::string& what, const auto& pick) {
    return Result{what, "us", {{"galley", us(pick(of[0])), ""}, {"galley normal", us(pick(of[1])), ""}}};
  };
  report.results("at " + std::to_string(sizes.latency_rate) + " jobs/s",
                 {row("call of enqueue, p50", [](const Latencies& all) { return all.enqueue.p50; }),
                  row("call of enqueue, p99", [](const Latencies& all) { return all.enqueue.p99; }),
                  row("call of enqueue, max", [](const Latencies& all) { return all.enqueue.max; }),
                  row("call to start, p50", [](const Latencies& all) { return all.start.p50; }),
                  row("call to start, p99", [](const Latencies& all) { return all.start.p99; }),
                  row("call to start, max", [](const Latencies& all) { return all.start.max; })});
}

void run_claims(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<Result> results;
  for (int waiting = 1'000; waiting <= sizes.waiting; waiting *= 10) {
    const Scratch scratch(options.dir);
    const auto runs = measure_claims(url_in(scratch), waiting, sizes.claims, sizes.rounds);
    results.push_back({std::to_string(waiting) + " waiting", "us a job", {{"galley", runs, ""}}});
  }
  report.results("claim and finish, 1 slot", results);
  std::vector<Result> shared;
  for (const int keys : {1, 100, 10'000, 50'000}) {
    if (keys > sizes.waiting) break;
    const Scratch scratch(options.dir);
    const auto runs =
        measure_claims(url_in(scratch), std::min(sizes.waiting, 100'000), sizes.claims, sizes.rounds, keys);
    shared.push_back({std::to_string(keys) + (keys == 1 ? " key" : " keys"), "us a job", {{"galley", runs, ""}}});
  }
  report.results("claim and finish, 1 slot, 100,000 waiting in lanes by key", shared);
}

void run_idle(const Options& options, const Sizes& sizes, const Report& report) {
  const Scratch scratch(options.dir);
  const Idle idle = measure_idle(url_in(scratch), sizes.idle);
  const auto one = [](double value) { return std::vector<Series>{{"galley", {value}, ""}}; };
  report.results("idle worker, " + std::to_string(sizes.idle.count()) + " s",
                 {{"CPU time, ms", "as named", one(idle.cpu_ms)},
                  {"voluntary context switches", "as named", one(static_cast<double>(idle.voluntary_switches))},
                  {"involuntary context switches", "as named", one(static_cast<double>(idle.involuntary_switches))}});
}

using Part = void (*)(const Options&, const Sizes&, const Report&);
constexpr std::pair<const char*, Part> kParts[] = {{"bulk", run_bulk},     {"single", run_singles},
                                                   {"drain", run_drains},  {"latency", run_latency},
                                                   {"claims", run_claims}, {"idle", run_idle}};

constexpr const char* kUsage =
    "usage: ./dev bench jobs [--json] [--large] [--quick] [--only PART] [--dir DIR]\n"
    "  --json     one JSON object a line instead of the tables\n"
    "  --large    claim cost up to ten million waiting jobs (some minutes, some gigabytes)\n"
    "  --quick    a few seconds, to see that it runs; its numbers are worth nothing\n"
    "  --only PART  bulk, single, drain, latency, claims or idle\n"
    "  --dir DIR  where the stores are made, and what disk is measured (default: the system's temporary directory)\n";

bool read_options(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json") {
      options.json = true;
    } else if (word == "--large") {
      options.large = true;
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    } else if (word == "--dir" && i + 1 < argc) {
      options.dir = argv[++i];
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const bool plays = argc > 1 && std::string(argv[1]) == "role";
  if (!plays && !read_options(argc, argv, options)) {
    std::cerr << kUsage << kRoles;
    return 2;
  }
  try {
    if (plays) return play({argv + 2, argv + argc});
    const Stopwatch watch;
    const CpuTime before = cpu_time();
    const Sizes sizes = sizes_of(options);
    const Report report(options.json);
    report.facts(machine_facts());
    report.facts({{"sqlite", sqlite_version()}, {"beanstalkd", beanstalkd_version().value_or("not installed")}});
    report.facts(disk_facts(options.dir));
    for (const auto& [name, part] : kParts) {
      if (options.only.empty() || options.only == name) part(options, sizes, report);
    }
    report.facts({{"took", std::to_string(static_cast<int>(watch.seconds())) + " s"},
                  {"CPU time that others had meanwhile", share_of_others(before, cpu_time())}});
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "bench: " << failure.what() << "\n";
    return 1;
  }
}
