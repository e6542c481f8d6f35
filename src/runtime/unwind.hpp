#pragma once
// The addresses of the functions that a thread is in. Nothing is allocated and no lock is taken (glibc finds unwind
// tables without one), so a signal handler may ask too, but for one moment: while an exception unwinds the stack, what
// it looks like in between is known to nobody. Ask std::uncaught_exceptions() first.
//
// Thread-safety: each thread for itself.

#include <array>
#include <cstdint>
#include <span>

namespace galley::runtime {

inline constexpr int kMaxFrames = 64;  ///< of a stack; what is further out is left out

/// Addresses inside the calling instructions, so that they can be looked up as they are.
struct RawStack {
  std::array<std::uintptr_t, kMaxFrames> pcs;
  int count = 0;

  [[nodiscard]] std::span<const std::uintptr_t> frames() const noexcept {
    return {pcs.data(), static_cast<std::size_t>(count)};
  }
};

/// The stack of this thread. In a signal handler it begins with what the signal has interrupted; elsewhere the first
/// frames may be the unwinder's own.
void unwind(RawStack& stack, int most = kMaxFrames) noexcept;

}  // namespace galley::runtime
