#include "engine/stack.hpp"

#include <cxxabi.h>
#include <execinfo.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "galley/runtime/current_task.hpp"

namespace galley::engine {

namespace {

constexpr int kFrames = 64;
constexpr int kOwnFrames = 2;  // the handler, and what the kernel returns to from it
constexpr int kWaitMs = 1'000;
constexpr std::size_t kTaskBytes = 200;

std::string demangled(std::string_view name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(std::string(name).c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(text.get()) : std::string(name);
}

/// "module(name+0x12) [0x7f...]" as backtrace_symbols writes it: the name, or else the module and the offset.
std::string frame_text(std::string_view symbol) {
  const std::size_t open = symbol.find('(');
  const std::size_t plus = symbol.find('+', open == symbol.npos ? 0 : open);
  const std::size_t close = symbol.find(')', plus == symbol.npos ? 0 : plus);
  if (open == symbol.npos || plus == symbol.npos || close == symbol.npos) return std::string(symbol);
  if (plus > open + 1) return demangled(symbol.substr(open + 1, plus - open - 1));
  return std::string(symbol.substr(0, close + 1));
}

}  // namespace

struct StackTaker::Capture {
  Fd done{::eventfd(0, EFD_CLOEXEC)};
  std::array<void*, kFrames> frames{};
  int count = 0;
  std::array<char, kTaskBytes> task{};  ///< its name; the rest is cut
};

StackTaker::StackTaker(int signal) : signal_(signal) {
  void* frame = nullptr;
  ::backtrace(&frame, 1);  // loads what it needs, which a signal handler must not
  struct sigaction action {};
  action.sa_sigaction = &StackTaker::on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal_, &action, &before_);
}

StackTaker::~StackTaker() { ::sigaction(signal_, &before_, nullptr); }

void StackTaker::on_signal(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE || info->si_pid != ::getpid()) return;  // somebody else's, who means nothing by it
  const int saved = errno;
  auto* const capture = static_cast<Capture*>(info->si_value.sival_ptr);
  capture->count = ::backtrace(capture->frames.data(), kFrames);
  if (const TaskInfo* const task = current_task(); task != nullptr) {
    task->name.copy(capture->task.data(), kTaskBytes - 1);
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(capture->done.get(), &one, sizeof one));
  errno = saved;
}

std::string StackTaker::take(pthread_t thread) {
  captures_.push_back(std::make_unique<Capture>());
  Capture& capture = *captures_.back();
  sigval value{};
  value.sival_ptr = &capture;
  if (capture.done.get() < 0 || ::pthread_sigqueue(thread, signal_, value) != 0) {
    captures_.pop_back();
    return "its thread cannot be asked for its stack";
  }
  pollfd done{capture.done.get(), POLLIN, 0};
  if (::poll(&done, 1, kWaitMs) != 1) return "its thread does not answer; it blocks the signal, or waits in the kernel";
  std::string text;
  const std::unique_ptr<char*, decltype(&std::free)> symbols(::backtrace_symbols(capture.frames.data(), capture.count),
                                                             &std::free);
  for (int i = kOwnFrames; symbols != nullptr && i < capture.count; ++i) {
    text += (text.empty() ? "" : " < ") + frame_text(symbols.get()[i]);
  }
  const std::string task = capture.task.data();
  captures_.pop_back();
  return task.empty() ? text : task + ": " + text;
}

}  // namespace galley::engine
