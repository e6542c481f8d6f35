#pragma once
// GALLEY_ASSERT(condition): a broken invariant is a bug of ours; it prints where and aborts, in every build.
// Never reachable from a user's input.

namespace galley::base {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;
}

#define GALLEY_ASSERT(condition) \
  ((condition) ? void(0) : ::galley::base::assertion_failed(#condition, __FILE__, __LINE__))
