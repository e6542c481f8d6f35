#pragma once
// What the library's split and the program's `galley split` have in common: parts as jobs of one batch and one key,
// and a join that waits for them.
//
// Thread-safety: one thread a split.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "galley/split.hpp"
#include "job/job.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// The header by which a join knows what it joins.
inline constexpr std::string_view kBatchHeader = "galley-batch";

struct SplitPlan {
  std::string name;   ///< of the batch
  std::string token;  ///< of the whole; empty: none
  std::string key;    ///< empty: one of its own
  std::int64_t parts = 0;
  std::function<Result<job::NewJob>(std::int64_t index)> part;
  std::function<Result<job::NewJob>(BatchId batch)> join;  ///< empty: none
  Duration wait_for_room{0};
};

/// See Split::enqueue.
[[nodiscard]] Result<SplitAnswer> enqueue_split(const StorePtr& store, const SplitPlan& plan);

/// The parts [begin, end) of a file that exists. Errors: NotFound, Io, InvalidInput (too many).
[[nodiscard]] Result<std::vector<FilePart>> split_by_lines(const std::string& path, std::int64_t lines);
[[nodiscard]] Result<std::vector<FilePart>> split_by_bytes(const std::string& path, std::int64_t bytes);

}  // namespace galley::engine
