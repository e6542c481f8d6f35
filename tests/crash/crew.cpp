#include "crash/crew.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/resident.hpp"
#include "galley/queue.hpp"
#include "galley/worker.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace galley::test {

namespace {

using namespace std::chrono_literals;

constexpr auto kMeasureEvery = 100ms;

std::int64_t open_files() {
  std::int64_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

std::unique_ptr<store::Store> open(const TempDir& dir, const base::Clock& clock) {
  store::SqliteOptions options;
  options.path = dir.file("galley.db");
  options.clock = &clock;
  return store::open_sqlite(options).value();
}

JobOptions with_room() {
  JobOptions options;
  options.wait_for_room = 60s;
  options.backoff.kind = Backoff::Kind::Fixed;
  options.backoff.base = 10ms;
  options.max_attempts = 3;
  options.max_crashes = 5;
  return options;
}

void handle_all(Worker& worker, Duration longest) {
  const auto work = [longest](Attempt& attempt, std::string_view) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    const auto time = longest * (attempt.id() % 16) / 16;
    never.wait_for(lock, attempt.stop_token(), time, [] { return false; });
    if (attempt.stop_requested()) return Outcome::pause();
    attempt.log("done");
    return Outcome::done();
  };
  worker.handle("work", work);
  worker.handle("flaky", [work](Attempt& attempt, std::string_view payload) {
    if (attempt.number() % 3 != 0) return Outcome::fail("not yet");
    return work(attempt, payload);
  });
}

}  // namespace

Member::Member(std::string name, const TempDir& dir, int stop, Duration warm_after)
    : name_(std::move(name)),
      dir_(dir),
      stop_(stop),
      warm_at_(clock_.mono() + warm_after),
      random_(static_cast<std::uint64_t>(std::hash<std::string>{}(name_))),
      journal_(dir.file(name_ + ".history"), name_, clock_),
      store_(std::make_shared<history::RecordingStore>(open(dir, clock_), journal_, clock_)) {
  figures_.name = name_;
}

bool Member::go_on(Duration wait) {
  ++figures_.calls;
  measure();
  pollfd word{stop_, POLLIN, 0};
  return poll(&word, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count())) == 0 &&
         figures_.error.empty();
}

void Member::failed(const std::string& what, const std::string& why) {
  if (figures_.error.empty()) figures_.error = what + ": " + why;
}

void Member::measure() {
  struct stat log {};
  if (stat(dir_.file("galley.db-wal").c_str(), &log) == 0) {
    figures_.log_bytes = std::max<std::int64_t>(figures_.log_bytes, log.st_size);
  }
  const base::Mono now = clock_.mono();
  if (now - measured_ < kMeasureEvery) return;
  measured_ = now;
  figures_.rss_end_kib = resident_kib(getpid());
  figures_.files_end = open_files();
  if (now < warm_at_ || figures_.rss_warm_kib == 0) {
    figures_.rss_warm_kib = figures_.rss_end_kib;
    figures_.files_warm = figures_.files_end;
  }
}

void Member::write_figures() {
  std::ofstream(dir_.file(name_ + ".figures"))
      << figures_.calls << ' ' << figures_.rss_warm_kib << ' ' << figures_.rss_end_kib << ' ' << figures_.files_warm
      << ' ' << figures_.files_end << ' ' << figures_.log_bytes << ' ' << figures_.error << '\n';
}

Crew::Crew(Duration warm_after) : warm_after_(warm_after) {
  journals_.push_back(dir_.file("crew.history"));
  journal_ = std::make_unique<history::Journal>(journals_.back(), "crew", clock_);
  // Producers wait for room, so that neither the queue nor the history grows without end.
  EXPECT_TRUE(open(dir_, clock_)->set_max_waiting("q", 500));
}

Crew::~Crew() {
  for (const auto& [name, member] : members_) {
    kill(member.pid, SIGKILL);
    waitpid(member.pid, nullptr, 0);
    close(member.word);
  }
}

