#include "history/across.hpp"

#include <algorithm>

namespace galley::history {

void OrderRule::enqueued(const Event& event, std::int64_t called) {
  const bool plain = event.say == "new" && event.delay == 0 && event.key.empty() && event.unique.empty();
  if (!plain) return;
  waiting_[event.job] = {event.queue + ' ' + event.kind + ' ' + std::to_string(event.priority), {called, event.at}};
}

void OrderRule::claimed(const Event& event, std::int64_t called) {
  const auto found = waiting_.find(event.job);
  if (found == waiting_.end()) return;
  const Waiting one = found->second;
  waiting_.erase(found);
  if (event.attempt != 1) return;
  std::deque<Claimed>& frontier = frontier_[one.lane];
  const auto other = std::partition_point(frontier.begin(), frontier.end(), [&](const Claimed& claimed) {
    return claimed.enqueue_called <= one.enqueue.answered;
  });
  if (other != frontier.end() && other->claim_answered < called) {
    violation_ = "job " + std::to_string(other->job) + " was enqueued after it, and claimed before it";
  }
  if (!frontier.empty() && frontier.back().enqueue_called >= one.enqueue.called) return;  // it says less
  frontier.push_back({event.job, one.enqueue.called, event.at});
  if (frontier.size() > kMaxFrontier) frontier.pop_front();
}

std::optional<UniqueRule::Holder> UniqueRule::enqueued(const Event& event, std::int64_t called) {
  if (event.unique.empty() || event.say != "new") return std::nullopt;
  const std::string key = event.kind + ' ' + event.unique;
  std::optional<Holder> before;
  if (const auto found = holders_.find(key); found != holders_.end()) {
    const Holder& holder = found->second;
    if (!holder.may_be_free && holder.acknowledged < called) before = holder;
    keys_.erase(holder.job);
  }
  // Until its start: any claim that is being asked for may be of it, so nothing can be said.
  holders_[key] = {event.job, event.at, event.expires || event.until_start};
  keys_[event.job] = key;
  return before;
}

void UniqueRule::may_free(std::int64_t job) {
  const auto key = keys_.find(job);
  if (key == keys_.end()) return;
  holders_.erase(key->second);
  keys_.erase(key);
}

}  // namespace galley::history
