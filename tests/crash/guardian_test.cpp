// What a worker's death leaves running: nothing. The tests learn that a process is gone from the end of file on a FIFO
// whose writing end it holds.

#include "engine/guardian.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/process.hpp"

namespace galley::engine {
namespace {

namespace fs = std::filesystem;

constexpr int kDeadlineMs = 30'000;  // of a test that fails

class Guardian : public testing::Test {
 protected:
  Guardian() {
    std::string form = (fs::temp_directory_path() / "galley-guardian-XXXXXX").string();
    root_ = ::mkdtemp(form.data());
    fifo_ = root_ + "/fifo";
    ::mkfifo((root_ + "/never").c_str(), 0600);
    if (::mkfifo(fifo_.c_str(), 0600) == 0) reader_ = Fd(::open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  ~Guardian() override { fs::remove_all(root_); }

  /// Ends on nothing but a signal: not on a closed terminal, nor on an output that nobody reads any more.
  [[nodiscard]] std::string for_ever() const { return "cat " + root_ + "/never"; }
  /// In the background, orphaned at once, in a session of its own, deaf to SIGTERM and SIGHUP: a daemon by the book.
  [[nodiscard]] std::string daemon() const {
    return "(setsid sh -c 'trap \"\" TERM HUP; echo daemon >&9; exec " + for_ever() + "' &); ";
  }

  /// Runs `script` in a shell that holds the FIFO open as descriptor 9, and so does all that it starts.
  [[nodiscard]] ProcessSpec shell(const std::string& script) const {
    ProcessSpec spec;
    spec.executable = "/bin/sh";
    spec.command.argv = {"sh", "-c", "exec 9>" + fifo_ + "; " + script};
    spec.path = "/usr/bin:/bin";
    return spec;
  }

  /// A process that is the worker: does `act` and then nothing, until it is killed.
  template <class Act>
  static pid_t fork_worker(Act act) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    act();
    for (;;) ::pause();
  }
  static void kill_and_reap(pid_t pid) {
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  }

  /// The next line on the FIFO; "" at its end or when none comes.
  std::string hear() {
    std::string line;
    char letter = 0;
    while (read_one(letter) == 1 && letter != '\n') line += letter;
    return line;
  }
  static void wait_for_end_of(pid_t pid) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ASSERT_GE(process.get(), 0);
    pollfd fd{process.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&fd, 1, kDeadlineMs), 1);
  }
  /// True when nobody holds the FIFO any more.
  bool all_gone() {
    char letter = 0;
    ssize_t got = 1;
    while (got > 0) got = read_one(letter);
    return got == 0;
  }
  [[nodiscard]] bool still_held() const {
    char letter = 0;
    return ::read(reader_.get(), &letter, 1) < 0 && errno == EAGAIN;
  }

  std::string root_;
  std::string fifo_;
  Fd reader_;

