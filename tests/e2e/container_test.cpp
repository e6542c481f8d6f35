// A worker as process 1 of a real pid namespace: it reaps what it is given, hears signals, and ends as its worker does.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

constexpr const char* kUnshare = "/usr/bin/unshare";

struct Child {
  int pid = 0;
  char state = '?';  ///< Z: a zombie
};

/// The children of a process, zombies too, as /proc/PID/stat tells: "7 (a name) S 1 ...".
std::vector<Child> children_of(int parent) {
  std::vector<Child> children;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", fault)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t at = text.rfind(')');
    if (at == std::string::npos || at + 4 >= text.size()) continue;
    if (std::atoi(text.c_str() + at + 4) == parent) children.push_back({std::stoi(name), text[at + 2]});
  }
  return children;
}

/// Nothing tells when a process has been adopted or reaped, so this looks again and again.
bool eventually(const std::function<bool()>& holds) {
  const base::SystemClock clock;
  const base::Mono deadline = clock.mono() + std::chrono::seconds(30);
  while (!holds()) {
    if (clock.mono() > deadline) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

/// `galley work ARGUMENTS` as process 1, in a group of its own.
class Container {
 public:
  Container(const Bench& bench, std::vector<std::string> arguments) : unshare_(bench.dir(), start(arguments)) {}

  [[nodiscard]] Process& process() { return unshare_; }
  /// As seen from outside; 0: it is not there.
  [[nodiscard]] int init() const {
    const auto children = children_of(unshare_.pid());
    return children.empty() ? 0 : children[0].pid;
  }

 private:
  static Start start(const std::vector<std::string>& arguments) {
    Start start{.program = kUnshare};
    start.arguments = {"--pid", "--fork", "--mount-proc", "--kill-child", "setsid", GALLEY_PROGRAM, "work"};
    start.arguments.insert(start.arguments.end(), arguments.begin(), arguments.end());
    return start;
  }
  Process unshare_;
};

class ProcessOne : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kUnshare)) GTEST_SKIP() << kUnshare << " is missing: process 1 is not tested here";
    const Finished end =
        Process(bench.dir(), {.arguments = {"--pid", "--fork", "--mount-proc", "true"}, .program = kUnshare}).finish();
    if (end.exit_code != 0) GTEST_SKIP() << "no pid namespace may be made here, process 1 is not tested: " << end.err;
  }
  const Bench bench;
};

TEST_F(ProcessOne, ReapsTheOrphansThatItIsGiven) {
  const Fifo orphaned(bench.dir().file("orphaned"));
  const Fifo go_on(bench.dir().file("go-on"));
  const Fifo apart(bench.dir().file("apart"));
  const Fifo never(bench.dir().file("never"));
  // The command kills its guardian, and so dies itself: it and its child become children of process 1.
  const std::string command =
      "setsid sh -c 'echo > apart; echo > orphaned; read x < go-on' & "
      "read x < apart; kill -KILL $PPID; read x < never";
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", command}).exit_code, 0);
  Container container(bench, {"--pool", "default=1", "--allow-commands"});
  ASSERT_TRUE(orphaned.wait());
  const int init = container.init();
  ASSERT_GT(init, 0);
  ASSERT_TRUE(eventually([&] {
    const auto children = children_of(init);
    return children.size() == 2 && children[0].state != 'Z' && children[1].state != 'Z';
  })) << "the worker, and the orphan that still runs; the command is reaped";
  go_on.tell();
  EXPECT_TRUE(eventually([&] { return children_of(init).size() == 1; })) << "the orphan is left as a zombie";
  ASSERT_EQ(kill(init, SIGTERM), 0);
  EXPECT_EQ(container.process().finish().exit_code, 0);
}

TEST_F(ProcessOne, LeavesTheWorkersOwnChildrenAlone) {
  // Short jobs that double-fork a child shorter still: the exit code of each must reach its slot.
  for (int job = 0; job < 20; ++job) {
    ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "(true &) & exit 0"}).exit_code, 0);
    ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "(true &) & exit 7"}).exit_code, 0);
  }
  Container container(bench, {"--pool", "default=4", "--allow-commands", "--drain"});
  EXPECT_EQ(container.process().finish().exit_code, 1) << "jobs died, which a drain tells";
  for (int job = 1; job <= 40; ++job) {
    ASSERT_EQ(bench.state(job), job % 2 == 1 ? "completed" : "dead") << job;
    if (job % 2 == 1) continue;
    EXPECT_EQ(bench.job(job).at("history").at(0).at("exit_code"), 7) << job;
  }
}

TEST_F(ProcessOne, PassesASignalOnOnceAndEndsWithZero) {
  const Fifo started(bench.dir().file("started"));
  const Fifo go_on(bench.dir().file("go-on"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on"}).exit_code, 0);
  Container container(bench, {"--allow-commands"});
  ASSERT_TRUE(started.wait());
  const int init = container.init();
  ASSERT_GT(init, 1);
  ASSERT_EQ(kill(-init, SIGINT), 0);  // to its whole group, as Ctrl-C on a terminal does
  ASSERT_TRUE(container.process().wait_err("worker.stopping"));
  go_on.tell();
  const Finished end = container.process().finish();
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.err.find("worker.hurrying"), std::string::npos) << end.err;
  EXPECT_EQ(bench.state(1), "completed");
}

TEST_F(ProcessOne, EndsAsItsWorkerDoes) {
  EXPECT_EQ(Container(bench, {"--drain"}).process().finish().exit_code, 2);
  Container container(bench, {"--allow-commands"});
  ASSERT_TRUE(container.process().wait_err("worker.start"));
  const auto children = children_of(container.init());
  ASSERT_EQ(children.size(), 1U);
  ASSERT_EQ(kill(children[0].pid, SIGKILL), 0);
  EXPECT_EQ(container.process().finish().exit_code, 128 + SIGKILL);
}

}  // namespace
}  // namespace galley::test
