#pragma once
// Dividing a big job into many small ones, and joining what they give, in order.
//
//   galley::split(fast, "resize", galley::chunks(images, 100), galley::token("album-7"))
//       .join(slow, "publish", Album{"holidays"}).enqueue().value();
//
//   worker.handle<std::vector<Image>>("resize", [](galley::Attempt& attempt, const std::vector<Image>& some) {
//     attempt.result(resize(some)).value();
//   });
//   worker.handle<Album>("publish", [&](galley::Attempt& attempt, const Album& album) {
//     galley::Results parts = galley::results(store, attempt);
//     while (auto part = parts.next().value()) publish(album, part->result);
//   });
//
// What is divided is a list (chunks), a range of integers (ranges), or a file (file_lines, file_bytes), whose children
// get offsets and no copies. Each part is one job; all of them are jobs of one batch, and of one lane: their key is one
// of their own, so that they share with others as one tenant does, however many they are. The join waits for the
// success of the batch: while a part is dead, the join stands blocked; a person retries the part, and it goes on.
//
// With a token, repeating the same split adds nothing that is there already, so that a program which was killed in the
// middle of it is just started again.
//
// Thread-safety: a Split, Results and Lines are used from one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "galley/payload.hpp"
#include "galley/queue.hpp"
#include "galley/worker.hpp"

namespace galley {

/// The integers of [begin, end): what a child of ranges() gets. galley::range(part.begin, part.end) goes through them.
struct RangePart {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
BOOST_DESCRIBE_STRUCT(RangePart, (), (begin, end))
BOOST_DESCRIBE_STRUCT(FilePart, (), (path, begin, end))

/// What is divided: how many parts, and the payload of each. At most 100,000 parts. What is wrong with them is told by
/// Split::enqueue.
struct Parts {
  Result<std::int64_t> count = std::int64_t{0};
  std::function<std::string(std::int64_t index)> payload;
};

/// Of integers, `size` a part (from 1); children are handled as RangePart.
[[nodiscard]] Parts ranges(std::int64_t first, std::int64_t last, std::int64_t size);
/// Of a file, `lines` whole lines a part (from 1); children are handled as FilePart. It is read once now, and by each
/// child where its part is. Errors: NotFound, Io.
[[nodiscard]] Parts file_lines(const std::string& path, std::int64_t lines);
/// Of a file, `bytes` a part (from 1) and what is missing to the end of the line. Only the places of division are
/// read now.
[[nodiscard]] Parts file_bytes(const std::string& path, std::int64_t bytes);

namespace split_detail {
/// How many parts of `size` there are in `all`. Errors: InvalidInput.
[[nodiscard]] Result<std::int64_t> count(std::int64_t all, std::int64_t size);
}  // namespace split_detail

/// Of a list, `size` items a part (from 1); children are handled as std::vector<T>. The list is kept until enqueue().
template <class T>
[[nodiscard]] Parts chunks(std::vector<T> items, std::int64_t size) {
  Parts parts;
  parts.count = split_detail::count(static_cast<std::int64_t>(items.size()), size);
  parts.payload = [items = std::move(items), size](std::int64_t index) {
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(index * size);
    const auto left = static_cast<std::int64_t>(items.end() - begin);
    return Codec<std::vector<T>>::encode({begin, begin + static_cast<std::ptrdiff_t>(left < size ? left : size)});
  };
  return parts;
}

/// What has become of a split.
struct SplitAnswer {
  BatchId batch = 0;
  JobId join = 0;  ///< 0: it has none
  std::int64_t parts = 0;
};

class Split {
 public:
  Split(const Queue& queue, std::string_view kind, Parts parts, JobOptions options);
  ~Split();
  Split(Split&&) noexcept;
  Split& operator=(Split&&) noexcept;

  /// The job that runs when all parts have completed; one. galley::results(store, attempt) has what they gave.
  template <class Args, class... Set>
  Split& join(const Queue& queue, std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    JobOptions options;
    (set.set(options), ...);
    return join_json(queue, kind, Codec<Args>::encode(args), options);
  }
  Split& join_json(const Queue& queue, std::string_view kind, std::string json, const JobOptions& options = {});

  /// Returns when all of it is durable. Parts run from the first transaction on, of 1,000 jobs or 8 MiB. Errors:
  /// InvalidInput, before anything is written; those of what is divided; QueueFull and the store's: without a token
  /// what was written is cancelled, with one it stays, and a repetition goes on from there.
  [[nodiscard]] Result<SplitAnswer> enqueue();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `parts` as jobs of `queue`, with options as for Queue::enqueue: the token (at most 48 bytes) is that of the whole
/// split, and the key, where none is given, one of its own.
template <class... Set>
[[nodiscard]] Split split(const Queue& queue, std::string_view kind, Parts parts, const JobOption<Set>&... set) {
  JobOptions options;
  (set.set(options), ...);
  return Split(queue, kind, std::move(parts), std::move(options));
}

/// What the jobs of a batch gave, in the order of their ids, which is that of the parts. Read page by page.
class Results {
 public:
  Results(StorePtr store, BatchId batch);

  /// The next one, which has completed; nothing: that was the last. Errors: WrongState (a job of it has not completed),
  /// NotFound (no such batch, or some of its jobs are not kept any more: nothing is left out silently), the store's.
  [[nodiscard]] Result<std::optional<JobResult>> next();

 private:
  struct State;
  std::shared_ptr<State> state_;
};
[[nodiscard]] Results results(StorePtr store, BatchId batch);
/// In a join's handler: those of the parts that it joins. Of another job: of no batch, so that next() says NotFound.
[[nodiscard]] Results results(StorePtr store, const Attempt& attempt);

/// The lines of a part of a file, or of all of it, without their line ends; a source for galley::resume, too, that goes
/// on behind the last line which was done. Reads 64 KiB at a time, and what a long line takes.
/// Throws Exception: NotFound, Io, InvalidInput (the file has changed: it is too short, or no line begins at the part).
class Lines {
 public:
  using Cursor = std::int64_t;
  explicit Lines(FilePart part);
  explicit Lines(const std::string& path);

  /// Valid until the next call. A line that begins in the part is whole, also where it ends behind it.
  [[nodiscard]] std::optional<std::string_view> next();
  /// The offset in the file of the line that next() gives.
  [[nodiscard]] std::optional<Cursor> cursor() const noexcept;
  [[nodiscard]] Result<void> seek(Cursor to);
  [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return std::nullopt; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// All bytes of a part, at most 256 MiB. Errors: NotFound, InvalidInput (the file has become too short, or the part is
/// too large), Io.
[[nodiscard]] Result<std::string> read_part(const FilePart& part);

}  // namespace galley