 private:
  ssize_t read_one(char& letter) const {
    pollfd fd{reader_.get(), POLLIN, 0};
    return ::poll(&fd, 1, kDeadlineMs) == 1 ? ::read(reader_.get(), &letter, 1) : -1;
  }
};

TEST_F(Guardian, KillsTheCommandAndItsDaemonsWhenTheWorkerIsKilled) {
  const ProcessSpec spec =
      shell("trap '' TERM; " + daemon() + "read none < /dev/null; echo command >&9; exec " + for_ever());
  const pid_t worker = fork_worker([&] { static_cast<void>(Process::start(spec).value().release()); });
  std::array heard{hear(), hear()};
  std::sort(heard.begin(), heard.end());
  EXPECT_EQ(heard, (std::array<std::string, 2>{"command", "daemon"}));
  EXPECT_TRUE(still_held());
  kill_and_reap(worker);
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, KillsTheCommandWhenTheWorkerIsKilledWithManyOthersRunning) {
  const ProcessSpec spec = shell("echo ready >&9; exec " + for_ever());
  const pid_t worker = fork_worker([&] {
    for (int i = 0; i < 20; ++i) static_cast<void>(Process::start(spec).value().release());
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(hear(), "ready");
  EXPECT_TRUE(still_held());
  kill_and_reap(worker);
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, KillsWhatTheCommandLeftBehindWhenItEnds) {
  ASSERT_EQ(::mkfifo((root_ + "/go").c_str(), 0600), 0);
  const auto process = Process::start(shell(daemon() + for_ever() + " & read word < " + root_ + "/go; exit 3"));
  EXPECT_EQ(hear(), "daemon");
  std::ofstream(root_ + "/go") << "go\n";
  const ProcessEnd end = process.value()->wait();  // though the daemon held its standard output open
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_EQ(end.error, "");
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, KillsDaemonsOfDaemons) {
  std::ofstream(root_ + "/chain") << "#!/bin/sh\n[ $1 = 0 ] && echo end >&9 || setsid \"$0\" $(($1 - 1)) &\n"
                                  << for_ever() << "\n";
  fs::permissions(root_ + "/chain", fs::perms::owner_all);
  const auto process = Process::start(shell(root_ + "/chain 12 & exec " + for_ever())).value();
  EXPECT_EQ(hear(), "end");
  EXPECT_TRUE(still_held());
  process->kill();
  EXPECT_EQ(process->wait().signal, SIGKILL);
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, CatchesACommandThatKeepsStartingItselfAnew) {
  std::ofstream(root_ + "/hydra") << "#!/bin/sh\nsetsid \"$0\" &\nexit 0\n";
  fs::permissions(root_ + "/hydra", fs::perms::owner_all);
  EXPECT_EQ(Process::start(shell("exec " + root_ + "/hydra")).value()->wait().exit_code, 0);
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, ThatIsKilledTakesItsCommandWithItAndIsMissed) {
  const auto process = Process::start(shell(for_ever() + " & echo $PPID >&9; exec " + for_ever())).value();
  const std::string guardian = hear();
  ASSERT_NE(guardian, "");
  ASSERT_EQ(::kill(std::stoi(guardian), SIGKILL), 0);
  const ProcessEnd end = process->wait();
  EXPECT_EQ(end.error, "the guardian process of \"sh\" (/bin/sh) was killed, and the command with it");
  EXPECT_EQ(end.exit_code, std::nullopt);
  EXPECT_TRUE(all_gone());
}

TEST_F(Guardian, ThatIsKilledTakesItsCommandWithItThoughTheWorkerDoesNothing) {
  const pid_t worker = fork_worker(
      [&] { static_cast<void>(Process::start(shell("echo $PPID >&9; exec " + for_ever())).value().release()); });
  const std::string guardian = hear();
  ASSERT_NE(guardian, "");
  EXPECT_TRUE(still_held());
  ASSERT_EQ(::kill(std::stoi(guardian), SIGKILL), 0);
  EXPECT_TRUE(all_gone());
  kill_and_reap(worker);
}

TEST_F(Guardian, ThatEndedWithoutHearingTheLastTerminateIsNotTakenForLost) {
  const std::string go = root_ + "/go";
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  const auto process =
      Process::start(shell("trap '' TERM; echo $PPID >&9; echo $$ >&9; read word < " + go + "; exit 3")).value();
  const pid_t guardian = std::stoi(hear());
  const pid_t command = std::stoi(hear());
  ASSERT_EQ(::kill(guardian, SIGSTOP), 0);
  siginfo_t stopped{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(guardian), &stopped, WSTOPPED | WNOWAIT), 0);
  std::ofstream(go) << "go\n";
  wait_for_end_of(command);
  for (int i = 0; i < 3; ++i) process->terminate();  // it reads one at most before it sees that the command has ended
  ASSERT_EQ(::kill(guardian, SIGCONT), 0);
  wait_for_end_of(guardian);
  const ProcessEnd end = process->wait();
  EXPECT_EQ(end.error, "");
  EXPECT_EQ(end.exit_code, 3);
}

TEST_F(Guardian, ThatEndedLongAgoLeavesTheWholeOutputToBeRead) {
  const auto process =
      Process::start(shell("head -c 40000 /dev/zero | tr '\\0' x; printf last; echo $PPID >&9")).value();
  wait_for_end_of(std::stoi(hear()));
  const ProcessEnd end = process->wait();
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.out.ends_with("xlast"));
}

TEST_F(Guardian, OutlivesTheThreadThatForkedIt) {
  ASSERT_EQ(::mkfifo((root_ + "/go").c_str(), 0600), 0);
  std::unique_ptr<Process> process;
  std::thread([&] {
    process = Process::start(shell("echo ready >&9; read word < " + root_ + "/go; exit 7")).value();
  }).join();
  EXPECT_EQ(hear(), "ready");
  std::ofstream(root_ + "/go") << "go\n";
  EXPECT_EQ(process->wait().exit_code, 7);
}

TEST_F(Guardian, IsDeafToSignalsMeantForTheWorker) {
  const auto process = Process::start(shell("echo $PPID >&9; read none < /dev/null; exec " + for_ever())).value();
  const int guardian = std::stoi(hear());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1}) ASSERT_EQ(::kill(guardian, signal), 0);
  process->terminate();
  EXPECT_EQ(process->wait().signal, SIGTERM);
}

