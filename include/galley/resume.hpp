#pragma once
// Long jobs that go on where they stopped: a handler that goes through many items writes the body for one of them.
//
//   worker.handle<Import>("import", [](galley::Attempt& attempt, const Import& job) {
//     return galley::resume(attempt, galley::range(0, job.rows), [&](std::int64_t row) { import(job, row); });
//   });
//   queue.enqueue("import", Import{10'000}, galley::resumable(), galley::timeout(1min)).value();
//
// While it runs, the place that it has come to is saved as the job's checkpoint, several times a second. It gives way
// between two items: at its slice, at its time-out, at a shutdown, and when its queue is paused; what stands ready of
// its priority then runs first. A later attempt, on any worker, goes on behind the last checkpoint. A worker that is
// killed repeats at most the items since then: about a fifth of a second's with the defaults, and always the item
// that was under way. Bodies must therefore bear being repeated, as every job must.
//
// Progress and what is left ("1,234 of 10,000, 12 %, about 3 min left") are seen in `galley jobs show`.
//
// A source is what is gone through. It gives the same items in the same order in each attempt, as far as they were gone
// through: range, items, cursor, generator and lines (galley/split.hpp), or a class of your own with
//   using Cursor = ...;                       what is saved; a type that galley::Codec can write
//   std::optional<Item> next();               the next item; nothing: there is none. May throw
//   std::optional<Cursor> cursor() const;     from where to go on behind the item that next() gave last; nothing: there
//                                             is no such place, at the very beginning or behind the last item
//   Result<void> seek(const Cursor&);         go there
//   std::optional<std::int64_t> total() const; how many there are in all; nothing: nobody knows
//
// The checkpoint is JSON, {"galley":1,"at":CURSOR,"done":1234,"run_us":5600000}, of which CURSOR is the source's.
//
// Thread-safety: a resume runs in its handler's thread.

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>

#include "galley/payload.hpp"
#include "galley/worker.hpp"

namespace galley {

struct ResumeOptions {
  /// A checkpoint is saved when this long has passed since the last one, at the end of an item. It is kept from the
  /// worker's next renewal on, which comes at once, but at most ten times a second for all its jobs together.
  Duration every = std::chrono::milliseconds(200);
  /// And after so many items; 0: by time alone.
  std::int64_t items = 0;
  /// Run time after which it gives way, if one item at least is done; 0: never. The same job goes on at once where
  /// nothing else of its priority is ready.
  Duration slice = std::chrono::seconds(10);
  bool progress = true;  ///< tells how far it is; false: leaves Attempt::progress to the body
};

namespace resume_detail {

enum class Turn : std::uint8_t { GoOn, Save, GiveWay, Stop };

/// What does not depend on the types: the checkpoint's form, when it is due, and the words for how far it is.
class Keeper {
 public:
  Keeper(Attempt& attempt, const ResumeOptions& options);

  /// The cursor of the checkpoint that an earlier attempt has left, as JSON; nothing: it begins. Errors: InvalidInput,
  /// if it cannot be read.
  [[nodiscard]] Result<std::optional<std::string>> begin();
  void set_total(std::optional<std::int64_t> total) noexcept { total_ = total; }
  /// What is to be done before the next item, whose place the source knows or not. Behind the last item: nothing, so
  /// that a job that is done ends as such.
  [[nodiscard]] Turn turn(bool has_place) const;
  /// A place that was saved is not saved again (has_news), and so does not pass for work that was done. Errors:
  /// InvalidInput, if it is too large for a checkpoint.
  [[nodiscard]] Result<void> save(std::string_view cursor);
  /// Something was done since the last save.
  [[nodiscard]] bool has_news() const noexcept { return done_ > saved_; }
  void item_done() noexcept { ++done_; }

 private:
  [[nodiscard]] Duration spent() const { return spent_before_ + attempt_.run_time(); }

