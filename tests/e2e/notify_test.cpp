// A worker under a service manager: what it tells, and when it keeps silent.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

constexpr int kDeadlineMs = 30'000;
constexpr int kWatchdogUs = 200'000;
constexpr int kSilenceMs = 1'500;  // 15 pings long

/// The service manager's end.
class Manager {
 public:
  /// As in NOTIFY_SOCKET: a path or @name.
  explicit Manager(const std::string& name) : name_(name), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0) throw std::runtime_error("no socket");
  }
  ~Manager() { close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + name_; }

  /// One datagram; nothing: silence.
  [[nodiscard]] std::optional<std::string> next(int wait_ms = kDeadlineMs) {
    pollfd fd{fd_, POLLIN, 0};
    std::array<char, 4096> text{};
    if (poll(&fd, 1, wait_ms) != 1) return std::nullopt;
    const ssize_t got = recv(fd_, text.data(), text.size(), 0);
    heard_.emplace_back(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    return heard_.back();
  }
  /// Until a line came, or its beginning.
  [[nodiscard]] bool hears(const std::string& line) {
    while (const auto text = next()) {
      if (("\n" + *text).find("\n" + line) != std::string::npos) return true;
    }
    return false;
  }
  [[nodiscard]] const std::vector<std::string>& heard() const { return heard_; }

 private:
  std::string name_;
  int fd_;
  std::vector<std::string> heard_;
};

std::string watchdog() { return "WATCHDOG_USEC=" + std::to_string(kWatchdogUs); }

/// Holds the store's write lock.
class Lock {
 public:
  explicit Lock(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    sqlite3_busy_timeout(db_, kDeadlineMs);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Lock() { sqlite3_close(db_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

TEST(Notify, TellsThatItIsReadyThatItLivesAndThatItStops) {
  const Bench bench;
  Manager manager(bench.dir().file("notify"));
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "a=3", "--allow-commands"},
                               .environment = {manager.variable(), watchdog()}});
  const auto first = manager.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, "READY=1\nSTATUS=0 of 3 slots busy, 0 completed\nWATCHDOG=1\n");
  EXPECT_NE(bench.run({"stats", "--json"}).out.find("\"worker\""), std::string::npos) << "it has not joined its store";
  for (int ping = 0; ping < 5; ++ping) EXPECT_EQ(manager.next(), "WATCHDOG=1\n");
  worker.signal(SIGTERM);
  EXPECT_TRUE(manager.hears("STOPPING=1"));
  EXPECT_EQ(worker.finish().exit_code, 0);
}

TEST(Notify, SpeaksToAnAbstractSocketAndPingsOnlyForItsOwnWatchdog) {
  const Bench bench;
  Manager manager("@galley-test-" + std::to_string(getpid()));
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "default=1", "--allow-commands"},
                               .environment = {manager.variable(), watchdog(), "WATCHDOG_PID=1"}});
  ASSERT_TRUE(manager.hears("READY=1"));
  worker.signal(SIGTERM);
  EXPECT_TRUE(manager.hears("STOPPING=1"));
  EXPECT_EQ(worker.finish().exit_code, 0);
  for (const std::string& text : manager.heard()) EXPECT_EQ(text.find("WATCHDOG"), std::string::npos) << text;
}

TEST(Notify, TellsWhatItsSlotsDo) {
  const Bench bench;
  Manager manager(bench.dir().file("notify"));
  const Fifo started(bench.dir().file("started"));
  const Fifo go_on(bench.dir().file("go-on"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "default=2", "--allow-commands"},
                               .environment = {manager.variable(), watchdog()}});
  ASSERT_TRUE(started.wait());
  EXPECT_TRUE(manager.hears("STATUS=1 of 2 slots busy, 0 completed"));
  worker.signal(SIGTERM);
  EXPECT_TRUE(manager.hears("STATUS=stopping, 1 of 2 slots busy"));
  EXPECT_TRUE(manager.hears("WATCHDOG=1")) << "it lives on while it waits for its attempts";
  go_on.tell();
  EXPECT_EQ(worker.finish().exit_code, 0);
}

