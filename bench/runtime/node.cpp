// Node and its packages, in processes of their own; and what all rows need.

#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// What a command of the shell writes to its standard output; throws when it fails.
std::string output_of(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("cannot start " + command);
  std::string text;
  char piece[4'096];
  while (const std::size_t count = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, count);
  if (pclose(pipe) != 0) throw std::runtime_error(command + " has failed");
  return text;
}

bool has_node() {
  static const bool has = std::system("node --version >/dev/null 2>&1") == 0;  // NOLINT(concurrency-mt-unsafe)
  return has;
}

}  // namespace

void add_node(std::vector<Entrant>& entrants, const Options& options, const std::string& who, const std::string& words,
              const std::string& package) {
  const auto modules = std::filesystem::absolute(options.modules);
  if (!has_node() || (!package.empty() && !std::filesystem::exists(modules / "node_modules" / package))) {
    std::cerr << "going on without " << who << ": there is no " << (has_node() ? package : "node") << "\n";
    return;
  }
  const std::string command = "MODULES=" + quoted(modules.string()) + " node " +
                              quoted(std::string(GALLEY_BENCH_DIR) + "/peers.mjs") + " " + words;
  entrants.push_back({who, [command] {
                        std::istringstream text(output_of(command));
                        std::vector<double> values;
                        for (double value = 0; text >> value;) values.push_back(value);
                        return values;
                      }});
}

double quantile(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace bench::runtime
