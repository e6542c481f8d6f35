#pragma once
// Where an exception was thrown, for describe() and whatever reports errors: the stack at the throw, which is gone when
// the exception is caught, and all the more when it is thrown again elsewhere.
//
//   #include <galley/runtime/throw_sites.hpp>
//   GALLEY_RECORD_THROW_SITES   // once in a program, in one .cpp, outside of namespaces
//
// Without that line nothing is recorded and no throw costs more. With it the program has a __cxa_throw of its own,
// which every throw goes through, also those in shared libraries: it notes up to 32 addresses, about a microsecond for
// each, and goes on to the one of the C++ runtime. What is remembered dies with the exception. At most 1,024 exceptions
// that live at the same time are remembered (300 KB); those beyond have no throw site.
//
// Exceptions that were never thrown, as std::make_exception_ptr makes them, have none. Not for programs that link the
// C++ runtime statically (-static-libstdc++): theirs would be there twice.

#include <typeinfo>

namespace galley::runtime {
[[noreturn]] void record_throw(void* object, std::type_info* type, void (*destroy)(void*));
}

// By its name for the linker: compilers have a declaration of their own of the name itself.
#define GALLEY_RECORD_THROW_SITES                                                                \
  extern "C" [[noreturn]] void galley_cxa_throw(void* object, std::type_info* type,              \
                                                void (*destroy)(void*)) __asm__("__cxa_throw");  \
  extern "C" void galley_cxa_throw(void* object, std::type_info* type, void (*destroy)(void*)) { \
    galley::runtime::record_throw(object, type, destroy);                                        \
  }