TEST_F(Guardian, KeepsNoLockOfTheWorker) {
  const std::string path = root_ + "/lock";
  int closed[2];
  ASSERT_EQ(::pipe2(closed, O_CLOEXEC), 0);
  const ProcessSpec spec = shell("echo ready >&9; exec " + for_ever());
  const pid_t worker = fork_worker([&] {
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct flock range {};
    range.l_type = F_WRLCK;
    if (::flock(lock.get(), LOCK_EX) != 0 || ::fcntl(lock.get(), F_OFD_SETLK, &range) != 0) ::_exit(1);
    auto process = Process::start(spec).value();
    lock.close();  // the last copy, unless the guardian or the command has one
    static_cast<void>(process.release());
    ::close(closed[1]);
  });
  ::close(closed[1]);
  EXPECT_EQ(hear(), "ready");
  char none = 0;
  EXPECT_EQ(::read(closed[0], &none, 1), 0);
  ::close(closed[0]);
  const Fd lock(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct flock range {};
  range.l_type = F_WRLCK;
  EXPECT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::fcntl(lock.get(), F_OFD_SETLK, &range), 0);
  EXPECT_TRUE(still_held());
  kill_and_reap(worker);
  EXPECT_TRUE(all_gone());
}

TEST(GuardiansLook, FindsTheSameChildrenInTheListAndByLookingAtEveryProcess) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (;;) ::pause();
    }
    children.push_back(pid);
  }
  const auto look = [](int (*find)(std::span<pid_t>), std::size_t room) {
    std::vector<pid_t> found(room);
    found.resize(static_cast<std::size_t>(find(found)));
    std::sort(found.begin(), found.end());
    return found;
  };
  std::sort(children.begin(), children.end());
  EXPECT_EQ(look([](std::span<pid_t> into) { return guardian::children_from_scan(into); }, 16), children);
  EXPECT_EQ(look([](std::span<pid_t> into) { return guardian::children_from_scan(into); }, 2).size(), 2U);
  pid_t probe = 0;
  if (guardian::children_from_list({&probe, 1}) >= 0) {  // -1: a kernel without CONFIG_PROC_CHILDREN
    EXPECT_EQ(look([](std::span<pid_t> into) { return guardian::children_from_list(into); }, 16), children);
    EXPECT_EQ(look([](std::span<pid_t> into) { return guardian::children_from_list(into); }, 2).size(), 2U);
  }
  for (const pid_t pid : children) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

}  // namespace
}  // namespace galley::engine
