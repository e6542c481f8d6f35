// galley_docs DIR: writes DIR/man/*.1 and DIR/galley.bash, from the table that --help is printed from. Runs when Galley
// is built, and is not installed.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "base/clock.hpp"
#include "cli/context.hpp"
#include "cli/run.hpp"
#include "galley_docs/command_table.hpp"
#include "galley_docs/completion.hpp"
#include "galley_docs/man_page.hpp"

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file << text;
  file.close();
}

void write_all(const std::filesystem::path& folder) {
  const galley::base::SystemClock clock;
  galley::cli::Context context{clock, galley::cli::Output(STDOUT_FILENO), galley::cli::Output(STDERR_FILENO), {}, {},
                               {}};
  const auto app = galley::cli::make_app(context);
  const galley::docs::CommandRow program = galley::docs::command_table(*app);
  const auto pages = folder / "man";
  std::filesystem::create_directories(pages);
  write(pages / (galley::docs::page_name(program) + ".1"), galley::docs::program_page(program));
  for (const galley::docs::CommandRow& command : program.commands) {
    write(pages / (galley::docs::page_name(command) + ".1"), galley::docs::command_page(command));
  }
  write(folder / "galley.bash", galley::docs::bash_completion(program));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: galley_docs DIR\n", stderr);
    return 2;
  }
  try {
    write_all(argv[1]);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "galley_docs: %s\n", fault.what());
    return 1;
  }
  return 0;
}
