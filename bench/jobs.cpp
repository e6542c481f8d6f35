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
#include "bench/shares.hpp"

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
  std::chrono::seconds idle{60};
  int keys = 50'000;
  int noise = 50'000;
  int children = 100'000;
  int neighbours = 600;
};

Sizes sizes_of(const Options& options) {
  Sizes sizes;
  if (options.large) sizes.waiting = 10'000'000;
  if (options.quick) {  // shows that everything runs; the numbers are worth nothing
    using namespace std::chrono_literals;
    sizes = {1, 2'000, 50ms, 1'000, 100, 30, 1'000, 200, 1s, 1'000, 1'000, 1'000, 30};
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

/// Half a second of enqueues, and the time that it takes until all of them have run.
void run_both(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<Result> rows;
  const auto row = [&](const std::string& what, int producers, int at_once) {
    rows.push_back(compare(options, sizes, what, entrants(true), [&](Contender& one) {
      return one.both({producers, at_once, 10, sizes.singles});
    }));
  };
  row("1 producer, one by one", 1, 1);
  row("4 producers, one by one", 4, 1);
  row("1 producer, 1,000 a call", 1, 1'000);
  report.results("both at once, 10 slots", rows);
}

std::string url_in(const Scratch& scratch, bool normal = false) {
  return "sqlite:" + (scratch.path() / "galley.db").string() + (normal ? "?durability=normal" : "");
}

std::vector<double> us(Nanos time) { return {std::chrono::duration<double, std::micro>(time).count()}; }

void run_latency(const Options& options, const Sizes& sizes, const Report& report) {
  std::vector<std::pair<std::string, Latencies>> of;
  for (const bool normal : {false, true}) {
    const Scratch scratch(options.dir);
    of.emplace_back(normal ? "galley normal" : "galley",
                    measure_latency(url_in(scratch, normal), sizes.latency_rate, sizes.latency_jobs));
  }
  if (beanstalkd_version()) {
    const Scratch scratch(options.dir);
    of.emplace_back("beanstalkd", measure_beanstalkd_latency(scratch.path(), sizes.latency_rate, sizes.latency_jobs));
  }
  const auto row = [&](const std::string& what, const auto& pick) {
    Result result{what, "us", {}};
    for (const auto& [who, latencies] : of) result.series.push_back({who, us(pick(latencies)), ""});
    return result;
  };
  report.results("at " + std::to_string(sizes.latency_rate) + " jobs/s",
                 {row("call of enqueue, p50", [](const Latencies& all) { return all.enqueue.p50; }),
                  row("call of enqueue, p99", [](const Latencies& all) { return all.enqueue.p99; }),
                  row("call of enqueue, max", [](const Latencies& all) { return all.enqueue.max; }),
                  row("call to start, p50", [](const Latencies& all) { return all.start.p50; }),
                  row("call to start, p99", [](const Latencies& all) { return all.start.p99; }),
                  row("call to start, max", [](const Latencies& all) { return all.start.max; })});
}

/// Waits of the same jobs alone and beside others, in turns.
void compare_waits(const Sizes& sizes, const Report& report, const std::string& heading, const std::string& beside,
                   const std::function<Latencies(bool)>& measure) {
  std::vector<Result> rows{{"wait, p50", "us", {}}, {"wait, p99", "us", {}}, {"wait, max", "us", {}}};
  for (Result& row : rows) row.series = {{beside, {}, "alone"}, {"alone", {}, ""}};
  for (int round = 0; round < sizes.rounds; ++round) {
    for (const std::size_t who : {1U, 0U}) {
      const Latency waits = measure(who == 0).start;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].series[who].runs.push_back(us(i == 0 ? waits.p50 : i == 1 ? waits.p99 : waits.max).front());
      }
    }
  }
  report.results(heading, rows);
}

void run_shares(const Options& options, const Sizes& sizes, const Report& report) {
  compare_waits(sizes, report, std::to_string(sizes.keys) + " keys, jobs of 1 ms, 4 slots", "one noisy key",
                [&](bool noisy) {
                  const Scratch scratch(options.dir);
                  return measure_neighbours(url_in(scratch, true), sizes.keys, noisy ? sizes.noise : 0,
                                            sizes.latency_rate, sizes.neighbours);
                });
  const auto behind_split = [&](const std::string& heading, const Children& children) {
    compare_waits(sizes, report, heading, "behind " + std::to_string(children.number) + " children", [&](bool behind) {
      const Scratch scratch(options.dir);
      Children those = children;
      if (!behind) those.number = 0;
      return measure_behind_split(url_in(scratch, true), those, sizes.latency_rate, sizes.neighbours);
    });
  };
  behind_split("a job of 1 ms of the same kind, 4 slots", {"noop", 1, sizes.children});
  behind_split("a job of 1 ms, the children of a kind of 20 ms", {"burger", 20, sizes.children});
}

/// Of each of `all` but the first, the ratio to the first.
void compare_limits(const Options& options, const Sizes& sizes, const Report& report, const std::string& heading,
                    const std::vector<Limited>& all) {
  std::vector<Result> rows;
  for (const Limited& one : all) rows.push_back({one.what, "jobs/s", {{"galley", {}, ""}}});
  for (std::size_t i = 1; i < all.size(); ++i) rows[i].series = {{"galley", {}, all[0].what}, {all[0].what, {}, ""}};
  for (int round = 0; round < sizes.rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Scratch scratch(options.dir);
      rows[i].series[0].runs.push_back(drain_limited(url_in(scratch, true), all[i], 100, sizes.drained));
    }
  }
  for (std::size_t i = 1; i < all.size(); ++i) rows[i].series[1].runs = rows[0].series[0].runs;
  rows.erase(rows.begin());
  report.results(heading, rows);
}

