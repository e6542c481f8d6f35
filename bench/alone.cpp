#include "bench/alone.hpp"

#include <sqlite3.h>  // lint: allow(include) because it is asked how many statements it is given
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <galley/galley.hpp>
#include <stdexcept>

#include "bench/contender.hpp"
#include "bench/program.hpp"
#include "bench/worker_thread.hpp"

namespace bench {

namespace {

void fill(galley::Queue& queue, int jobs, int keys) {
  constexpr int kAtOnce = 100'000;  // keeps this program's memory small
  for (int left = jobs; left > 0; left -= kAtOnce) {
    std::vector<galley::Item> items;
    for (int i = std::min(left, kAtOnce); i > 0; --i) {
      galley::JobOptions options;
      if (keys > 0) options.key = "key" + std::to_string(i % keys);
      items.push_back({payload_of(i), options});
    }
    (void)queue.enqueue_json_all("noop", std::move(items)).value();
  }
}

std::atomic<std::int64_t> statements = 0;  // of all connections that are opened while they are counted

int count_statement(unsigned, void*, void*, void*) {
  ++statements;
  return 0;
}

/// An entry point as SQLite calls it for each connection.
int count_statements_of(sqlite3* db, const char**, const void*) {
  return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, count_statement, nullptr);
}

galley::StorePtr open_counted(const std::string& url) {
  auto* const entry = reinterpret_cast<void (*)()>(count_statements_of);
  sqlite3_auto_extension(entry);
  auto store = galley::open_store(url).value();
  sqlite3_cancel_auto_extension(entry);
  return store;
}

/// Seconds in which one slot ran so many jobs: from the first one's start to the last one's.
double run_some(const galley::StorePtr& store, int jobs) {
  galley::Worker worker{store};
  Stopwatch watch;
  double seconds = 0;
  int started = 0;  // the one slot alone touches these
  worker.handle("noop", [&](galley::Attempt&, std::string_view) {
    if (started++ == 0) watch = Stopwatch();
    if (started != jobs + 1) return;
    seconds = watch.seconds();
    worker.stop();
  });
  worker.pool("bench", 1);
  (void)worker.run().value();
  return seconds;
}

/// The program at work in a process of its own, and what it says.
class Program {
 public:
  explicit Program(const std::string& url) {
    const std::string run =
        "echo $$; exec '" + galley_program() + "' work --pool bench=10 --allow-commands --store '" + url + "' 2>&1";
    out_ = popen(run.c_str(), "re");
    if (out_ == nullptr) throw std::runtime_error("cannot start " + galley_program());
    pid_ = std::stoi(line());
  }
  ~Program() {
    kill(pid_, SIGTERM);
    pclose(out_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  [[nodiscard]] int pid() const { return pid_; }
  void wait_for(const std::string& text) {
    while (line().find(text) == std::string::npos) continue;
  }

 private:
  std::string line() {
    char text[1'024];
    if (std::fgets(text, sizeof text, out_) == nullptr) throw std::runtime_error("galley work has ended");
    return text;
  }

  std::FILE* out_ = nullptr;
  int pid_ = 0;
};

}  // namespace

double measure_idle_memory(const std::string& url) {
  Program program(url);
  program.wait_for("worker.start");
  galley::Queue queue{galley::open_store(url).value(), "bench"};
  galley::Command nothing;
  nothing.argv = {"true"};
  (void)queue.enqueue_command(nothing).value();
  program.wait_for("job.completed");
  Ticks settle(std::chrono::seconds(1));
  (void)settle.wait();
  std::ifstream status("/proc/" + std::to_string(program.pid()) + "/status");
  for (std::string text; std::getline(status, text);) {
    if (text.starts_with("VmRSS:")) return std::stod(text.substr(6)) / 1'024;
  }
  throw std::runtime_error("the memory of galley work cannot be read");
}

Latencies measure_latency(const std::string& url, int jobs_a_second, int jobs) {
  const auto store = galley::open_store(url).value();
  Paced paced(jobs_a_second, jobs);
  Countdown warm(1);
  galley::Worker worker{store};
  worker.handle("noop",
                [&](galley::Attempt&, std::string_view payload) { paced.started(std::stoul(std::string(payload))); });
  worker.handle("warm", [&](galley::Attempt&, std::string_view) { warm.down(); });
  worker.pool("bench", 10);
  galley::Queue queue{store, "bench"};
  WorkerThread running(worker);
  (void)queue.enqueue_json("warm", "0").value();
  warm.wait();
  const Latencies answer =
      paced.run([&](std::size_t next) { (void)queue.enqueue_json("noop", std::to_string(next)).value(); });
  running.stop();
  return answer;
}

std::vector<double> measure_claims(const std::string& url, int waiting, int jobs, int rounds, int keys) {
  const auto store = galley::open_store(url).value();
  galley::Queue queue{store, "bench"};
  fill(queue, waiting, keys);
  std::vector<double> answer;
  for (int round = 0; round < rounds; ++round) {
    fill(queue, jobs + 1, keys);
    answer.push_back(run_some(store, jobs) * 1e6 / jobs);
  }
  return answer;
}

Idle measure_idle(const std::string& url, std::chrono::seconds time) {
  const auto store = open_counted(url);
  Countdown warm(1);
  galley::Worker worker{store};
  worker.handle("noop", [&](galley::Attempt&, std::string_view) { warm.down(); });
  worker.pool("bench", 10);
  galley::Queue queue{store, "bench"};
  WorkerThread running(worker);
  (void)queue.enqueue_json("noop", "0").value();
  warm.wait();

  Ticks ticks(std::chrono::seconds(1));
  (void)ticks.wait();  // what follows the job belongs to the job
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const std::int64_t statements_before = statements;
  Ticks whole(time);
  (void)whole.wait();
  getrusage(RUSAGE_SELF, &after);
  const std::int64_t statements_after = statements;
  running.stop();
  const auto ms = [](const timeval& at) {
    return static_cast<double>(at.tv_sec) * 1e3 + static_cast<double>(at.tv_usec) / 1e3;
  };
  Idle idle;
  idle.statements = statements_after - statements_before;
  idle.cpu_ms = ms(after.ru_utime) + ms(after.ru_stime) - ms(before.ru_utime) - ms(before.ru_stime);
  idle.voluntary_switches = after.ru_nvcsw - before.ru_nvcsw - 1;  // one is the main thread's own, of this wait
  idle.involuntary_switches = after.ru_nivcsw - before.ru_nivcsw;
  return idle;
}

}  // namespace bench
