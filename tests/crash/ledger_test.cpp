// Producers and workers of the real program, killed at random moments again and again. A ledger has what producers were
// told, and each job writes down that it runs: nothing acknowledged may be missing, a kill may repeat no more than what
// ran in its worker's slots, and the history of it all must be allowed.
//
// GALLEY_LEDGER_ROUNDS=1000 (./dev soak, ./dev bench ledger) and GALLEY_LEDGER_SEED change how much, and what.

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "base/random.hpp"
#include "e2e/process.hpp"
#include "history/checker.hpp"

namespace galley::test {
namespace {

int setting(const char* name, int usual) {
  const char* const text = std::getenv(name);
  return text == nullptr ? usual : std::atoi(text);
}

using history::Event;
using history::What;

class Campaign {
 public:
  static constexpr int kSlots = 4;
  static constexpr int kInit = 1;
  static constexpr int kWorkers = 2;
  static constexpr int kProducers = 4;

  explicit Campaign(std::uint64_t seed) : random_(seed) {
    for (auto& worker : workers_) worker = a_worker();
  }

  void round() {
    ++rounds_;
    std::vector<std::unique_ptr<Process>> producers;
    for (int i = 0; i < kProducers; ++i) {
      note({.by = producer(i), .call = rounds_, .what = What::Call, .verb = "enqueue"});
      producers.push_back(a_producer());
    }
    for (int i = 1; i < kProducers; ++i) {
      let_pass(8);
      producers[static_cast<std::size_t>(i)]->signal(SIGKILL);  // or it has just ended, which is a moment too
    }
    for (int i = 0; i < kProducers; ++i) {
      const Finished end = producers[static_cast<std::size_t>(i)]->finish();
      if (i == 0) {
        EXPECT_EQ(end.exit_code, 0) << "nobody kills the first one: " << end.err;
      }
      write_down(i, end);
    }
    let_pass(150);
    std::unique_ptr<Process>& victim = workers_[random_.bits() % kWorkers];
    kill_worker(victim);
    victim = a_worker();
  }

  /// Everything runs to its end, and the ledger is held against it.
  void close() {
    for (auto& worker : workers_) {
      kill_worker(worker);
      worker.reset();
    }
    const Finished drained =
        bench_.run({"work", "--pool", "default=8", "--allow-commands", "--drain", "--log-level", "error"});
    read_runs();
    for (const auto& job : bench_.run({"jobs", "--json", "--limit", "0"}).objects()) {
      const std::int64_t id = job.at("id").as_int64();
      note({.what = What::Kept, .job = id, .say = std::string(job.at("state").as_string())});
      const bool quarantined = job.at("state") == "dead" && job.at("crashes").to_number<int>() >= 3;
      if (quarantined) ++quarantined_;
      if (quarantined || (job.at("state") == "completed" && starts_.contains(id))) ended_.insert(id);
    }
    EXPECT_TRUE(drained.exit_code == 0 || (drained.exit_code == 1 && quarantined_ > 0)) << drained.err;
    for (const std::int64_t id : acknowledged_) {
      if (!ended_.contains(id)) lost_.push_back(id);
    }
  }

  /// What it all was, against the invariants; empty: it is allowed.
  [[nodiscard]] std::string violations() {
    note({.what = What::Close});
    std::stable_sort(events_.begin(), events_.end(), [](const Event& one, const Event& other) {
      return std::pair(one.at, !is_asked(one.what)) < std::pair(other.at, !is_asked(other.what));
    });
    history::Checker checker;
    for (const Event& event : events_) checker.add(event);
    checker.finish();
    return checker.text();
  }

  [[nodiscard]] const std::vector<std::int64_t>& lost() const { return lost_; }
  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }
  [[nodiscard]] int killed_producers() const { return killed_producers_; }
  /// Attempts that a kill cut off.
  [[nodiscard]] std::size_t cut() const { return running_.size(); }
  /// A worker, and when it was killed; nothing: it was not.
  using Kill = std::pair<std::string, std::optional<Time>>;
  /// Attempts of that worker that were run again.
  [[nodiscard]] const std::map<Kill, int>& repeated_by() const { return repeated_by_; }
  [[nodiscard]] Duration worst_recovery() const { return worst_recovery_; }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << "rounds " << rounds_ << ", kills " << rounds_ + kWorkers + killed_producers_ << " (" << rounds_ + kWorkers
        << " workers, " << killed_producers_ << " producers), acknowledged " << acknowledged_.size() << ", lost "
        << lost_.size() << ", cut off " << cut() << ", repeated " << repeated_ << " (by one kill at most "
        << most_by_one_kill() << "), quarantined " << quarantined_ << ", worst recovery "
        << std::chrono::duration_cast<std::chrono::milliseconds>(worst_recovery_).count() << " ms";
    return out.str();
  }

