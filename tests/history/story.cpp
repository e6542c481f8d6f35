#include "history/story.hpp"

#include <algorithm>
#include <array>

namespace galley::history {

namespace {

/// A due time is kept in UTC, which is slewed against the monotonic clock by 500 ppm at most: 1 ms in 2 s.
constexpr std::int64_t kSlewUs = 2'000;

bool ends(std::string_view event) {
  constexpr std::array<std::string_view, 5> kEnds{"complete", "die", "discard", "cancel", "expire"};
  return std::find(kEnds.begin(), kEnds.end(), event) != kEnds.end();
}
bool is_state_of_an_end(std::string_view state) {
  constexpr std::array<std::string_view, 5> kEnded{"completed", "dead", "discarded", "cancelled", "expired"};
  return std::find(kEnded.begin(), kEnded.end(), state) != kEnded.end();
}

bool may_be(const Ending& ending) {
  return !ending.span.refused && (ending.answer.empty() || ending.answer == "finished");
}
/// An end that may have been taken and of which `holds` is true.
template <class Holds>
bool may_have_ended(const ClaimStory& claim, Holds holds) {
  return std::any_of(claim.endings.begin(), claim.endings.end(),
                     [&](const Ending& ending) { return may_be(ending) && holds(ending); });
}

class Rules {
 public:
  Rules(const JobStory& story, const Surroundings& around) : story_(story), around_(around), claims_(story.claims) {
    std::stable_sort(claims_.begin(), claims_.end(),
                     [](const ClaimStory& one, const ClaimStory& other) { return one.epoch < other.epoch; });
  }

  std::vector<Violation> run() {
    known();
    for (std::size_t i = 0; i < claims_.size(); ++i) {
      answers(claims_[i]);
      cancelled(claims_[i]);
      if (i > 0) succession(claims_[i - 1], claims_[i]);
    }
    if (!claims_.empty()) due_first(claims_.front());
    if (!claims_.empty()) numbered(1, 1, 0, claims_.front());
    bounded();
    if (around_.closed) end();
    return std::move(violations_);
  }

 private:
  void violate(std::string invariant, std::string what) {
    violations_.push_back({std::move(invariant), story_.id, std::move(what), story_.lines});
  }
  static std::string named(const ClaimStory& claim) { return "epoch " + std::to_string(claim.epoch); }

  /// A person's wish that may have taken place between the two times.
  [[nodiscard]] bool may_have_operated(std::initializer_list<std::string_view> verbs, std::int64_t from,
                                       std::int64_t to) const {
    return std::any_of(story_.operations.begin(), story_.operations.end(), [&](const Operation& operation) {
      return std::find(verbs.begin(), verbs.end(), operation.verb) != verbs.end() && !operation.span.refused &&
             (operation.answer.empty() || operation.answer == "done" || operation.answer == "requested") &&
             operation.span.answered >= from && operation.span.called <= to;
    });
  }

  void known() {
    if (!story_.acknowledged && around_.lost_enqueues.empty() && !claims_.empty()) {
      violate("known", "it was started, and nobody enqueued it");
    }
    for (const Ending& stray : story_.strays) {
      if (stray.answer == "finished") violate("fencing", "the end of a claim was taken that nobody was given");
    }
  }

  /// Of two claims that follow each other: one at a time, growing, with the next number, and not after an end.
  void succession(const ClaimStory& one, const ClaimStory& next) {
    if (one.epoch == next.epoch) {
      violate("epochs", named(one) + " was given twice");
      return;
    }
    if (next.span.answered < one.span.called) {
      violate("epochs", named(next) + " was given before " + named(one) + " was asked for");
      return;
    }
    const Ending* const end = taken(one);
    if (end != nullptr) {
      after_end(one, *end, next);
    } else {
      std::int64_t free = may_lapse(one, around_);
      for (const Ending& ending : one.endings) {
        if (may_be(ending)) free = std::min(free, ending.span.called);
      }
      if (next.span.answered < free) violate("overlap", named(next) + " was given while " + named(one) + " was held");
    }
    const bool released = end != nullptr && end->event == "release";
    const bool may_be_released = may_have_ended(one, [](const Ending& e) { return e.event == "release"; });
    numbered(one.attempt + (released || (end == nullptr && may_be_released) ? 0 : 1), one.attempt + (released ? 0 : 1),
             one.span.called, next);
  }

  void after_end(const ClaimStory& one, const Ending& end, const ClaimStory& next) {
    if (next.span.answered < end.span.called) {
      violate("fencing", "the end of " + named(one) + " was taken after " + named(next) + " had been given");
      return;
    }
    if (end.event == "complete") {
      violate("once", named(next) + " was given after " + named(one) + " had completed");
    } else if (ends(end.event) && !may_have_operated({"retry"}, end.span.called, next.span.answered)) {
      violate("once", named(next) + " was given after " + named(one) + " had ended the job (" + end.event + ")");
    } else if (end.event == "retry" && next.span.answered + kSlewUs < end.span.called + end.delay &&
               !may_have_operated({"retry", "run_now"}, end.span.called, next.span.answered)) {
      violate("due", named(next) + " was given before its delay was over");
    }
  }

  /// The attempt's number is one of least..most, or more by as many as lost claims explain.
  void numbered(int least, int most, std::int64_t since, const ClaimStory& claim) {
    const auto lost = std::count_if(around_.lost_claims.begin(), around_.lost_claims.end(), [&](const Span& call) {
      return call.called <= claim.span.answered && call.answered >= since;
    });
    if (claim.attempt >= least && claim.attempt <= most + lost) return;
    violate("numbering",
            "attempt " + std::to_string(claim.attempt) + " (" + named(claim) + ") instead of " + std::to_string(most));
  }

