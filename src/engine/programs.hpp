#pragma once
// Which commands this worker may run. Decided once, when the worker starts, from what its operator said; what is in
// a store can only choose among it.
//
// Thread-safety: immutable after resolve().

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/process.hpp"
#include "galley/error.hpp"
#include "galley/queue.hpp"

namespace galley::engine {

class AllowedPrograms {
 public:
  /// Allows nothing.
  AllowedPrograms() = default;

  /// `listed` are names, looked up on `path_variable` now, or absolute paths. Empty and relative entries of the PATH
  /// are skipped: a file that somebody put into the working directory is never what the operator meant.
  /// Errors: InvalidInput naming the program that is not there or not executable.
  [[nodiscard]] static Result<AllowedPrograms> resolve(bool any, const std::vector<std::string>& listed,
                                                       std::string_view path_variable);

  [[nodiscard]] bool any() const noexcept { return any_; }
  [[nodiscard]] bool none() const noexcept { return !any_ && listed_.empty(); }

  /// The texts of argv[0] to name in a claim: of each listed program the name as given, its absolute path, and its
  /// base name where the PATH leads from there to the same file. Empty when any program is allowed.
  [[nodiscard]] std::vector<std::string> claimable() const;

  /// The absolute path to execute. Without any(): what the name meant when the worker started. With any(): a name is
  /// looked up on the PATH of the start, an absolute path is taken as it is, a relative one is taken from the job's
  /// cwd. Errors: NotAllowed naming the program; NotFound when any is allowed and the PATH has none.
  [[nodiscard]] Result<std::string> executable_for(const Command& command) const;

  /// All that Process::start needs. Errors: as executable_for.
  [[nodiscard]] Result<ProcessSpec> spec_for(Command command) const;

 private:
  bool any_ = false;
  std::vector<std::string> folders_;           ///< the absolute entries of PATH at the start
  std::string path_;                           ///< the same as a variable, which commands get
  std::map<std::string, std::string> listed_;  ///< text of argv[0] -> absolute path
};

}  // namespace galley::engine
