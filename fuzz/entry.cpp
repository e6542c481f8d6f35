// libFuzzer's way in. `galley_fuzz --target=NAME ...` runs one target; libFuzzer leaves alone what begins with "--".

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/targets.hpp"

namespace {

/// Chosen once, before the first input: libFuzzer hands nothing through to where the inputs come in.
const galley::fuzz::Target*& chosen() noexcept {
  static const galley::fuzz::Target* target = nullptr;
  return target;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(kOption)) continue;
    for (const galley::fuzz::Target& target : galley::fuzz::targets()) {
      if (target.name == argument.substr(kOption.size())) chosen() = &target;
    }
  }
  if (chosen() != nullptr) return 0;
  std::fputs("galley_fuzz: --target=NAME is missing or unknown; known are", stderr);
  for (const galley::fuzz::Target& target : galley::fuzz::targets()) std::fprintf(stderr, " %s", target.name);
  std::fputs("\n", stderr);
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen()->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