 private:
  static std::string producer(int i) { return "producer " + std::to_string(i); }
  static std::string worker(std::int64_t pid) { return "worker " + std::to_string(pid); }

  void note(Event event) {
    event.at = clock_.wall().time_since_epoch().count();
    events_.push_back(std::move(event));
  }

  std::unique_ptr<Process> a_worker() {
    auto process = std::make_unique<Process>(
        bench_.dir(), Start{.arguments = {"work", "--pool", "default=4", "--allow-commands", "--log-level", "error"}});
    // It claims as long as it lives, and what it had claimed and not started when it was killed nobody knows.
    note({.by = worker(process->pid()), .call = 1, .what = What::Call, .verb = "exchange"});
    return process;
  }
  void kill_worker(const std::unique_ptr<Process>& victim) {
    note({.what = What::Kill, .name = worker(victim->pid())});
    victim->signal(SIGKILL);
    kills_.push_back(clock_.wall());
    killed_[worker(victim->pid())].insert(kills_.back());
    victims_[kills_.back()] = worker(victim->pid());
    (void)victim->finish();
    note({.what = What::Died, .name = worker(victim->pid())});
  }
  std::unique_ptr<Process> a_producer() {
    constexpr int kSizes[] = {1, 3, 12};
    std::string lines;
    for (int i = kSizes[random_.bits() % std::size(kSizes)]; i > 0; --i) lines += "line\n";
    // The guardian's parent is the worker.
    const std::string command =
        "while read name value; do [ $name != PPid: ] || worker=$value; done < /proc/$PPID/status; "
        "run=\"$GALLEY_JOB $worker $GALLEY_EPOCH $GALLEY_ATTEMPT\"; "
        "echo \"$run $(date +%s%N)\" >> runs; sleep 0.02; echo \"$run $(date +%s%N)\" >> ends";
    return std::make_unique<Process>(
        bench_.dir(), Start{.arguments = {"enqueue", "--each", "--", "sh", "-c", command}, .input = lines});
  }

  /// The moments are the subject here: nothing that could be waited for tells them.
  void let_pass(int most_ms) { poll(nullptr, 0, static_cast<int>(random_.bits() % static_cast<unsigned>(most_ms))); }

  void write_down(int i, const Finished& end) {
    if (end.exit_code < 0) ++killed_producers_;
    const auto whole = end.out.rfind('\n');
    std::istringstream ids(end.out.substr(0, whole == std::string::npos ? 0 : whole));
    for (std::int64_t id = 0; ids >> id;) {
      acknowledged_.push_back(id);
      // Jobs start some time after their claim, so nothing is known of their order: as if each had a key.
      note({.by = producer(i), .call = rounds_, .what = What::Enqueued, .job = id, .key = "any", .say = "new"});
    }
    note({.by = producer(i), .call = rounds_, .what = What::Failed, .flag = true});  // it may have enqueued more
  }

  void note_run(What what, std::istringstream& line) {
    Event event{.what = what, .lease = Duration(std::chrono::hours(24)).count(), .say = "complete"};
    std::int64_t pid = 0;
    std::int64_t ns = 0;
    if (!(line >> event.job >> pid >> event.epoch >> event.attempt >> ns)) return;
    event.by = worker(pid);
    event.call = what == What::Finishing ? 1 : 0;
    event.at = ns / 1'000;
    if (pid == kInit) {  // the command was just begun when its worker was killed, and found the guardian's next parent
      const auto after = victims_.upper_bound(Time(Duration(event.at)));
      if (after == victims_.begin()) return;
      event.by = std::prev(after)->second;
      if (what == What::Claimed) event.at = std::prev(after)->first.time_since_epoch().count();
    }
    if (what == What::Claimed) {
      starts_[event.job].push_back({Time(Duration(event.at)), event.by});
      running_.insert({event.job, event.epoch});
    } else {
      running_.erase({event.job, event.epoch});
    }
    events_.push_back(std::move(event));
  }