  Attempt& attempt_;
  const ResumeOptions options_;
  std::optional<std::int64_t> total_;
  std::int64_t done_ = 0;         ///< by all attempts
  std::int64_t done_before_ = 0;  ///< when this one began
  std::int64_t saved_ = 0;        ///< of them
  Duration saved_at_{0};          ///< run time of this attempt
  Duration spent_before_{0};      ///< by earlier attempts
};

/// What a body has said: nothing, or how the attempt is to end now.
template <class Body, class Item>
std::optional<Outcome> call(Body& body, Item&& item) {
  if constexpr (std::is_void_v<std::invoke_result_t<Body&, Item>>) {
    std::invoke(body, std::forward<Item>(item));
    return std::nullopt;
  } else {
    return std::invoke(body, std::forward<Item>(item));
  }
}

template <class Item>
Item&& plain(Item&& item) {
  return std::forward<Item>(item);
}
template <class Item>
Item& plain(std::reference_wrapper<Item> item) {
  return item.get();
}

[[nodiscard]] Outcome unreadable(const Error& why);
[[nodiscard]] Error unwritable();

/// As JSON. Errors: InvalidInput where it cannot be read back as it is: bytes that are no UTF-8, a number that is none.
template <class Cursor>
Result<std::string> written(const Cursor& cursor) {
  std::string text = Codec<Cursor>::encode(cursor);
  if constexpr (std::equality_comparable<Cursor>) {
    const auto back = Codec<Cursor>::decode(text);
    if (!back || !(*back == cursor)) return unwritable();
  }
  return text;
}

}  // namespace resume_detail

/// Runs `body` for each item that is left, and returns what the handler is to return. A body returns nothing, an
/// Outcome or a std::optional<Outcome>: anything but Outcome::done() ends the attempt with it, as an exception does;
/// the items before this one are done then, and this one is not. A checkpoint that cannot be read fails the attempt:
/// nothing starts over by itself.
template <class Source, class Body>
[[nodiscard]] std::optional<Outcome> resume(Attempt& attempt, Source source, Body body,
                                            const ResumeOptions& options = {}) {
  using resume_detail::Turn;
  using Place = std::optional<typename Source::Cursor>;
  resume_detail::Keeper keeper(attempt, options);
  const auto kept = keeper.begin();
  if (!kept) return resume_detail::unreadable(kept.error());
  if (*kept) {
    const auto place = Codec<typename Source::Cursor>::decode(**kept);
    if (!place) return resume_detail::unreadable(place.error());
    if (auto sought = source.seek(*place); !sought) return resume_detail::unreadable(sought.error());
  }
  keeper.set_total(source.total());
  const auto save = [&keeper](const Place& place) -> Result<void> {
    if (!place || !keeper.has_news()) return {};
    const auto text = resume_detail::written(*place);
    return text ? keeper.save(*text) : Result<void>(text.error());
  };
  while (true) {
    const Place place = source.cursor();
    if (const Turn turn = keeper.turn(place.has_value()); turn != Turn::GoOn) {
      if (auto saved = save(place); !saved) return Outcome::fail(saved.error().message);
      if (turn == Turn::Stop) return std::nullopt;  // why it was asked to stop decides what becomes of it
      if (turn == Turn::GiveWay) return Outcome::pause();
    }
    try {
      auto item = source.next();
      if (!item) return Outcome::done();
      auto said = resume_detail::call(body, resume_detail::plain(*std::move(item)));
      if (said && said->kind() != Outcome::Kind::Done) {
        if (auto saved = save(place); !saved) return Outcome::fail(saved.error().message);
        return said;
      }
    } catch (...) {
      (void)save(place);  // its failure would hide why the body has thrown
      throw;
    }
    keeper.item_done();
  }
}

// ---- sources ----------------------------------------------------------------------------------------------------

/// The integers of [first, last).
class IntegerRange {
 public:
  using Cursor = std::int64_t;
  IntegerRange(std::int64_t first, std::int64_t last) noexcept : first_(first), last_(last), next_(first) {}
  [[nodiscard]] std::optional<std::int64_t> next() noexcept {
    if (next_ >= last_) return std::nullopt;
    return next_++;
  }
  [[nodiscard]] std::optional<Cursor> cursor() const noexcept { return next_; }
  /// Errors: InvalidInput where it is not within the range.
  [[nodiscard]] Result<void> seek(Cursor to);
  [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return last_ > first_ ? last_ - first_ : 0; }

 private:
  std::int64_t first_;
  std::int64_t last_;
  std::int64_t next_;
};
[[nodiscard]] inline IntegerRange range(std::int64_t first, std::int64_t last) noexcept { return {first, last}; }

namespace resume_detail {
[[nodiscard]] Result<void> check_place(std::int64_t place, std::int64_t least, std::int64_t most);

/// A container that is somebody else's. (clang 14 cannot read the views of libstdc++ 12.)
template <class Range>
class Borrowed {
 public:
  explicit Borrowed(Range& range) noexcept : range_(&range) {}
  [[nodiscard]] auto begin() const { return std::ranges::begin(*range_); }
  [[nodiscard]] auto end() const { return std::ranges::end(*range_); }

