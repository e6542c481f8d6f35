#pragma once
// What describe() knows of throw sites, whether they are recorded or not. The recorder itself (throw_sites.cpp) is
// linked into programs that name it, and no others.
//
// Thread-safety: any thread.

#include <atomic>
#include <cstdint>
#include <span>

namespace galley::runtime {

/// The addresses at the throw of this exception, which must live meanwhile; empty where none are known.
using FindThrow = std::span<const std::uintptr_t> (*)(const void* object) noexcept;

/// Set by the recorder at the first throw; null before.
extern std::atomic<FindThrow> find_throw;

}  // namespace galley::runtime