std::string Crew::start(const std::string& kind, const Role& role) {
  const std::string name = kind + "-" + std::to_string(names_.size() + 1);
  names_.push_back(name);
  journals_.push_back(dir_.file(name + ".history"));
  std::ofstream(journals_.back(), std::ios::app).flush();  // a process may be killed before it makes it
  int word[2] = {-1, -1};
  if (pipe2(word, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child != 0) {
    close(word[0]);
    members_[name] = {child, word[1]};
    return name;
  }
  int code = 1;
  try {
    Member member(name, dir_, word[0], warm_after_);
    role(member);
    member.write_figures();
    code = 0;
  } catch (const std::exception& thrown) {
    std::ofstream(dir_.file(name + ".figures")) << "0 0 0 0 0 0 " << thrown.what() << '\n';
  }
  _exit(code);
}

void Crew::kill_one(const std::string& name) {
  const auto member = members_.find(name);
  journal_->write({{.what = history::What::Kill, .name = name}});
  kill(member->second.pid, SIGKILL);
  waitpid(member->second.pid, nullptr, 0);
  close(member->second.word);
  journal_->write({{.what = history::What::Died, .name = name}});
  members_.erase(member);
}

bool Crew::wait(Duration time) const {
  std::vector<pollfd> ends;
  for (const auto& [name, member] : members_) {
    ends.push_back({static_cast<int>(syscall(SYS_pidfd_open, member.pid, 0)), POLLIN, 0});
  }
  const auto ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
  const bool in_time = poll(ends.data(), ends.size(), ms) == 0;
  for (const pollfd& end : ends) close(end.fd);
  return in_time;
}

bool Crew::stop(const std::string& kind) {
  bool well = true;
  const auto of_kind = [&](const std::string& name) { return name.starts_with(kind); };
  for (const auto& [name, member] : members_) {
    if (of_kind(name)) well = write(member.word, "\n", 1) == 1 && well;
  }
  for (auto member = members_.begin(); member != members_.end();) {
    if (!of_kind(member->first)) {
      ++member;
      continue;
    }
    int status = 0;
    waitpid(member->second.pid, &status, 0);
    well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && well;
    close(member->second.word);
    member = members_.erase(member);
  }
  return well;
}

bool Crew::stop() {
  const bool producers = stop("producer");  // they may be waiting for room, which workers make
  const bool others = stop("looker") && stop("keeper");
  return stop("worker") && producers && others;
}

std::vector<Figures> Crew::figures() const {
  std::vector<Figures> all;
  for (const std::string& name : names_) {
    std::ifstream file(dir_.file(name + ".figures"));
    Figures one;
    one.name = name;
    file >> one.calls >> one.rss_warm_kib >> one.rss_end_kib >> one.files_warm >> one.files_end >> one.log_bytes;
    file.get();
    std::getline(file, one.error);
    if (file) all.push_back(one);  // else it was killed
  }
  return all;
}

history::Checker Crew::check_history() {
  const StorePtr store = std::make_shared<history::RecordingStore>(open(dir_, clock_), *journal_, clock_);
  WorkerOptions options;
  options.drain = true;
  Worker worker(store, options);
  handle_all(worker, 1ms);
  worker.pool("q", 4);
  EXPECT_TRUE(worker.run());
  EXPECT_TRUE(history::write_end(*store, *journal_, false));
  history::Checker checker;
  EXPECT_TRUE(history::read_merged(journals_, [&](const history::Event& event) { checker.add(event); }));
  checker.finish();
  return checker;
}

Role works(int slots, Duration longest) {
  return [slots, longest](Member& member) {
    WorkerOptions options;
    options.shutdown_grace = 0s;
    Worker worker(member.store(), options);
    handle_all(worker, longest);
    worker.pool("q", slots);
    std::jthread watch([&] {
      while (member.go_on(kMeasureEvery)) {
      }
      worker.stop();
    });
    const auto report = worker.run();
    watch.join();
    member.well("work", report);
    if (report && report->stalled) member.failed("work", "it stalled");
  };
}

Role produces() {
  return [](Member& member) {
    Queue queue(member.store(), "q");
    std::vector<JobId> last;
    for (int i = 0; member.go_on(); ++i) {
      JobOptions options = with_room();
      const auto dice = member.random().bits() % 16;
      if (dice == 0) options.delay = std::chrono::milliseconds(member.random().bits() % 200);
      if (dice == 1) options.unique.key = "u" + std::to_string(member.random().bits() % 4);
      if (dice == 2) options.token = std::to_string(getpid()) + "-" + std::to_string(i / 32);
      if (dice == 3) {
        std::vector<Item> items(10, {R"({"n":1})", options});
        (void)member.well("enqueue in bulk", queue.enqueue_json_all("work", std::move(items)));
      } else if (dice == 4 && !last.empty()) {
        (void)member.well("cancel", member.store()->cancel(last));
        if (i % 2 == 0) (void)member.well("retry", member.store()->retry(last));
        last.clear();
      } else {
        const Result<JobId> id = queue.enqueue_bytes(dice == 5 ? "flaky" : "work", std::string(100, 'x'), options);
        if (member.well("enqueue", id) && options.unique.key.empty()) last.push_back(*id);
        if (last.size() > 20) last.erase(last.begin());
      }
    }
  };
}

}  // namespace galley::test
