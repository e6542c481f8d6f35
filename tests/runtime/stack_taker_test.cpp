#include "runtime/stack_taker.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "base/event.hpp"
#include "galley/error.hpp"
#include "galley/runtime/current_task.hpp"
#include "runtime/beating.hpp"
#include "runtime/symbols.hpp"
#include "runtime/thread_times.hpp"

namespace galley::runtime {
namespace {

using State = StackRequest::State;
using test::becomes_true;
using test::Event;

/// A thread that waits until it is let go.
class Waiting {
 public:
  template <class Before>
  explicit Waiting(Before before)
      : thread_([this, before] {
          before();
          id_ = ::gettid();
          began_.set();
          EXPECT_TRUE(over_.wait());
        }) {
    EXPECT_TRUE(began_.wait());
    EXPECT_TRUE(becomes_true([this] { return thread_state(id_) == 'S'; }));
  }
  Waiting() : Waiting([] {}) {}
  ~Waiting() {
    over_.set();
    thread_.join();
  }
  [[nodiscard]] pid_t id() const { return id_; }

 private:
  Event began_;
  Event over_;
  std::atomic<pid_t> id_{0};
  std::thread thread_;
};

TEST(StackTaker, GivesTheFramesOfAnotherThreadAndTheSignalBack) {
  struct sigaction before {};
  ::sigaction(SIGUSR2, nullptr, &before);
  {
    StackTaker taker(SIGUSR2);
    const Waiting waiting;
    for (int i = 0; i < 3; ++i) {
      const std::string stack = taker.take(waiting.id());
      EXPECT_NE(stack.find(" < "), std::string::npos) << stack;
      EXPECT_NE(stack.find("Event::wait(int) (event.hpp:"), std::string::npos) << stack;
    }
  }
  struct sigaction now {};
  ::sigaction(SIGUSR2, nullptr, &now);
  EXPECT_EQ(now.sa_handler, before.sa_handler);
}

TEST(StackTaker, TwoMayShareASignalAndEndInAnyOrder) {
  auto first = std::make_unique<StackTaker>(SIGRTMIN + 1);
  StackTaker second(SIGRTMIN + 1);
  first.reset();
  const Waiting waiting;
  const std::string stack = second.take(waiting.id());  // its signal would end the process now
  EXPECT_NE(stack.find(" < "), std::string::npos) << stack;
}

TEST(StackTaker, RefusesASignalThatCannotBeTaken) { EXPECT_THROW(StackTaker{SIGKILL}, Exception); }

TEST(StackTaker, SaysWhenThereIsNoSuchThread) {
  StackTaker taker(SIGRTMIN + 1);
  StackRequest request;
  EXPECT_FALSE(taker.ask(request, 999'999'999));
  EXPECT_EQ(request.state(), State::Free);
}

TEST(StackTaker, TellsTheTaskAndCutsItsNameToWhatFits) {
  StackTaker taker(SIGRTMIN + 1);
  Event began;
  Event over;
  const TaskInfo task{std::string(200, 'n'), BOOST_CURRENT_LOCATION};
  std::atomic<pid_t> id{0};
  std::thread thread([&] {
    const TaskScope scope(&task);
    id = ::gettid();
    began.set();
    EXPECT_TRUE(over.wait());
  });
  ASSERT_TRUE(began.wait());
  StackRequest request;
  ASSERT_TRUE(taker.ask(request, id));
  ASSERT_TRUE(request.wait(std::chrono::seconds(20)));
  EXPECT_EQ(request.state(), State::Taken);
  EXPECT_TRUE(request.has_task);
  EXPECT_EQ(request.task_name.data(), std::string(127, 'n'));
  EXPECT_EQ(request.spawned_at.line(), task.spawned_at.line());
  over.set();
  thread.join();
}

TEST(StackTaker, FindsThatTheThreadHasMovedOn) {
  StackTaker taker(SIGRTMIN + 1);
  const Waiting waiting;
  Heartbeat heartbeat;
  heartbeat.busy_since_ns = 12;
  heartbeat.handlers = 3;
  StackRequest request;
  for (const Beat& other : {Beat{11, 3}, Beat{12, 2}}) {
    ASSERT_TRUE(taker.ask(request, waiting.id(), heartbeat, other));
    ASSERT_TRUE(request.wait(std::chrono::seconds(20)));
    EXPECT_EQ(request.state(), State::MovedOn);
    request.reset();
  }
  ASSERT_TRUE(taker.ask(request, waiting.id(), heartbeat, Beat{12, 3}));
  ASSERT_TRUE(request.wait(std::chrono::seconds(20)));
  EXPECT_EQ(request.state(), State::Taken);
}

void block_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGRTMIN + 1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void let_signal_in() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGRTMIN + 1);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

TEST(StackTaker, LeavesNoSignalBehindThatWouldKillTheProcess) {
  Event asked;
  Event gone;
  std::atomic<pid_t> id{0};
  std::thread thread([&] {
    block_signal();
    id = ::gettid();
    EXPECT_TRUE(gone.wait());
    let_signal_in();  // the default action of a signal that is still there ends the process
  });
  ASSERT_TRUE(becomes_true([&] { return id != 0; }));
  StackRequest request;  // outlives the taker, because it may still be answered
  {
    StackTaker taker(SIGRTMIN + 1);
    ASSERT_TRUE(taker.ask(request, id));
    EXPECT_FALSE(request.wait(std::chrono::milliseconds(1)));
  }
  gone.set();
  thread.join();
}

[[gnu::noinline]] void throw_at(int depth) {
  if (depth == 0) throw std::runtime_error("thrown");
  throw_at(depth - 1);
  asm volatile("");
}

/// A destructor that runs while the exception unwinds.
struct WhileUnwinding {
  std::atomic<bool>& there;
  std::atomic<bool>& over;
  ~WhileUnwinding() {
    there = true;
    EXPECT_TRUE(becomes_true([this] { return over.load(); }));
  }
};

TEST(StackTaker, TakesNoStackWhileAnExceptionUnwindsIt) {
  StackTaker taker(SIGRTMIN + 1);
  std::atomic<bool> there{false};
  std::atomic<bool> over{false};
  std::atomic<pid_t> id{0};
  std::thread thread([&] {
    id = ::gettid();
    try {
      const WhileUnwinding unwinding{there, over};
      throw_at(1);
    } catch (const std::runtime_error&) {  // what was wanted of it is done
    }
  });
  ASSERT_TRUE(becomes_true([&] { return there.load(); }));
  StackRequest request;
  ASSERT_TRUE(taker.ask(request, id));
  ASSERT_TRUE(request.wait(std::chrono::seconds(20)));
  EXPECT_EQ(request.state(), State::Unwinding);
  over = true;
  thread.join();
}

/// As many as 5 s are enough for, at most 20,000; GALLEY_STALL_SIGNALS sets how many (./dev soak: a million).
TEST(StackTaker, AsksAThreadThatThrowsAllTheTimeWithoutACrash) {
  const char* const wanted = std::getenv("GALLEY_STALL_SIGNALS");
  const int signals = wanted == nullptr ? 20'000 : std::atoi(wanted);
  const std::int64_t end_ns = wanted == nullptr ? base::mono_ns() + 5'000'000'000 : INT64_MAX;
  StackTaker taker(SIGRTMIN + 1);
  std::atomic<bool> over{false};
  std::atomic<pid_t> id{0};
  std::atomic<std::int64_t> thrown{0};
  std::thread thread([&] {
    id = ::gettid();
    while (!over) {
      try {
        throw_at(static_cast<int>(thrown % 7));
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    }
  });
  ASSERT_TRUE(becomes_true([&] { return thrown > 0; }));
  int taken = 0;
  int unwinding = 0;
  StackRequest request;
  int sent = 0;
  for (; sent < signals && base::mono_ns() < end_ns; ++sent) {
    ASSERT_TRUE(taker.ask(request, id));
    ASSERT_TRUE(request.wait(std::chrono::seconds(20)));
    (request.state() == State::Taken ? taken : unwinding) += 1;
    if (request.state() == State::Taken) {
      EXPECT_GT(request.stack.count, 2);
    }
    request.reset();
  }
  over = true;
  thread.join();
  EXPECT_GT(unwinding, 0);
  EXPECT_GT(taken, 0);
  RecordProperty("taken", taken);
}

TEST(Symbols, AreReadable) {
  EXPECT_EQ(readable("a::(anonymous namespace)::f(std::__cxx11::basic_string<char, std::char_traits<char>, "
                     "std::allocator<char> >) [clone .constprop.0] [clone .isra.0]"),
            "a::f(std::string)");
  EXPECT_EQ(readable("f(int) [clone .resume]"), "f(int) [coroutine]");
  EXPECT_EQ(file_name("/a/b.cpp"), "b.cpp");
  EXPECT_EQ(file_name("b.cpp"), "b.cpp");
  StackFrame frame;
  frame.module = "/lib/x.so";
  frame.offset = 0x12ab;
  EXPECT_EQ(to_text(frame), "x.so(+0x12ab)");
}

TEST(Symbols, SeveralFramesOfLibrariesAreOneLineUnlessTheyAreTheInnermost) {
  StackFrame own;
  own.function = "f()";
  own.file = "/home/me/f.cpp";
  own.line = 3;
  StackFrame asio;
  asio.function = "pump()";
  asio.file = "/usr/include/boost/asio/impl/awaitable.hpp";
  asio.line = 7;
  EXPECT_EQ(to_text(Stack{asio, own, asio, asio, asio, own, asio}),
            "  at pump() (awaitable.hpp:7)\n  at f() (f.cpp:3)\n  ... 3 frames of libraries\n  at f() (f.cpp:3)\n"
            "  at pump() (awaitable.hpp:7)\n");
}

}  // namespace
}  // namespace galley::runtime
