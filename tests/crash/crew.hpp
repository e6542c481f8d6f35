#pragma once
// Processes of this program that share one store file and write down what they do: workers, producers, lookers. They
// are forked from a process without threads, and each may be killed at any moment.

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "history/checker.hpp"
#include "history/recording_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::test {

/// What one process was seen to take, written down for its parent.
struct Figures {
  std::string name;
  std::int64_t calls = 0;
  std::int64_t rss_warm_kib = 0;  ///< when a fifth of the time was over
  std::int64_t rss_end_kib = 0;
  std::int64_t files_warm = 0;
  std::int64_t files_end = 0;
  std::int64_t log_bytes = 0;  ///< the most that the write-ahead log was seen to have
  std::string error;           ///< the first one that a user would have met
};

/// What a process of the crew has, and the word that it is to end.
class Member {
 public:
  /// In the directory; ends when `stop` is readable, is warm after `warm_after`.
  Member(std::string name, const TempDir& dir, int stop, Duration warm_after);
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  /// The store of all, which writes down what it does in this process's journal.
  [[nodiscard]] StorePtr store() const { return store_; }
  [[nodiscard]] base::Random& random() noexcept { return random_; }
  [[nodiscard]] const TempDir& dir() const noexcept { return dir_; }
  /// Looks at what it takes; true: go on. Waits for at most `wait` for the word to end.
  bool go_on(Duration wait = Duration{0});
  void failed(const std::string& what, const std::string& why);
  /// Takes the value, or writes down why there is none.
  template <class T>
  bool well(const std::string& what, const Result<T>& result) {
    if (!result) failed(what, result.error().message);
    return result.has_value();
  }
  void write_figures();

 private:
  void measure();

  const std::string name_;
  const TempDir& dir_;
  const int stop_;
  const base::SystemClock clock_;
  const base::Mono warm_at_;
  base::Mono measured_{};
  base::Random random_;
  history::Journal journal_;
  StorePtr store_;
  Figures figures_;
};

using Role = std::function<void(Member&)>;

class Crew {
 public:
  /// `warm_after`: when its members' needs are first written down.
  explicit Crew(Duration warm_after);
  /// Kills those that are left.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Starts a process; answers its name.
  std::string start(const std::string& kind, const Role& role);
  void kill_one(const std::string& name);
  /// Until the time is over. False: a process has ended before.
  [[nodiscard]] bool wait(Duration time) const;
  /// Tells all to end, the workers last, and waits until they have. False: one was killed, or did not end well.
  [[nodiscard]] bool stop();
  [[nodiscard]] std::vector<Figures> figures() const;
  /// Runs what is left in this process, which may have threads from now on, and holds the history against the rules.
  [[nodiscard]] history::Checker check_history();
  [[nodiscard]] const TempDir& dir() const noexcept { return dir_; }

 private:
  const TempDir dir_;
  const base::SystemClock clock_;
  const Duration warm_after_;
  std::unique_ptr<history::Journal> journal_;
  struct Started {
    pid_t pid = -1;
    int word = -1;  ///< written to: it is to end
  };
  bool stop(const std::string& kind);

  std::map<std::string, Started> members_;
  std::vector<std::string> journals_;
  std::vector<std::string> names_;
};

/// Runs jobs in `slots` slots until it is told to end; each takes up to `longest`.
[[nodiscard]] Role works(int slots, Duration longest);
/// Enqueues one by one and in bulk, with tokens, delays and unique keys; cancels some, and revives some of those.
[[nodiscard]] Role produces();

}  // namespace galley::test