  void read_runs() {
    for (const auto& [name, what] : {std::pair("runs", What::Claimed), std::pair("ends", What::Finishing)}) {
      std::istringstream lines(bench_.read(name));
      for (std::string text; std::getline(lines, text);) {
        std::istringstream line(text);
        note_run(what, line);
      }
    }
    for (auto& [job, starts] : starts_) {
      std::sort(starts.begin(), starts.end());
      repeated_ += static_cast<int>(starts.size()) - 1;
      for (std::size_t i = 1; i < starts.size(); ++i) {
        ++repeated_by_[kill_of(starts[i - 1].second, starts[i - 1].first)];
        const auto killed = std::upper_bound(kills_.begin(), kills_.end(), starts[i - 1].first);
        if (killed != kills_.end()) worst_recovery_ = std::max(worst_recovery_, starts[i].first - *killed);
      }
    }
  }

  /// The end of the worker that ran something at this time. Numbers of processes come again, but not within a second;
  /// a command may write for a moment longer than its worker lives.
  [[nodiscard]] Kill kill_of(const std::string& worker, Time ran) const {
    const auto times = killed_.find(worker);
    if (times == killed_.end()) return {worker, std::nullopt};
    const auto at = times->second.lower_bound(ran - std::chrono::seconds(1));
    return {worker, at == times->second.end() ? std::nullopt : std::optional(*at)};
  }

  [[nodiscard]] int most_by_one_kill() const {
    int most = 0;
    for (const auto& [kill, repeated] : repeated_by_) most = std::max(most, repeated);
    return most;
  }

  const Bench bench_;
  const base::SystemClock clock_;
  base::Random random_;
  std::unique_ptr<Process> workers_[kWorkers];
  std::vector<std::int64_t> acknowledged_;
  std::vector<Time> kills_;  ///< of workers
  std::vector<Event> events_;
  int rounds_ = 0;
  int killed_producers_ = 0;
  int repeated_ = 0;
  int quarantined_ = 0;
  std::map<std::int64_t, std::vector<std::pair<Time, std::string>>> starts_;  ///< of each job: when, and by whom
  std::set<std::pair<std::int64_t, std::int64_t>> running_;                   ///< job and epoch: begun and not ended
  std::map<std::string, std::set<Time>> killed_;
  std::map<Time, std::string> victims_;  ///< which worker it was
  std::map<Kill, int> repeated_by_;
  std::set<std::int64_t> ended_;
  std::vector<std::int64_t> lost_;
  Duration worst_recovery_{0};
};

TEST(Ledger, HasNoAcknowledgedJobThatKilledProcessesLost) {
  const int seed = setting("GALLEY_LEDGER_SEED", 1);
  const int rounds = setting("GALLEY_LEDGER_ROUNDS", 20);
  Campaign campaign(static_cast<std::uint64_t>(seed));
  for (int i = 0; i < rounds; ++i) campaign.round();
  campaign.close();
  std::cout << "ledger: " << campaign.text() << ", seed " << seed << "\n";
  for (const std::int64_t id : campaign.lost()) ADD_FAILURE() << "job " << id << " was acknowledged and is lost";
  EXPECT_EQ(campaign.violations(), "");
  EXPECT_GE(campaign.acknowledged(), static_cast<std::size_t>(rounds)) << "one producer a round is let live";
  EXPECT_GT(campaign.killed_producers(), 0);
  EXPECT_GT(campaign.cut(), 0U) << "no kill met an attempt";
  for (const auto& [kill, repeated] : campaign.repeated_by()) {
    EXPECT_TRUE(kill.second) << kill.first << " lived, and what it ran was run again";
    EXPECT_LE(repeated, Campaign::kSlots) << kill.first << " had no more slots than this when it was killed";
  }
  EXPECT_LT(campaign.worst_recovery(), std::chrono::seconds(15)) << "by the locks, not by the lease of 30 s";
}

}  // namespace
}  // namespace galley::test
