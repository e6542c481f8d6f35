#include "runtime/symbols.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#ifdef GALLEY_BACKTRACE
#include <backtrace.h>
#endif

namespace galley::runtime {

namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// g++ names the body of a coroutine "f(f(int)::_Z1fi.Frame*) [clone .actor]": the true name stands before ".Frame".
std::string coroutine_of(const std::string& mangled) {
  const std::size_t frame = mangled.rfind(".Frame");
  if (frame == mangled.npos) return {};
  for (std::size_t at = mangled.rfind("_Z", frame); at != mangled.npos && at > 0; at = mangled.rfind("_Z", at - 1)) {
    const std::string inner = mangled.substr(at, frame - at);
    const std::string name = demangled(inner.c_str());
    if (name != inner) return name;
  }
  return {};
}

std::string name_of(const char* symbol) {
  const std::string mangled = symbol;
  if (mangled.find(".Frame.actor") != mangled.npos) {  // also its ".actor.cold"
    if (const std::string name = coroutine_of(mangled); !name.empty()) return readable(name + " [coroutine]");
  }
  return readable(demangled(symbol));
}

void add_module(StackFrame& frame, std::uintptr_t pc) {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(pc), &info) == 0) return;
  if (info.dli_fname != nullptr) frame.module = info.dli_fname;
  frame.offset = pc - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  if (frame.function.empty() && info.dli_sname != nullptr) frame.function = name_of(info.dli_sname);
}

#ifdef GALLEY_BACKTRACE

void on_error(void*, const char*, int) {}  // it is only without names then

/// It cannot be freed, and is meant to be there once.
backtrace_state* state() {
  static backtrace_state* const made = backtrace_create_state(nullptr, 1, &on_error, nullptr);
  return made;
}

int on_line(void* data, std::uintptr_t, const char* file, int line, const char* function) {
  StackFrame frame;
  if (function != nullptr) frame.function = name_of(function);
  if (file != nullptr) frame.file = file;
  frame.line = line;
  static_cast<Stack*>(data)->push_back(std::move(frame));
  return 0;
}

void on_symbol(void* data, std::uintptr_t, const char* symbol, std::uintptr_t, std::uintptr_t) {
  if (symbol != nullptr) *static_cast<std::string*>(data) = name_of(symbol);
}

void add_frames(Stack& stack, std::uintptr_t pc) {
  const std::size_t before = stack.size();
  backtrace_state* const its = state();
  if (its != nullptr) backtrace_pcinfo(its, pc, &on_line, &on_error, &stack);
  if (stack.size() == before) stack.emplace_back();
  // The last is the function that was really called, the others are inlined into it. Its symbol says more than the
  // debug information, which has the bare name.
  std::string symbol;
  if (its != nullptr) backtrace_syminfo(its, pc, &on_symbol, &on_error, &symbol);
  if (!symbol.empty()) stack.back().function = std::move(symbol);
  for (std::size_t at = before; at < stack.size(); ++at) add_module(stack[at], pc);
}

#else

void add_frames(Stack& stack, std::uintptr_t pc) {
  stack.emplace_back();
  add_module(stack.back(), pc);
}

#endif

}  // namespace

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? std::string(text.get()) : std::string(name);
}

std::string readable(std::string function) {
  replace_all(function, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
              "std::string");
  replace_all(function, "std::basic_string_view<char, std::char_traits<char> >", "std::string_view");
  replace_all(function, "(anonymous namespace)::", "");
  replace_all(function, " [clone .resume]", " [coroutine]");  // clang's name for it
  for (std::size_t at = function.find(" [clone ."); at != function.npos; at = function.find(" [clone .")) {
    const std::size_t end = function.find(']', at);
    function.erase(at, end == function.npos ? function.npos : end + 1 - at);
  }
  return function;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Stack symbolise(std::span<const std::uintptr_t> pcs) {
  Stack stack;
  stack.reserve(pcs.size());
  for (const std::uintptr_t pc : pcs) add_frames(stack, pc);
  return stack;
}

std::uint64_t hash_of(const Stack& stack) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  const auto mix = [&hash](const char* bytes, std::size_t size) {
    for (std::size_t at = 0; at < size; ++at) hash = (hash ^ static_cast<unsigned char>(bytes[at])) * 0x100000001b3;
  };
  for (const StackFrame& frame : stack) {
    if (frame.function.empty()) {
      mix(reinterpret_cast<const char*>(&frame.offset), sizeof frame.offset);
    } else {
      mix(frame.function.data(), frame.function.size() + 1);  // with its end: "ab", "c" is not "a", "bc"
    }
  }
  return hash;
}

}  // namespace galley::runtime

namespace galley {

std::string to_text(const StackFrame& frame) {
  if (frame.function.empty() && frame.line == 0) {
    char offset[32];
    std::snprintf(offset, sizeof offset, "(+0x%zx)", static_cast<std::size_t>(frame.offset));
    return (frame.module.empty() ? "?" : runtime::file_name(frame.module)) + offset;
  }
  std::string text = frame.function.empty() ? "?" : frame.function;
  if (frame.line > 0) text += " (" + runtime::file_name(frame.file) + ":" + std::to_string(frame.line) + ")";
  return text;
}

namespace {
/// What stands between two functions of a program: Asio, and the templates of the standard library.
bool is_plumbing(const StackFrame& frame) {
  return frame.file.find("/boost/asio/") != std::string::npos || frame.file.find("/include/c++/") != std::string::npos;
}
}  // namespace

std::string to_text(const Stack& stack) {
  std::string text;
  for (auto frame = stack.begin(); frame != stack.end();) {
    const auto end = frame == stack.begin() ? frame : std::find_if_not(frame, stack.end(), &is_plumbing);
    if (end - frame > 1) {
      text += "  ... " + std::to_string(end - frame) + " frames of libraries\n";
      frame = end;
    } else {
      text += "  at " + to_text(*frame++) + "\n";
    }
  }
  return text;
}

}  // namespace galley
