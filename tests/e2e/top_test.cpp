// galley top on a real pseudo-terminal, and into a pipe; galley explain.

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/array.hpp>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

constexpr std::chrono::seconds kDeadline{30};  // far beyond what any step takes, so that only a hang meets it

/// The program with a terminal of its own, of 100 columns and 30 lines.
class Terminal {
 public:
  explicit Terminal(const Bench& bench) {
    winsize size{};
    size.ws_col = 100;
    size.ws_row = 30;
    pid_ = forkpty(&fd_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      if (chdir(bench.dir().path().c_str()) == 0) execl(GALLEY_PROGRAM, "galley", "top", nullptr);
      _exit(127);
    }
  }
  ~Terminal() {
    if (!ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Until a screen that was drawn after the last call shows the text. False: the deadline, or its end.
  [[nodiscard]] bool wait(std::string_view text) {
    while (out_.find(text, seen_) == std::string::npos) {
      if (!pump()) return false;
    }
    seen_ = out_.size();
    return true;
  }
  void type(std::string_view keys) const {
    EXPECT_EQ(::write(fd_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void resize(unsigned short columns, unsigned short lines) const {
    winsize size{};
    size.ws_col = columns;
    size.ws_row = lines;
    EXPECT_EQ(ioctl(fd_, TIOCSWINSZ, &size), 0);
  }
  void signal(int number) const { kill(pid_, number); }
  /// Until it has ended. Gives its exit code.
  [[nodiscard]] int finish() {
    while (pump()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] const std::string& out() const noexcept { return out_; }

 private:
  bool pump() {
    pollfd fd{fd_, POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - clock_.mono()).count();
    if (left <= 0 || poll(&fd, 1, static_cast<int>(left)) <= 0) return false;
    char buffer[64 << 10];
    const ssize_t got = ::read(fd_, buffer, sizeof buffer);  // an error is its end: nobody has the other side any more
    if (got > 0) out_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  base::SystemClock clock_;
  base::Mono deadline_ = clock_.mono() + kDeadline;
  int fd_ = -1;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string out_;
  std::size_t seen_ = 0;
};

void put(const Bench& bench, const std::string& queue) {
  ASSERT_EQ(bench.run({"enqueue", "--queue", queue, "--", "true"}).exit_code, 0);
}

TEST(Top, ShowsQueuesReactsToANewJobAndGivesTheScreenBack) {
  const Bench bench;
  put(bench, "mail");
  Terminal terminal(bench);
  ASSERT_TRUE(terminal.wait("mail")) << terminal.out();
  EXPECT_TRUE(terminal.out().starts_with("\x1b[?1049h\x1b[?25l")) << terminal.out();
  EXPECT_NE(terminal.out().find("no worker runs on this store"), std::string::npos);
  put(bench, "letters");
  ASSERT_TRUE(terminal.wait("letters")) << terminal.out();
  terminal.type("q");
  EXPECT_EQ(terminal.finish(), 0);
  EXPECT_TRUE(terminal.out().ends_with("\x1b[?25h\x1b[?1049l")) << terminal.out();
}

TEST(Top, IsPausedAndResumedByAKeyAndTakesTheTerminalsNewSize) {
  const Bench bench;
  put(bench, "mail");
  Terminal terminal(bench);
  ASSERT_TRUE(terminal.wait("mail")) << terminal.out();
  EXPECT_NE(terminal.out().find("IN/S"), std::string::npos);
  terminal.type("p");
  ASSERT_TRUE(terminal.wait("paused; p goes on")) << terminal.out();
  terminal.resize(20, 16);
  ASSERT_TRUE(terminal.wait("q quit  p pause  ...")) << terminal.out();
  put(bench, "letters");
  terminal.type("p");
  ASSERT_TRUE(terminal.wait("letters")) << terminal.out();
  terminal.type("q");
  EXPECT_EQ(terminal.finish(), 0);
}

TEST(Top, GivesTheScreenBackWhenItIsInterruptedOrTerminated) {
  const Bench bench;
  put(bench, "mail");
  for (const bool typed : {true, false}) {
    Terminal terminal(bench);
    ASSERT_TRUE(terminal.wait("mail")) << terminal.out();
    if (typed) {
      terminal.type("\x03");  // as Ctrl-C
    } else {
      terminal.signal(SIGTERM);
    }
    EXPECT_EQ(terminal.finish(), 0);
    EXPECT_TRUE(terminal.out().ends_with("\x1b[?25h\x1b[?1049l")) << terminal.out();
  }
}

TEST(Top, IntoAPipeIsOnePlainLook) {
  const Bench bench;
  EXPECT_EQ(bench.run({"top", "--once"}).exit_code, 1) << "there is no store yet";
  put(bench, "mail");
  ASSERT_EQ(bench.run({"enqueue", "--queue", "bad", "--attempts", "1", "--", "false"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--queue", "bad", "--allow-commands", "--drain"}).exit_code, 1);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"top"}, {"top", "--once"}}) {
    const Finished top = bench.run(arguments);
    EXPECT_EQ(top.exit_code, 0) << top.err;
    EXPECT_EQ(top.out.find('\x1b'), std::string::npos) << top.out;
    for (const char* part : {"QUEUE", "mail", "bad", "WORKER", "FAILING KIND", "false", "exit:1"}) {
      EXPECT_NE(top.out.find(part), std::string::npos) << part << "\n" << top.out;
    }
  }
  EXPECT_EQ(bench.run({"top", "--interval", "1ms"}).exit_code, 2);
}

TEST(Explain, SaysWhyAJobWaitsAndWhatToDo) {
  const Bench bench;
  put(bench, "mail");
  ASSERT_EQ(bench.run({"queues", "pause", "mail"}).exit_code, 0);
  const Finished text = bench.run({"explain", "1"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* part : {"job 1 is ready (queue mail, kind true)", "is paused", "-> galley queues resume mail",
                           "no worker runs on this store", "time line", "enqueued"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
}

TEST(Explain, AsJsonNamesReasonsByCodeAndTellsTheTimeLine) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--attempts", "1", "--", "false"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 1);
  const Finished json = bench.run({"explain", "1", "99", "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_NE(json.err.find("there is no job 99"), std::string::npos) << json.err;
  const auto objects = json.objects();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].at("state"), "dead");
  EXPECT_EQ(objects[0].at("reasons").as_array().at(0).at("code"), "dead");
  EXPECT_EQ(objects[0].at("timeline").as_array().size(), 4U) << "enqueued, started, failed, dead";
}

}  // namespace
}  // namespace galley::test