TEST(Notify, KeepsSilentWhileItsLoopIsStuckInTheStore) {
  const Bench bench;
  Manager manager(bench.dir().file("notify"));
  const Fifo started(bench.dir().file("started"));
  const Fifo go_on(bench.dir().file("go-on"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on"}).exit_code, 0);
  // The claim is renewed every second, so the loop soon meets the lock.
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--lease", "3s"},
                               .environment = {manager.variable(), watchdog()}});
  ASSERT_TRUE(started.wait());
  ASSERT_TRUE(manager.hears("WATCHDOG=1"));
  {
    const Lock lock(bench.dir().file("galley.db"));
    int pings = 0;
    while (manager.next(kSilenceMs) && pings < 300) ++pings;
    EXPECT_LT(pings, 300) << "it pinged for half a minute, and could reach nothing";
  }
  EXPECT_TRUE(manager.hears("WATCHDOG=1"));
  worker.signal(SIGTERM);
  go_on.tell();
  EXPECT_EQ(worker.finish().exit_code, 0);
}

TEST(Notify, RefusesAnEnvironmentThatItCannotServe) {
  const Bench bench;
  const std::vector<std::vector<std::string>> wrong{
      {"NOTIFY_SOCKET=notify"},
      {"NOTIFY_SOCKET=@"},
      {"NOTIFY_SOCKET=/" + std::string(107, 'x')},
      {"NOTIFY_SOCKET=/tmp/none", "WATCHDOG_USEC=soon"},
      {"NOTIFY_SOCKET=/tmp/none", "WATCHDOG_USEC=19999"},
      {"NOTIFY_SOCKET=/tmp/none", "WATCHDOG_USEC=200000", "WATCHDOG_PID=0"},
  };
  for (const auto& environment : wrong) {
    const Finished end = bench.run({"work", "--allow-commands", "--drain"}, {}, environment);
    EXPECT_EQ(end.exit_code, 2) << environment.back();
    EXPECT_NE(end.err.find(environment.back().substr(0, environment.back().find('='))), std::string::npos) << end.err;
  }
}

TEST(Notify, WorksOnWhereNobodyListens) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "touch", "ran"}).exit_code, 0);
  const std::string nobody = "NOTIFY_SOCKET=" + bench.dir().file("nobody");
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}, {}, {nobody, watchdog()}).exit_code, 0);
  EXPECT_TRUE(bench.exists("ran"));
}

/// Its output, with "exit N" behind it.
std::string shell(const std::string& command) {
  FILE* const pipe = popen(("(" + command + ") 2>&1; echo exit $?").c_str(), "r");
  std::string out;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), got);
  pclose(pipe);
  return out;
}

TEST(UnitFile, IsUnderstoodBySystemd) {
  if (shell("command -v systemd-analyze").ends_with("exit 127\n")) {
    GTEST_SKIP() << "systemd-analyze is missing (package systemd): the unit file is not checked here";
  }
  std::ifstream file(GALLEY_SOURCE "/packaging/galley-worker@.service");
  std::string unit{std::istreambuf_iterator<char>(file), {}};
  const Bench bench;
  const auto verify = [&bench](const std::string& text) {
    bench.write("galley-worker@.service", text);
    return shell("systemd-analyze verify --man=no " + bench.dir().file("galley-worker@one.service"));
  };
  // The program that it names is not installed here; this one is what it stands for.
  const std::string program = "ExecStart=/usr/bin/galley ";
  ASSERT_NE(unit.find(program), std::string::npos);
  unit.replace(unit.find(program), program.size(), "ExecStart=" GALLEY_PROGRAM " ");
  EXPECT_EQ(verify(unit), "exit 0\n");
  // What it does not know it names, but ends with 0 all the same.
  EXPECT_NE(verify(unit + "WatchdogSec=90s\n").find("WatchdogSec"), std::string::npos);
}

}  // namespace
}  // namespace galley::test
