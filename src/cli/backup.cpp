// galley backup: a consistent copy of the store, while others work.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

Result<int> backup(Context& context, const std::string& file) {
  auto store = context.open_existing();
  if (!store) return store.error();
  if (const auto done = (*store)->backup(file); !done) return done.error();
  context.out.line("copied to " + to_terminal(file));
  return kExitOk;
}

}  // namespace

void add_backup(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("backup", "Copy the store into a new file, while others work");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "The new file; it must not exist")->required();
  add_store_option(*command, context);
  command->footer(
      "The copy is a store of its own. Jobs that run now are claimed in it too, until their leases are over.\n"
      "Example: galley backup galley-monday.db");
  command->callback([&context, file] { context.action = [&context, file] { return backup(context, *file); }; });
}

}  // namespace galley::cli
