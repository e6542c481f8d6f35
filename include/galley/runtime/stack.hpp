#pragma once
// A stack of functions as a person reads it.
//
// Thread-safety: plain values.

#include <cstdint>
#include <string>
#include <vector>

namespace galley {

/// One function of a stack. What is not known is empty: without debug information (-g1 is enough) there is no file and
/// no line, without a symbol no function; module and offset are always there, for addr2line.
struct StackFrame {
  std::string function;       ///< "shrink(Image&)"; that of a coroutine has "[coroutine]" behind its name
  std::string file;           ///< as the compiler was given it
  int line = 0;               ///< 0: not known
  std::string module;         ///< the program or the shared library
  std::uintptr_t offset = 0;  ///< in the module
};

using Stack = std::vector<StackFrame>;  ///< innermost first, with inlined functions as frames of their own

/// "shrink(Image&) (image.cpp:88)", or "module(+0x12ab)" where nothing better is known.
[[nodiscard]] std::string to_text(const StackFrame& frame);

/// A line for each frame: "  at shrink(Image&) (image.cpp:88)"; one for several of Asio or the standard library, unless
/// they are the innermost.
[[nodiscard]] std::string to_text(const Stack& stack);

}  // namespace galley
