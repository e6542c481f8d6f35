#include "bench/shares.hpp"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/contender.hpp"
#include "bench/drain.hpp"
#include "bench/program.hpp"
#include "bench/worker_thread.hpp"

namespace bench {

namespace {

constexpr int kSlots = 4;
constexpr int kAtOnce = 100'000;  // keeps this program's memory small

/// `galley limits set --store URL WORDS`.
void set_limit(const std::string& url, const std::string& words) {
  std::vector<std::string> argv{galley_program(), "limits", "set", "--store", url};
  std::istringstream text(words);
  for (std::string word; text >> word;) argv.push_back(word);
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  int status = posix_spawn(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ);
  if (status != 0) throw std::runtime_error(argv[0] + " cannot be started: build the target galley_program, too");
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) throw std::runtime_error("galley limits set " + words + " has failed");
}

void fill(galley::Queue& queue, int jobs, const std::function<galley::JobOptions(int)>& options) {
  for (int next = 0; next < jobs;) {
    std::vector<galley::Item> items;
    for (const int end = std::min(jobs, next + kAtOnce); next < end; ++next) {
      items.push_back({payload_of(next), options(next)});
    }
    (void)queue.enqueue_json_all("noop", std::move(items)).value();
  }
}

std::string key_of(int number) { return "key" + std::to_string(number); }

/// A number is one of those that are timed; anything else is noise.
Latencies measure_beside(const galley::StorePtr& store, const Children& noise, int jobs_a_second, int jobs,
                         const std::function<galley::JobOptions(std::size_t)>& options) {
  Paced paced(jobs_a_second, jobs);
  galley::Worker worker{store};
  if (noise.kind != "noop") {
    const std::chrono::milliseconds work(noise.run_ms);
    worker.handle(noise.kind, [work](galley::Attempt&, std::string_view) {
      std::this_thread::sleep_for(work);  // lint: allow(sleep) because this is the job's work
    });
  }
  worker.handle("noop", [&paced](galley::Attempt&, std::string_view payload) {
    if (payload.front() != '{') paced.started(std::stoul(std::string(payload)));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // lint: allow(sleep) because this is the job's work
  });
  worker.pool("bench", kSlots);
  galley::Queue queue{store, "bench"};
  WorkerThread running(worker);
  const Latencies answer = paced.run(
      [&](std::size_t next) { (void)queue.enqueue_json("noop", std::to_string(next), options(next)).value(); });
  running.stop();
  return answer;
}

}  // namespace

double drain_limited(const std::string& url, const Limited& limited, int slots, int jobs) {
  const auto store = galley::open_store(url).value();
  galley::Queue queue{store, "bench"};
  fill(queue, jobs, [&](int number) {
    galley::JobOptions options;
    if (limited.keys > 0) options.key = key_of(number % limited.keys);
    if (limited.named) options.limits = {"smtp"};
    return options;
  });
  std::istringstream lines(limited.limits);
  for (std::string line; std::getline(lines, line);) set_limit(url, line);
  return drain_noops(store, slots, jobs);
}

Latencies measure_neighbours(const std::string& url, int keys, int noise, int jobs_a_second, int jobs) {
  const auto store = galley::open_store(url).value();
  galley::Queue queue{store, "bench"};
  const auto of = [](const std::string& key) {
    galley::JobOptions options;
    options.key = key;
    return options;
  };
  {
    fill(queue, keys, [&](int number) { return of(key_of(number)); });
    galley::WorkerOptions options;
    options.drain = true;
    galley::Worker worker{store, options};
    worker.handle("noop", [](galley::Attempt&, std::string_view) {});
    worker.pool("bench", 100);
    (void)worker.run().value();
  }
  if (noise > 0) fill(queue, noise, [&](int) { return of("noisy"); });
  constexpr std::size_t kStep = 7'919;  // a prime, so that neighbours in time are none in the tables
  return measure_beside(store, {"noop"}, jobs_a_second, jobs, [&](std::size_t next) {
    return of(key_of(static_cast<int>(next * kStep % static_cast<std::size_t>(keys))));
  });
}

Latencies measure_behind_split(const std::string& url, const Children& children, int jobs_a_second, int jobs) {
  const auto store = galley::open_store(url).value();
  galley::Queue queue{store, "bench"};
  if (children.number > 0) {
    (void)galley::split(queue, children.kind, galley::ranges(0, children.number, 1)).enqueue().value();
  }
  return measure_beside(store, children, jobs_a_second, jobs, [](std::size_t) { return galley::JobOptions{}; });
}

}  // namespace bench
