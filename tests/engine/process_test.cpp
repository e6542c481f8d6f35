#include "engine/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "base/limits.hpp"

namespace galley::engine {
namespace {

namespace fs = std::filesystem;

ProcessSpec spec_of(std::string executable, std::vector<std::string> arguments = {}) {
  ProcessSpec spec;
  spec.executable = std::move(executable);
  spec.command.argv = std::move(arguments);
  spec.command.argv.insert(spec.command.argv.begin(), spec.executable);
  spec.path = "/usr/bin:/bin";
  return spec;
}

ProcessSpec shell(const std::string& script) { return spec_of("/bin/sh", {"-c", script}); }

ProcessEnd run(const ProcessSpec& spec) { return Process::start(spec).value()->wait(); }

class CommandProcess : public testing::Test {
 protected:
  CommandProcess() {
    std::string form = (fs::temp_directory_path() / "galley-process-XXXXXX").string();
    root_ = ::mkdtemp(form.data());
  }
  ~CommandProcess() override { fs::remove_all(root_); }
  std::string script(const std::string& name, const std::string& text) const {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << text;
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  std::string root_;
};

TEST_F(CommandProcess, TellsTheExitCode) {
  for (const int code : {0, 1, 127, 255}) {
    const ProcessEnd end = run(shell("exit " + std::to_string(code)));
    EXPECT_EQ(end.exit_code, code);
    EXPECT_EQ(end.signal, std::nullopt);
    EXPECT_EQ(end.error, "");
  }
}

TEST_F(CommandProcess, TellsTheSignal) {
  const ProcessEnd end = run(shell("kill -USR1 $$"));
  EXPECT_EQ(end.signal, SIGUSR1);
  EXPECT_EQ(end.exit_code, std::nullopt);
}

TEST_F(CommandProcess, KeepsTheTwoStreamsApart) {
  const ProcessEnd end = run(shell("echo out; echo err >&2"));
  EXPECT_EQ(end.out, "out\n");
  EXPECT_EQ(end.err, "err\n");
}

TEST_F(CommandProcess, KeepsTheLastBytesOfALongOutput) {
  const ProcessEnd end = run(shell("yes 0123456 | head -c 10485760; yes abcdefg | head -c 10485760 >&2; printf last"));
  ASSERT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.out.size(), limits::kMaxOutputBytes);
  EXPECT_TRUE(end.out.ends_with("0123456\nlast"));
  EXPECT_EQ(end.err.size(), limits::kMaxOutputBytes);
  EXPECT_TRUE(end.err.ends_with("abcdefg\n"));
}

TEST_F(CommandProcess, HandsOverAndTakesBackEveryByte) {
  ProcessSpec spec = spec_of("/bin/cat");
  for (int i = 0; i < 16 << 10; ++i) spec.command.input += static_cast<char>(i * 7 + i / 256);
  const ProcessEnd end = run(spec);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.out == spec.command.input);
}

TEST_F(CommandProcess, TakesAnInputThatTheCommandNeverReads) {
  ProcessSpec spec = spec_of("/bin/true");
  spec.command.input = std::string(8 << 20, 'x');
  EXPECT_EQ(run(spec).exit_code, 0);
  spec = spec_of("/usr/bin/wc", {"-c"});
  spec.command.input = std::string(8 << 20, 'x');
  EXPECT_EQ(run(spec).out, "8388608\n");
  EXPECT_EQ(run(spec_of("/usr/bin/wc", {"-c"})).out, "0\n");
}

TEST_F(CommandProcess, PassesArgumentsAsTheyAreWithoutAShell) {
  const ProcessEnd end = run(spec_of("/usr/bin/printf", {"[%s]", "$HOME", "a b", "", "\xff\xfe", "*", "'\"\n"}));
  EXPECT_EQ(end.out, "[$HOME][a b][][\xff\xfe][*]['\"\n]");
}

TEST_F(CommandProcess, GivesTheNameAsItWasAsked) {
  ProcessSpec spec = spec_of("/bin/sh", {"-c", "echo $0"});
  spec.command.argv[0] = "anything";
  EXPECT_EQ(run(spec).out, "anything\n");
}

TEST_F(CommandProcess, RunsInTheWorkingDirectoryOfTheJob) {
  ProcessSpec spec = shell("pwd -P");
  spec.command.cwd = root_;
  EXPECT_EQ(run(spec).out, fs::canonical(root_).string() + "\n");
  spec.command.cwd.clear();
  EXPECT_EQ(run(spec).out, fs::current_path().string() + "\n");
}

TEST_F(CommandProcess, GivesTheNamedVariablesAndThePathAndNoOthers) {
  ::setenv("GALLEY_TEST_SECRET", "secret", 1);
  ProcessSpec spec = spec_of("/usr/bin/env");
  spec.command.env = {{"B", "2"}, {"A", "odd \xff="}};
  EXPECT_EQ(run(spec).out, "B=2\nA=odd \xff=\nPATH=/usr/bin:/bin\n");
  spec.command.env = {{"PATH", "/mine"}};
  EXPECT_EQ(run(spec).out, "PATH=/mine\n");
  ::unsetenv("GALLEY_TEST_SECRET");
}

TEST_F(CommandProcess, HasThreeDescriptorsAndNoMore) {
  const Fd leaked(::open("/dev/null", O_RDONLY));  // not O_CLOEXEC
  ASSERT_GE(leaked.get(), 0);
  EXPECT_EQ(run(shell("i=0; while [ $i -lt 64 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done")).out,
            "0\n1\n2\n");
}

TEST_F(CommandProcess, HasDefaultSignalsWhateverTheWorkerHas) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
  sigset_t blocked;
  sigset_t mask;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);
  const ProcessEnd end = run(spec_of("/bin/grep", {"-E", "Sig(Blk|Ign)", "/proc/self/status"}));
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, &mask, &after);
  ::sigaction(SIGPIPE, &before, nullptr);
  EXPECT_EQ(end.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(::sigismember(&after, SIGTERM), 1) << "the worker's own mask is as it was";
  EXPECT_EQ(::sigismember(&after, SIGINT), 0);
}

