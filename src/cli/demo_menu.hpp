#pragma once
// What the demo cooks: real files of this machine, compressed with zlib, and compared with the real gzip's output.

#include <boost/describe/class.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/worker.hpp"

namespace galley::cli::demo {

/// One order: these files, compressed one after another into `output`.
struct Meal {
  std::vector<std::string> files;
  std::string output;
};
BOOST_DESCRIBE_STRUCT(Meal, (), (files, output))

struct Menu {
  std::vector<std::vector<std::string>> burgers;  ///< each a set of files of several megabytes
  std::vector<std::string> drinks;                ///< each one small file
};

/// Finds files under /usr and picks the same ones on every run on the same machine.
/// Errors: NotFound, if the machine has too few readable files.
[[nodiscard]] Result<Menu> find_menu(std::size_t burgers, std::size_t drinks);

/// The handler: writes `output`. Gives way between files when it is asked to stop.
[[nodiscard]] Outcome cook(Attempt& attempt, const Meal& meal);

/// Runs the real `gzip -dc` on the meal's output and compares every byte with the files it was made of.
/// Errors: Io, naming the file and the first wrong byte.
[[nodiscard]] Result<void> taste(const Meal& meal);

}  // namespace galley::cli::demo
