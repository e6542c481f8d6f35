#pragma once
// The files that a command reads from and writes to, where they are not its payload's own text.
//
// Thread-safety: one thread a command.

#include <string>

#include "engine/process.hpp"
#include "galley/error.hpp"
#include "galley/queue.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// Of a command with input_part or input_batch: its standard input, a file in memory; else none (-1). `store` is what
/// batches are looked up in; nullptr: they are refused. Errors: NotFound (the file, the batch, or results that are not
/// kept any more), WrongState (not all of them have completed), InvalidInput (the file has changed, or it is more than
/// limits::kMaxInputBytes), Io, and the store's.
[[nodiscard]] Result<Fd> open_input(const Command& command, store::Store* store);

/// Of a command with an output_file: written under another name until it has ended well.
class OutputFile {
 public:
  /// Errors: Io.
  [[nodiscard]] static Result<OutputFile> open(const std::string& path);
  OutputFile() = default;
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = default;
  /// Removes what was not kept.
  ~OutputFile();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// It stands under its name, whole. Errors: Io, also where another attempt of the same job has begun to write it.
  [[nodiscard]] Result<void> keep();

 private:
  [[nodiscard]] bool is_ours() const;

  Fd fd_;
  std::string path_;
};

/// The whole of a part, at most limits::kMaxInputBytes. Errors: NotFound, InvalidInput (it has changed), Io.
[[nodiscard]] Result<Fd> open_part(const FilePart& part);

}  // namespace galley::engine
