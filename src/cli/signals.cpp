#include "cli/signals.hpp"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "base/assert.hpp"

namespace galley::cli {

namespace {
sigset_t watched() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

Signals::Signals() {
  const sigset_t set = watched();
  GALLEY_ASSERT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

Signals::~Signals() {
  if (!thread_.joinable()) return;
  ending_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // wakes sigwait of this thread alone
  thread_.join();
}

void Signals::watch(std::function<void(int)> on_signal) {
  GALLEY_ASSERT(!thread_.joinable());
  thread_ = std::thread([this, on_signal = std::move(on_signal)] {
    const sigset_t set = watched();
    for (int count = 1;; ++count) {
      int signal = 0;
      GALLEY_ASSERT(sigwait(&set, &signal) == 0);
      if (ending_) return;
      on_signal(count);
    }
  });
}

}  // namespace galley::cli
