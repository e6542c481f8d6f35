#include "engine/programs.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/text.hpp"

namespace galley::engine {
namespace {

namespace fs = std::filesystem;

bool is_executable(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

std::vector<std::string> absolute_folders(std::string_view path_variable) {
  std::vector<std::string> folders;
  while (!path_variable.empty()) {
    const std::size_t end = std::min(path_variable.find(':'), path_variable.size());
    if (path_variable.starts_with('/')) folders.emplace_back(path_variable.substr(0, end));
    path_variable.remove_prefix(std::min(end + 1, path_variable.size()));
  }
  return folders;
}

std::optional<std::string> look_up(const std::vector<std::string>& folders, const std::string& name) {
  for (const std::string& folder : folders) {
    std::string path = folder.ends_with('/') ? folder + name : folder + "/" + name;
    if (is_executable(path)) return path;
  }
  return std::nullopt;
}

Error not_there(const std::string& name, const std::string& why) {
  return {Errc::InvalidInput, "allowed command " + base::quoted(name) + ": " + why};
}

}  // namespace

Result<AllowedPrograms> AllowedPrograms::resolve(bool any, const std::vector<std::string>& listed,
                                                 std::string_view path_variable) {
  AllowedPrograms allowed;
  allowed.any_ = any;
  allowed.folders_ = absolute_folders(path_variable);
  for (const std::string& folder : allowed.folders_) allowed.path_ += (allowed.path_.empty() ? "" : ":") + folder;
  for (const std::string& name : listed) {
    if (name.empty() || name.find('\0') != std::string::npos) return not_there(name, "it must be a name or a path");
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) {
      const auto path = look_up(allowed.folders_, name);
      if (!path) return not_there(name, "no executable file of this name in an absolute folder of PATH");
      allowed.listed_.emplace(name, *path);
      allowed.listed_.emplace(*path, *path);
      continue;
    }
    if (name[0] != '/') return not_there(name, "a path must be absolute");
    if (!is_executable(name)) return not_there(name, "there is no executable file");
    allowed.listed_.emplace(name, name);
    const std::string base = name.substr(slash + 1);
    const auto path = look_up(allowed.folders_, base);
    std::error_code ignored;
    if (path && fs::equivalent(*path, name, ignored)) allowed.listed_.emplace(base, name);
  }
  return allowed;
}

std::vector<std::string> AllowedPrograms::claimable() const {
  std::vector<std::string> names;
  if (any_) return names;
  for (const auto& [name, path] : listed_) names.push_back(name);
  return names;
}

Result<std::string> AllowedPrograms::executable_for(const Command& command) const {
  const std::string name = command.argv.empty() ? std::string() : command.argv[0];
  if (const auto found = listed_.find(name); found != listed_.end()) return found->second;
  if (!any_ || name.empty()) {
    return Error{Errc::NotAllowed, "this worker is not allowed to run " + base::quoted(name)};
  }
  if (name[0] == '/') return name;
  if (name.find('/') != std::string::npos) {
    if (!command.cwd.empty()) return command.cwd + "/" + name;
    std::error_code error;
    const fs::path here = fs::current_path(error);
    if (error) return Error{Errc::NotFound, base::quoted(name) + ": no working directory: " + error.message()};
    return (here / name).string();
  }
  if (auto path = look_up(folders_, name)) return *std::move(path);
  return Error{Errc::NotFound, "no program " + base::quoted(name) + " on the PATH that this worker was started with"};
}

Result<ProcessSpec> AllowedPrograms::spec_for(Command command) const {
  auto executable = executable_for(command);
  if (!executable) return executable.error();
  ProcessSpec spec;
  spec.executable = *std::move(executable);
  spec.command = std::move(command);
  spec.path = path_;
  return spec;
}

}  // namespace galley::engine
