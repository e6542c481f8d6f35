#include "runtime/event_count.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace galley::runtime {

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));  // as the kernel sees it

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) noexcept {
  syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

void EventCount::wait(Key key) noexcept {
  // An interrupt by a signal, or an epoch that has moved on: both are a reason to look again.
  if (epoch_.load(std::memory_order_seq_cst) == key) futex(epoch_, FUTEX_WAIT, key);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

void EventCount::wake_sleepers(int count) noexcept {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex(epoch_, FUTEX_WAKE, static_cast<std::uint32_t>(count));
}

void EventCount::wake_all() noexcept { wake(INT_MAX); }

}  // namespace galley::runtime
