#pragma once
// The automatic budget of a loop: it keeps operations that are always ready (a channel that is never empty, a semaphore
// with free permits, a cache that always hits) from starving everything else on their loop, where their caller has
// forgotten to yield.
//
//   if (!galley::spend_budget()) co_await galley::yield();   // then complete at once
//
// Thread-safety: each thread has its own.

namespace galley {

/// What one handler may spend before it has to yield: at 50 ns an operation, 6 us.
inline constexpr int kBudget = 128;

/// An operation that is about to complete at once spends one. False: it is used up, and the operation should yield
/// first. The loop gives each handler, and each coroutine that it resumes, the whole of it again. Always true on a
/// thread that runs no Loop.
[[nodiscard]] bool spend_budget() noexcept;

/// The handler that runs now has done so for half a millisecond: a good moment to yield. For loops whose steps take a
/// nanosecond or a second, nobody knows; costs about as much as reading a clock. Always false on a thread that runs no
/// Loop.
[[nodiscard]] bool need_yield() noexcept;

}  // namespace galley
