#include "engine/room.hpp"

#include <algorithm>
#include <utility>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "store/combiner.hpp"

namespace galley::engine {

void RoomWait::add(std::size_t index, job::NewJob job, Duration patience) {
  jobs_.push_back({index, std::move(job), patience, clock_.mono() + patience});
}

Result<void> RoomWait::run(std::vector<store::Enqueued>& answers) {
  if (jobs_.empty()) return {};
  const auto bell = store_.bell();  // before the first try, or a ring in between would be lost
  while (true) {
    for (std::size_t most = 1; !jobs_.empty(); most = std::min(2 * most, limits::kMaxEnqueueBatch)) {
      const auto all_in = try_some(most, answers);
      if (!all_in) return all_in.error();
      if (!*all_in) break;
    }
    drop_late(answers);
    if (jobs_.empty()) return {};
    const Duration left = next_end() - clock_.mono();
    (void)bell->wait(std::clamp<Duration>(left, Duration{0}, limits::kSafetyLook));
  }
}

/// Tries the first ones; false: there was no room for one of them.
Result<bool> RoomWait::try_some(std::size_t most, std::vector<store::Enqueued>& answers) {
  std::vector<job::NewJob> batch;
  std::size_t bytes = 0;
  for (const Waiting& one : jobs_) {
    bytes += one.job.payload.size();
    if (batch.size() == most || (!batch.empty() && bytes > limits::kMaxEnqueueBytes)) break;
    batch.push_back(one.job);
  }
  auto enqueued = store_.combiner().enqueue(std::move(batch));
  if (!enqueued) return enqueued.error();
  bool all_in = true;
  std::deque<Waiting> still;
  for (store::Enqueued& answer : *enqueued) {
    Waiting& first = jobs_.front();
    const bool full = answer.refused == Errc::QueueFull;
    all_in = all_in && !full;
    answers[first.index] = std::move(answer);
    if (full) still.push_back(std::move(first));
    jobs_.pop_front();
  }
  jobs_.insert(jobs_.begin(), std::make_move_iterator(still.begin()), std::make_move_iterator(still.end()));
  return all_in;
}

void RoomWait::drop_late(std::vector<store::Enqueued>& answers) {
  const base::Mono now = clock_.mono();
  std::erase_if(jobs_, [&](const Waiting& one) {
    if (one.until > now) return false;
    answers[one.index].reason += "; it has waited " + base::format_duration(one.patience) + " for room";
    return true;
  });
}

base::Mono RoomWait::next_end() const {
  return std::min_element(jobs_.begin(), jobs_.end(),
                          [](const Waiting& a, const Waiting& b) { return a.until < b.until; })
      ->until;
}

}  // namespace galley::engine