TEST_F(CommandProcess, WorksForAProgramThatIgnoresItsChildren) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGCHLD, &ignore, &before), 0);
  const ProcessEnd end = run(shell("exit 3"));
  ::sigaction(SIGCHLD, &before, nullptr);
  EXPECT_EQ(end.exit_code, 3);
}

TEST_F(CommandProcess, IsALeaderOfItsGroupWithoutATerminal) {
  // pid, name, state, parent, group, session, terminal
  const ProcessEnd end =
      run(shell("read pid name state ppid group session tty rest < /proc/$$/stat; "
                "[ $pid = $group ] && [ $session = $ppid ] && echo $tty"));
  EXPECT_EQ(end.out, "0\n");
}

TEST_F(CommandProcess, ThatCannotStartSaysWhyInsteadOfAnExitCode) {
  const auto why = [](const ProcessSpec& spec) {
    const ProcessEnd end = run(spec);
    EXPECT_EQ(end.exit_code, std::nullopt);
    EXPECT_EQ(end.signal, std::nullopt);
    return end.error;
  };
  EXPECT_EQ(why(spec_of("/no/such")), "cannot run \"/no/such\": No such file or directory");
  const std::string data = root_ + "/data";
  std::ofstream(data) << "text";
  EXPECT_EQ(why(spec_of(data)), "cannot run \"" + data + "\": Permission denied");
  const std::string orphan = script("orphan", "#!/no/interpreter\n");
  EXPECT_EQ(why(spec_of(orphan)),
            "cannot run \"" + orphan + "\": the interpreter that it names (its #! line, or its loader) is missing");
  const std::string bare = script("bare", "echo no first line\n");
  EXPECT_EQ(why(spec_of(bare)),
            "cannot run \"" + bare + "\": it is neither a program of this machine nor a script with a #! line");
  ProcessSpec nowhere = spec_of("/bin/true");
  nowhere.command.cwd = root_ + "/none";
  EXPECT_EQ(why(nowhere),
            "cannot run \"/bin/true\": working directory \"" + root_ + "/none\": No such file or directory");
  EXPECT_EQ(why(spec_of("/bin/true", {std::string(1 << 20, 'x')})),
            "cannot run \"/bin/true\": its arguments and environment are too long");
}

