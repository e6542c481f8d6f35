#pragma once
// Putting jobs into a queue.
//
//   galley::Queue fast{store, "fast"};
//   fast.enqueue("thumbnail", Thumbnail{"cat.png"}, galley::timeout(30s)).value();
//
// Thread-safety: a Queue may be used from any thread; concurrent enqueues are merged into one transaction.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/receipt.hpp"
#include "galley/store.hpp"

namespace galley {

/// A part of a file, by offset: bytes [begin, end) of `path`, which is absolute. The bytes are read when a job runs, so
/// that the file must still be there, with the same content.
struct FilePart {
  std::string path;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// A program to run as a job, without a shell. argv[0] is looked up by the worker, on the PATH it was started with;
/// a relative argv[0] with a slash is relative to `cwd`. The worker must allow it.
struct Command {
  std::vector<std::string> argv;  ///< at least one, none with NUL
  std::string input;              ///< its standard input
  std::string cwd;                ///< absolute; empty: the worker's
  /// These variables and no others, but PATH, what tells of the attempt (GALLEY_JOB, GALLEY_ATTEMPT, GALLEY_EPOCH,
  /// GALLEY_QUEUE, GALLEY_KIND, GALLEY_KEY), and TRACEPARENT and TRACESTATE from headers of these names. Of a resumable
  /// job also GALLEY_CHECKPOINT: a file that holds the last checkpoint, and whose content is the next one.
  std::vector<std::pair<std::string, std::string>> env;
  /// Its standard input instead of `input`: a part of a file of the worker's machine. Empty path: none.
  FilePart input_part{};
  /// Its standard input instead of `input`: what the jobs of this batch gave, in the order of their ids. 0: none.
  BatchId input_batch = 0;
  /// Its standard output is its result, whole: more than 64 KiB fails the attempt. False: no result; the last 16 KiB
  /// are shown with the attempt.
  bool keep_output = false;
  /// Its standard output goes into this file (absolute), which is there, whole, once the command has ended well.
  std::string output_file{};
};

/// A payload and its options, for enqueue_all.
struct Item {
  std::string payload;
  JobOptions options;
};

class Queue {
 public:
  /// Throws Exception (InvalidInput) on a bad name: 1..128 of letters, digits, '.', '_', '-'.
  Queue(StorePtr store, std::string name);

  /// One job with typed arguments. Returns after it is durable. With wait_for_room(10s) it blocks while its queue or
  /// the store is full, and tries again when others have made room; waiting callers have no order among each other.
  /// Errors: InvalidInput, QueueFull, Conflict, NotFound and WrongState (its batch is not there, or takes no more),
  /// Unavailable, ..., and those of middleware.
  template <class Args, class... Set>
  [[nodiscard]] Receipt enqueue(std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    JobOptions options;
    (set.set(options), ...);
    return enqueue_json(kind, Codec<Args>::encode(args), options);
  }

  /// Many jobs of one kind in as few transactions as the batch limits allow; the ids in the items' order. An invalid
  /// item: nothing is sent. An item that the store refuses (QueueFull, Conflict) holds up no other: the error has the
  /// code and the reason of the first one, its index, and how many were refused; all others are in. Items that may wait
  /// for room do so after all others were sent, in their order, those that found room at once being in by then. After
  /// an error that leaves some jobs in, Error::written is Unknown: tokens make a repetition harmless.
  template <class Args, class... Set>
  [[nodiscard]] Result<std::vector<JobId>> enqueue_all(std::string_view kind, std::span<const Args> many,
                                                       const JobOption<Set>&... set) {
    JobOptions options;
    (set.set(options), ...);
    std::vector<Item> items;
    items.reserve(many.size());
    for (const Args& args : many) items.push_back({Codec<Args>::encode(args), options});
    return enqueue_json_all(kind, std::move(items));
  }

  /// The payload is JSON text already (checked), or any bytes.
  [[nodiscard]] Receipt enqueue_json(std::string_view kind, std::string json, const JobOptions& options = {});
  [[nodiscard]] Receipt enqueue_bytes(std::string_view kind, std::string bytes, const JobOptions& options = {});
  [[nodiscard]] Result<std::vector<JobId>> enqueue_json_all(std::string_view kind, std::vector<Item> items);

  /// A command job; `kind` empty: the base name of argv[0].
  [[nodiscard]] Receipt enqueue_command(const Command& command, std::string_view kind = {},
                                        const JobOptions& options = {});

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const StorePtr& store() const noexcept { return store_; }

 private:
  StorePtr store_;
  std::string name_;
};

}  // namespace galley