void run_limits(const Options& options, const Sizes& sizes, const Report& report) {
  const std::string queue = "--queue bench --running 10000";
  const std::string kind = "--kind noop --running 10000";
  const std::string name = "smtp --running 10000";
  const std::string rate = " --rate 1000000/1s --burst 100000";
  const std::string each = "--queue bench --each-key --running 10000";
  compare_limits(options, sizes, report, "drain, 100 slots, limits that are not full",
                 {{"no limit", 0, false, ""},
                  {"of the queue", 0, false, queue},
                  {"of the kind", 0, false, kind},
                  {"a rate of the kind", 0, false, kind + rate},
                  {"of queue and kind", 0, false, queue + rate + "\n" + kind + rate},
                  {"of a name", 0, true, name},
                  {"a rate of a name", 0, true, name + rate}});
  compare_limits(options, sizes, report, "the same, jobs of 100 keys",
                 {{"no limit", 100, false, ""},
                  {"of each key", 100, false, each},
                  {"a rate of each key", 100, false, each + rate},
                  {"of queue, kind, each key", 100, false, queue + rate + "\n" + kind + rate + "\n" + each + rate},
                  {"of these and a name", 100, true, queue + "\n" + kind + "\n" + each + "\n" + name}});
  compare_limits(options, sizes, report, "the same, jobs of 10,000 keys",
                 {{"no limit", 10'000, false, ""}, {"of each key", 10'000, false, each}});
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
                  {"statements", "as named", one(static_cast<double>(idle.statements))},
                  {"voluntary context switches", "as named", one(static_cast<double>(idle.voluntary_switches))},
                  {"involuntary context switches", "as named", one(static_cast<double>(idle.involuntary_switches))},
                  {"resident memory of galley work, MiB", "as named", one(measure_idle_memory(url_in(scratch)))}});
}

using Part = void (*)(const Options&, const Sizes&, const Report&);
constexpr std::pair<const char*, Part> kParts[] = {
    {"bulk", run_bulk},     {"single", run_singles},  {"drain", run_drains},
    {"both", run_both},     {"latency", run_latency}, {"claims", run_claims},
    {"shares", run_shares}, {"limits", run_limits},   {"idle", run_idle}};

constexpr const char* kUsage =
    "usage: ./dev bench jobs [--json] [--large] [--quick] [--only PART] [--dir DIR]\n"
    "  --json     one JSON object a line instead of the tables\n"
    "  --large    claim cost up to ten million waiting jobs (some minutes, some gigabytes)\n"
    "  --quick    a few seconds, to see that it runs; its numbers are worth nothing\n"
    "  --only PART  bulk, single, drain, both, latency, claims, shares, limits or idle\n"
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
