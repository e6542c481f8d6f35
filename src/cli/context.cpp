#include "cli/context.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <filesystem>

#include "cli/text.hpp"
#include "open/url.hpp"

namespace galley::cli {

void Context::complain(std::string_view sentence) {
  err.line("galley: " + to_terminal(sentence));
  static_cast<void>(err.flush());  // nobody is left to tell about a standard error that cannot be written
}

void Context::complain(const Error& error) { complain(error.message + " [" + std::string(name(error.code)) + "]"); }

Result<Settings> Context::settings() const {
  const char* store = std::getenv("GALLEY_STORE");
  return resolve_settings(flags, store == nullptr ? "" : store);
}

Result<StorePtr> Context::open(const Settings& settings, bool create) {
  const std::string& url = *settings.store;
  const auto parsed = open::store_url_from(url);
  if (!parsed) return parsed.error();
  if (parsed->memory) {
    return usage_error("the store 'memory:' lives in one process and is gone with it; the program needs sqlite:PATH");
  }
  std::error_code fault;
  if (!create && std::filesystem::status(parsed->sqlite.path, fault).type() == std::filesystem::file_type::not_found) {
    return Error{Errc::NotFound, "there is no store at '" + parsed->sqlite.path +
                                     "'; enqueue and work create one, --store names another"};
  }
  return open_store(url);
}

Result<StorePtr> Context::open_existing() {
  const auto resolved = settings();
  if (!resolved) return resolved.error();
  return open(*resolved, false);
}

void add_store_option(CLI::App& app, Context& context) {
  app.add_option(
         "--store", context.flags.store,
         "Where jobs are kept: sqlite:PATH[?durability=full|normal&busy_timeout=30s&adopt=1&force_network_fs=1] "
         "(default sqlite:galley.db; also GALLEY_STORE and galley.toml)")
      ->type_name("URL");
}

Error usage_error(std::string message) { return {Errc::InvalidInput, std::move(message)}; }

}  // namespace galley::cli
