#include "cli/settings.hpp"

#include <toml++/toml.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/text.hpp"
#include "job/order.hpp"
#include "job/validate.hpp"
#include "open/url.hpp"

namespace galley::cli {

namespace {

constexpr const char* kFile = "galley.toml";
constexpr std::size_t kMaxFault = 300;  // characters of what the TOML library says, which quotes what it has read
constexpr std::string_view kKeys = "store, queue, pools, log_level, log_format";

Error at_line(std::string_view path, const toml::source_region& source, const std::string& what) {
  return {Errc::InvalidInput, std::string(path) + ":" + std::to_string(source.begin.line) + ": " + what};
}

/// What a flag of the same meaning would be refused for.
Result<void> check(std::string_view key, const std::string& value) {
  const auto verdict = [](const auto& result) { return result ? Result<void>{} : Result<void>(result.error()); };
  if (key == "store") return verdict(open::store_url_from(value));
  if (key == "queue") return job::check_queue("queue", value);
  if (key == "pools") return verdict(job::pool_spec_from(value));
  if (key == "log_level") return verdict(base::log_level_from(value));
  return verdict(base::log_format_from(value));
}

Result<std::string> text_of(std::string_view path, std::string_view key, const toml::node& node) {
  if (const auto value = node.value_exact<std::string>()) return *value;
  return at_line(path, node.source(), "'" + std::string(key) + "' must be a text in quotes");
}

Result<std::vector<std::string>> texts_of(std::string_view path, std::string_view key, const toml::node& node) {
  const toml::array* array = node.as_array();
  const std::string wanted = "'" + std::string(key) + R"(' must be a list of texts, as ["fast=4:drinks", "slow=2"])";
  if (array == nullptr || array->empty()) return at_line(path, node.source(), wanted);
  std::vector<std::string> texts;
  for (const toml::node& item : *array) {
    const auto value = item.value_exact<std::string>();
    if (!value) return at_line(path, item.source(), wanted);
    if (auto valid = check(key, *value); !valid) return at_line(path, item.source(), valid.error().message);
    texts.push_back(*value);
  }
  return texts;
}

Result<void> set(Settings& settings, std::string_view path, const toml::key& key, const toml::node& node) {
  if (key.str() == "pools") {
    auto pools = texts_of(path, key.str(), node);
    if (!pools) return pools.error();
    settings.pools = std::move(*pools);
    return {};
  }
  std::optional<std::string>* target = nullptr;
  if (key.str() == "store") target = &settings.store;
  if (key.str() == "queue") target = &settings.queue;
  if (key.str() == "log_level") target = &settings.log_level;
  if (key.str() == "log_format") target = &settings.log_format;
  if (target == nullptr) {
    return at_line(path, key.source(),
                   "the key " + base::quoted(key.str()) + " is unknown; known are " + std::string(kKeys));
  }
  auto text = text_of(path, key.str(), node);
  if (!text) return text.error();
  if (auto valid = check(key.str(), *text); !valid) return at_line(path, node.source(), valid.error().message);
  *target = std::move(*text);
  return {};
}

Result<std::optional<std::string>> file_text() {
  std::error_code failed;
  if (std::filesystem::is_directory(kFile, failed)) {
    return Error{Errc::InvalidInput, std::string(kFile) + " is a directory; allowed is a file"};
  }
  std::ifstream file(kFile, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::optional<std::string>{};
    return Error{Errc::Io, std::string("cannot read ") + kFile + ": " + std::generic_category().message(errno)};
  }
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return Error{Errc::Io, std::string("cannot read ") + kFile};
  return std::optional(std::move(text));
}

void fill(std::optional<std::string>& value, const std::optional<std::string>& from) {
  if (!value) value = from;
}

}  // namespace

Result<Settings> settings_from_toml(std::string_view text, std::string_view path) {
  Settings settings;
  try {
    const toml::table table = toml::parse(text, path);
    for (const auto& [key, node] : table) {
      if (auto done = set(settings, path, key, node); !done) return done.error();
    }
  } catch (const toml::parse_error& fault) {
    return at_line(path, fault.source(), to_cell(fault.description(), kMaxFault));
  }
  return settings;
}

Result<Settings> resolve_settings(const Settings& flags, std::string_view environment_store) {
  Settings settings = flags;
  if (!settings.store && !environment_store.empty()) settings.store = environment_store;
  auto text = file_text();
  if (!text) return text.error();
  if (*text) {
    const auto file = settings_from_toml(**text, kFile);
    if (!file) return file.error();
    fill(settings.store, file->store);
    fill(settings.queue, file->queue);
    if (settings.pools.empty()) settings.pools = file->pools;
    fill(settings.log_level, file->log_level);
    fill(settings.log_format, file->log_format);
  }
  fill(settings.store, "sqlite:galley.db");
  fill(settings.queue, "default");
  fill(settings.log_level, "info");
  fill(settings.log_format, "text");
  return settings;
}

}  // namespace galley::cli
