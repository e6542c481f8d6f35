#pragma once
// How a command saves checkpoints: in a file of its own, whose path it is told (GALLEY_CHECKPOINT). The file holds what
// an earlier attempt has saved; the worker reads it at each renewal and when the command has ended.
//
// Thread-safety: read() from any thread.

#include <optional>
#include <string>

#include "galley/error.hpp"

namespace galley::engine {

class CheckpointFile {
 public:
  /// In a new directory below $TMPDIR or /tmp, which only this user sees and in which the command may write a new file
  /// before it renames it. Errors: Io.
  [[nodiscard]] static Result<CheckpointFile> make(const std::string& content);
  CheckpointFile() = default;
  CheckpointFile(CheckpointFile&& other) noexcept;
  CheckpointFile& operator=(CheckpointFile&& other) noexcept;
  /// Removes the directory.
  ~CheckpointFile();

  [[nodiscard]] std::string path() const { return folder_ + "/checkpoint"; }
  /// At most limits::kMaxCheckpointBytes + 1 of it, so that more is seen as too much; nothing: it is not there, or
  /// empty.
  [[nodiscard]] std::optional<std::string> read() const;

 private:
  std::string folder_;
};

}  // namespace galley::engine
