#pragma once

#include <filesystem>
#include <string>

namespace bench {

/// Where `galley` is: beside this program.
[[nodiscard]] inline std::string galley_program() {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename("galley").string();
}

}  // namespace bench