 private:
  Range* range_;
};
}  // namespace resume_detail

/// The elements of a container or range, in its order; the cursor is how many are behind it.
template <std::ranges::forward_range View>
class Items {
 public:
  using Cursor = std::int64_t;
  using Reference = std::ranges::range_reference_t<View>;
  /// An optional holds no reference.
  using Item = std::conditional_t<std::is_lvalue_reference_v<Reference>,
                                  std::reference_wrapper<std::remove_reference_t<Reference>>, std::decay_t<Reference>>;
  explicit Items(View view) : view_(std::move(view)), total_(static_cast<std::int64_t>(std::ranges::distance(view_))) {}
  [[nodiscard]] std::optional<Item> next() {
    if (done_ == total_) return std::nullopt;
    if (!at_) at_ = std::ranges::begin(view_);
    ++done_;
    return Item(*(*at_)++);
  }
  [[nodiscard]] std::optional<Cursor> cursor() const noexcept { return done_; }
  [[nodiscard]] Result<void> seek(Cursor to) {
    if (auto fine = resume_detail::check_place(to, 0, total_); !fine) return fine;
    at_ = std::ranges::next(std::ranges::begin(view_), static_cast<std::ranges::range_difference_t<View>>(to));
    done_ = to;
    return {};
  }
  [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return total_; }

 private:
  View view_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::optional<std::ranges::iterator_t<View>> at_;
};
/// An lvalue must outlive the resume, unless it is a view; a temporary is kept.
template <std::ranges::forward_range Range>
[[nodiscard]] auto items(Range&& range) {
  using Bare = std::remove_cvref_t<Range>;
  if constexpr (std::is_lvalue_reference_v<Range> && !std::ranges::enable_view<Bare>) {
    using View = resume_detail::Borrowed<std::remove_reference_t<Range>>;
    return Items<View>(View(range));
  } else {
    return Items<Bare>(std::forward<Range>(range));
  }
}

/// What a cursor's function gives: an item, and the token from which the one behind it is had; no token: it is the
/// last.
template <class Item, class Token>
struct Step {
  Item item;
  std::optional<Token> next;
};

/// Items behind opaque tokens, as a list has them that comes in pages, or a table that is read by its key.
/// f(const std::optional<Token>&) -> std::optional<Step<Item, Token>>; without a token it gives the first item;
/// nothing: there is none. The item is whatever is one step of work, a row or a whole page.
template <class Token, class F>
class CursorSource {
 public:
  using Cursor = Token;
  CursorSource(F f, std::optional<std::int64_t> total) : f_(std::move(f)), total_(total) {}
  [[nodiscard]] auto next()
      -> std::optional<decltype(std::declval<F&>()(std::declval<const std::optional<Token>&>())->item)> {
    if (over_) return std::nullopt;
    auto step = f_(token_);
    over_ = !step || !step->next;
    if (!step) return std::nullopt;
    token_ = std::move(step->next);
    return std::move(step->item);
  }
  [[nodiscard]] std::optional<Cursor> cursor() const { return token_; }
  [[nodiscard]] Result<void> seek(const Cursor& to) {
    token_ = to;
    return {};
  }
  [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return total_; }

 private:
  F f_;
  std::optional<std::int64_t> total_;
  std::optional<Token> token_;
  bool over_ = false;
};
template <class Token, class F>
[[nodiscard]] auto cursor(F f, std::optional<std::int64_t> total = {}) {
  return CursorSource<Token, F>(std::move(f), total);
}

/// What a function gives, one call an item: f() -> std::optional<Item>; nothing: there is no more. Nothing but the
/// number of items is known of it: a later attempt calls it for each of those that are done, and drops what it gives.
template <class F>
class Generator {
 public:
  using Cursor = std::int64_t;
  Generator(F f, std::optional<std::int64_t> total) : f_(std::move(f)), total_(total) {}
  [[nodiscard]] auto next() {
    auto item = f_();
    if (item) ++done_;
    return item;
  }
  [[nodiscard]] std::optional<Cursor> cursor() const noexcept { return done_; }
  [[nodiscard]] Result<void> seek(Cursor to) {
    while (done_ < to && next()) continue;
    return resume_detail::check_place(to, 0, done_);
  }
  [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return total_; }

 private:
  F f_;
  std::optional<std::int64_t> total_;
  std::int64_t done_ = 0;
};
template <class F>
[[nodiscard]] auto generator(F f, std::optional<std::int64_t> total = {}) {
  return Generator<F>(std::move(f), total);
}

}  // namespace galley