  void due_first(const ClaimStory& claim) {
    if (!story_.acknowledged) return;
    if (claim.span.answered < story_.enqueue.called) violate("due", "it was started before it was enqueued");
    if (story_.due_is_known && claim.span.answered + kSlewUs < story_.enqueue.called + story_.delay &&
        !may_have_operated({"retry", "run_now", "alter"}, 0, claim.span.answered)) {
      violate("due", named(claim) + " was given before the job was due");
    }
  }

  /// What a worker was told about the ends of its claim.
  void answers(const ClaimStory& claim) {
    int finished = 0;
    for (const Ending& ending : claim.endings) {
      if (ending.answer == "finished") ++finished;
      const bool alone = std::none_of(claim.endings.begin(), claim.endings.end(),
                                      [&](const Ending& other) { return &other != &ending && may_be(other); });
      if (ending.answer == "already_finished" && alone) {
        violate("answers", named(claim) + " is said to have ended already, and nobody had ended it");
      }
      if (ending.answer == "lease_lost" && alone && ending.span.answered < may_lapse(claim, around_)) {
        violate("lease", named(claim) + " was lost while its lease lasted");
      }
    }
    if (finished > 1) violate("answers", named(claim) + " was ended twice");
  }

  void cancelled(const ClaimStory& claim) {
    for (const Operation& operation : story_.operations) {
      if (operation.verb != "cancel" || (operation.answer != "done" && operation.answer != "requested")) continue;
      if (claim.span.called > operation.span.answered &&
          !may_have_operated({"retry"}, operation.span.called, claim.span.answered)) {
        violate("cancel", named(claim) + " was asked for after the job had been cancelled");
        return;
      }
    }
  }

  void bounded() {
    int errors = 0;
    int crashes = 0;
    for (std::size_t i = 0; i + 1 < claims_.size(); ++i) {
      const ClaimStory& claim = claims_[i];
      const Ending* const end = taken(claim);
      if (claim.moved_on) crashes = 0;
      if (end != nullptr && end->event == "retry" && (end->outcome == "failed" || end->outcome == "timed_out"))
        ++errors;
      if (end == nullptr && !may_have_ended(claim, [](const Ending&) { return true; })) ++crashes;
      if (may_have_operated({"retry"}, claim.span.called, claims_[i + 1].span.answered)) errors = crashes = 0;
      if (story_.max_attempts > 0 && errors >= story_.max_attempts) {
        violate("attempts", "it was tried again after " + std::to_string(errors) + " errors");
        return;
      }
      if (story_.max_crashes > 0 && crashes >= story_.max_crashes) {
        violate("crashes", "it was started again after " + std::to_string(crashes) + " crashes");
        return;
      }
    }
  }

  void end() {
    const bool completed = std::any_of(claims_.begin(), claims_.end(), [](const ClaimStory& claim) {
      const Ending* const end = taken(claim);
      return end != nullptr && end->event == "complete";
    });
    const bool may_be_completed = std::any_of(claims_.begin(), claims_.end(), [](const ClaimStory& claim) {
      return may_have_ended(claim, [](const Ending& ending) { return ending.event == "complete"; });
    });
    if (story_.kept.empty()) {
      if (story_.acknowledged && !may_be_completed && !may_have_operated({"erase"}, 0, kNever)) {
        violate("lost", "it was acknowledged, never completed, and is not there");
      }
      return;
    }
    if (completed && story_.kept != "completed") violate("end", "it completed, and is kept as " + story_.kept);
    if (!may_be_completed && story_.kept == "completed") violate("end", "it is kept as completed, and never completed");
    if (story_.kept == "cancelled" && !may_have_operated({"cancel"}, 0, kNever)) {
      violate("end", "it is kept as cancelled, and nobody cancelled it");
    }
    if (!around_.cut && !completed && !is_state_of_an_end(story_.kept)) {
      violate("end", "all was run to its end, and it is left " + story_.kept);
    }
  }

  const JobStory& story_;
  const Surroundings& around_;
  std::vector<ClaimStory> claims_;  ///< by epoch
  std::vector<Violation> violations_;
};

}  // namespace

std::string Violation::text() const {
  std::string all = invariant + ": job " + std::to_string(job) + ": " + what;
  for (const std::string& line : lines) all += "\n    " + line;
  return all;
}

std::int64_t may_lapse(const ClaimStory& claim, const Surroundings& around) {
  std::int64_t at = claim.lease_end;
  if (const auto killed = around.killed.find(claim.by); killed != around.killed.end())
    at = std::min(at, killed->second);
  if (const auto left = around.left.find(claim.worker); left != around.left.end()) at = std::min(at, left->second);
  return at;
}

const Ending* taken(const ClaimStory& claim) {
  const auto found = std::find_if(claim.endings.begin(), claim.endings.end(),
                                  [](const Ending& ending) { return ending.answer == "finished"; });
  if (found != claim.endings.end()) return &*found;
  // One whose answer was lost, and of which the next one heard that it had been taken.
  const bool already = std::any_of(claim.endings.begin(), claim.endings.end(),
                                   [](const Ending& ending) { return ending.answer == "already_finished"; });
  if (!already) return nullptr;
  const auto before = std::find_if(claim.endings.begin(), claim.endings.end(), may_be);
  return before == claim.endings.end() ? nullptr : &*before;
}

std::vector<Violation> check(const JobStory& story, const Surroundings& around) { return Rules(story, around).run(); }

}  // namespace galley::history