TEST_F(CommandProcess, EndsByTerminate) {
  const auto process = Process::start(spec_of("/usr/bin/tail", {"-f", "/dev/null"})).value();
  process->terminate();
  EXPECT_EQ(process->wait().signal, SIGTERM);
}

TEST_F(CommandProcess, TerminateReachesItsGroupAndAProcessThatIsStopped) {
  const std::string fifo = root_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string watch = "until grep -q State:.T /proc/$PPID/status; do :; done; echo stopped > " + fifo;
  const auto process = Process::start(shell("sh -c '" + watch + "' & kill -STOP $$; wait")).value();
  std::string word;
  std::ifstream(fifo) >> word;
  EXPECT_EQ(word, "stopped");
  process->terminate();
  EXPECT_EQ(process->wait().signal, SIGTERM);
}

TEST_F(CommandProcess, ThatIgnoresTerminateEndsByKill) {
  const std::string fifo = root_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto process = Process::start(shell("exec 9>" + fifo + "; trap 'echo asked; echo asked >&9' TERM; " +
                                            "echo ready >&9; while :; do tail -f /dev/null & wait; done"))
                           .value();
  std::ifstream heard(fifo);
  std::string word;
  heard >> word;
  EXPECT_EQ(word, "ready");
  process->terminate();
  heard >> word;
  EXPECT_EQ(word, "asked");
  process->kill();
  process->kill();
  const ProcessEnd end = process->wait();
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_EQ(end.out, "asked\n");
  process->terminate();
  process->kill();
}

TEST_F(CommandProcess, IsStoppedFromAnotherThreadWhileItIsWaitedFor) {
  const auto process =
      Process::start(shell("trap '' TERM; echo ready; while :; do read line < /dev/null; done")).value();
  std::thread other([&] {
    process->terminate();
    process->kill();
  });
  EXPECT_NE(process->wait().signal, std::nullopt);
  other.join();
}

TEST_F(CommandProcess, ToldToTerminateWhileItEndsIsNotTakenForLost) {
  for (int i = 0; i < 200; ++i) {
    const auto process = Process::start(shell("trap '' TERM; exit 0")).value();
    std::atomic<bool> done = false;
    std::thread other([&] {
      while (!done) process->terminate();
    });
    const ProcessEnd end = process->wait();
    done = true;
    other.join();
    ASSERT_EQ(end.error, "");
    ASSERT_TRUE(end.exit_code == 0 || end.signal == SIGTERM);
  }
}

TEST_F(CommandProcess, RunsManyAtATimeFromManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&wrong, t] {
      for (int i = 0; i < 20; ++i) {
        ProcessSpec spec = shell("cat; exit " + std::to_string(t));
        spec.command.input = std::to_string(t * 100 + i);
        const ProcessEnd end = run(spec);
        if (end.exit_code != t || end.out != spec.command.input) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(CommandProcess, LeavesNoDescriptorOpen) {
  const auto open_files = [] {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
  };
  const int before = open_files();
  run(shell("echo a"));
  run(spec_of("/no/such"));
  { const auto dropped = Process::start(spec_of("/usr/bin/tail", {"-f", "/dev/null"})).value(); }
  EXPECT_EQ(open_files(), before);
}

TEST_F(CommandProcess, OutOfDescriptorsIsAnErrorThatMayPass) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  for (rlim_t more = 0; more < 10; ++more) {
    const Fd next(::dup(0));
    const rlimit tight{static_cast<rlim_t>(next.get()) + more, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    const auto process = Process::start(spec_of("/bin/true"));
    const std::string error = process ? process.value()->wait().error : process.error().message;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(process || process.error().code == Errc::Unavailable) << error;
    EXPECT_TRUE(error.empty() || error.find("Too many open files") != std::string::npos) << error;
  }
}

}  // namespace
}  // namespace galley::engine
