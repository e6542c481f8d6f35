#include "cli/follow.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "cli/text.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

// A look costs an index seek (~1.5 us) a job; the jobs behind the window are seen when those before them have ended.
constexpr std::size_t kWindow = 10'000;
constexpr Duration kFrame = std::chrono::milliseconds(40);  // at most 25 looks a second
constexpr Duration kLook = std::chrono::milliseconds(500);  // an end need not ring the bell
constexpr Duration kNobody = std::chrono::seconds(2);       // then a missing worker is worth a word
constexpr std::size_t kNamed = 20;                          // of those that did not complete; the rest is counted
constexpr std::size_t kBar = 30;

class Follower {
 public:
  Follower(Context& context, store::Store& store, std::vector<JobId> ids)
      : context_(context), store_(store), pending_(std::move(ids)), total_(pending_.size()) {}

  Result<int> run();

 private:
  Result<void> look();
  void count(JobId id, std::optional<JobState> state);
  void wait(store::Bell& bell);
  void render();
  void mention_missing_worker();
  void name_failures();
  [[nodiscard]] std::size_t ended() const noexcept { return total_ - pending_.size(); }
  [[nodiscard]] std::string tally() const;

  Context& context_;
  store::Store& store_;
  std::vector<JobId> pending_;
  std::size_t total_;
  std::array<std::size_t, kJobStates> ended_{};
  std::size_t gone_ = 0;  ///< deleted, or completed so long ago that they are not kept any more
  std::vector<JobId> failures_;
  std::size_t tenths_ = 0;  ///< told so far
  bool worker_seen_ = false;
  base::Mono begun_ = context_.clock.mono();
};

Result<int> Follower::run() {
  const auto bell = store_.bell();  // before the first look: what changes after it is not missed
  while (true) {
    if (auto done = look(); !done) return done.error();
    render();
    if (pending_.empty()) break;
    mention_missing_worker();
    wait(*bell);
  }
  if (context_.err.is_terminal()) context_.err.write("\r\x1b[K");
  name_failures();
  context_.complain(tally());
  return ended_[static_cast<std::size_t>(JobState::Completed)] == total_ ? kExitOk : kExitFailure;
}

Result<void> Follower::look() {
  const std::size_t window = std::min(pending_.size(), kWindow);
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < window) {
    const std::size_t size = std::min(window - at, limits::kMaxPage);
    const auto states = store_.states(std::span<const JobId>(pending_).subspan(at, size));
    if (!states) return states.error();
    for (std::size_t i = 0; i < size; ++i) {
      const std::optional<JobState> state = (*states)[i];
      const JobId id = pending_[at + i];
      if (state && !is_ended(*state)) {
        worker_seen_ = worker_seen_ || *state == JobState::Running;
        pending_[kept++] = id;
      } else {
        count(id, state);
      }
    }
    at += size;
  }
  using Offset = std::vector<JobId>::difference_type;
  pending_.erase(pending_.begin() + static_cast<Offset>(kept), pending_.begin() + static_cast<Offset>(window));
  return {};
}

void Follower::count(JobId id, std::optional<JobState> state) {
  worker_seen_ = true;
  if (state) {
    ++ended_[static_cast<std::size_t>(*state)];
  } else {
    ++gone_;
  }
  if (state != JobState::Completed && failures_.size() < kNamed) failures_.push_back(id);
}

void Follower::wait(store::Bell& bell) {
  const base::Mono frame = context_.clock.mono() + kFrame;
  // A busy store rings for every commit; within a frame the rings are taken together.
  store::Ring ring = bell.wait(kLook);
  while (ring == store::Ring::Changed) {
    const Duration left = frame - context_.clock.mono();
    if (left <= Duration{0}) return;
    ring = bell.wait(left);
  }
}

std::string Follower::tally() const {
  std::string text = std::to_string(ended()) + (pending_.empty() ? "" : " of " + std::to_string(total_)) +
                     (total_ == 1 ? " job has ended" : " jobs have ended");
  std::string parts;
  for (std::size_t i = 0; i < ended_.size(); ++i) {
    if (ended_[i] == 0) continue;
    parts += (parts.empty() ? ": " : ", ") + std::to_string(ended_[i]) + " ";
    parts += name(static_cast<JobState>(i));
  }
  if (gone_ > 0) parts += (parts.empty() ? ": " : ", ") + std::to_string(gone_) + " not in the store any more";
  return text + parts;
}

void Follower::render() {
  const std::size_t tenths = total_ == 0 ? 10 : ended() * 10 / total_;
  if (!context_.err.is_terminal()) {
    if (tenths > tenths_ && !pending_.empty()) context_.complain(tally());
    tenths_ = tenths;
    return;
  }
  const std::size_t filled = total_ == 0 ? kBar : ended() * kBar / total_;
  const Duration spent = context_.clock.mono() - begun_;
  context_.err.write("\r[" + std::string(filled, '=') + std::string(kBar - filled, ' ') + "] " + tally() + ", " +
                     base::format_duration(spent) + "\x1b[K");
  static_cast<void>(context_.err.flush());
}

void Follower::mention_missing_worker() {
  if (worker_seen_ || context_.clock.mono() - begun_ < kNobody) return;
  worker_seen_ = true;
  const auto workers = store_.workers();
  if (workers && workers->empty()) {
    context_.complain("no worker runs on this store; 'galley work --allow-commands' starts one");
  }
}

void Follower::name_failures() {
  for (const JobId id : failures_) {
    const std::string job = "job " + std::to_string(id) + " ";
    const auto record = store_.find(id);
    if (!record) {
      context_.complain(job + "is not in the store any more: deleted, or completed and not kept any longer");
      continue;
    }
    const std::string why = record->error.empty() ? "" : ": " + to_cell(record->error, 200);
    context_.complain(job + "is " + std::string(name(record->state)) + why);
  }
  const std::size_t failed = total_ - ended_[static_cast<std::size_t>(JobState::Completed)];
  if (failed > failures_.size()) context_.complain("and " + std::to_string(failed - failures_.size()) + " more");
}

}  // namespace

Result<int> follow(Context& context, store::Store& store, std::vector<JobId> ids) {
  return Follower(context, store, std::move(ids)).run();
}

}  // namespace galley::cli
