#include "load/open_loop.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace galley::load {

OpenLoop::OpenLoop(Plan plan, int connections, Moment deadline) : plan_(std::move(plan)), next_(plan_.next()) {
  GALLEY_ASSERT(connections >= 1 && connections <= kMaxConnections);
  requests_.resize(static_cast<std::size_t>(connections));
  for (int connection = connections; connection-- > 0;) free_.push_back(connection);
  report_.planned_length = plan_.length();
  report_.deadline = deadline;
}

std::vector<int> OpenLoop::due(Moment now, std::size_t most) {
  std::vector<int> sending;
  for (std::size_t taken = 0; taken < most && next_ && *next_ <= now; ++taken) {
    const Moment planned = *next_;
    next_ = plan_.next();
    report_.took_up(planned, now);
    if (!free_.empty()) {
      const int connection = free_.back();
      free_.pop_back();
      requests_[static_cast<std::size_t>(connection)] = {planned, now};
      ++busy_;
      sending.push_back(connection);
    } else if (waiting_.size() < kMaxWaiting) {
      waiting_.push_back(planned);
    } else {
      ++report_.unsent;
    }
  }
  return sending;
}

bool OpenLoop::ended(int connection, Moment now, const Outcome& outcome) {
  Request& request = requests_[static_cast<std::size_t>(connection)];
  report_.ended(request.planned, request.sent, now, outcome);
  if (waiting_.empty()) {
    --busy_;
    free_.push_back(connection);
    return false;
  }
  request = {waiting_.front(), now};
  waiting_.pop_front();
  return true;
}

void OpenLoop::stop(Moment now) {
  if (next_) report_.planned_length = std::min(report_.planned_length, now);
  next_.reset();
  report_.unsent += static_cast<std::int64_t>(waiting_.size());
  waiting_.clear();
}

}  // namespace galley::load
