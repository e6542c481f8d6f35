#pragma once
// From addresses to functions, files and lines.
//
// Thread-safety: any thread; not from a signal handler. The first call reads the program's debug information, which
// takes milliseconds to tenths of a second and is kept.

#include <cstdint>
#include <span>
#include <string>
#include <typeinfo>

#include "galley/runtime/stack.hpp"

namespace galley::runtime {

[[nodiscard]] Stack symbolise(std::span<const std::uintptr_t> pcs);

/// The name that a person wrote; the given one where it is none that a compiler made.
[[nodiscard]] std::string demangled(const char* name);

/// "f(f(int)::_Z1fi.Frame*) [clone .actor]" -> "f(int) [coroutine]"; other marks of the compiler are cut off.
[[nodiscard]] std::string readable(std::string function);

/// "image.cpp" of "/home/me/image.cpp".
[[nodiscard]] std::string file_name(const std::string& path);

/// A number that is the same for stacks of the same functions, whatever their lines.
[[nodiscard]] std::uint64_t hash_of(const Stack& stack) noexcept;

}  // namespace galley::runtime
