#include "job/expiry.hpp"

#include <algorithm>

#include "base/duration.hpp"

namespace galley::job {

std::optional<Time> over_at(bool started, const std::optional<Time>& expires_at,
                            const std::optional<Time>& deadline_at) noexcept {
  if (started || !expires_at) return deadline_at;
  return deadline_at ? std::min(*expires_at, *deadline_at) : expires_at;
}

std::string why_over(bool started, const std::optional<Time>& expires_at, const std::optional<Time>& deadline_at) {
  const bool by_deadline = started || !expires_at || (deadline_at && *deadline_at <= *expires_at);
  if (by_deadline) return std::string(kDeadlinePassed);
  return "waited too long: it had not started by " + base::format_time(*expires_at);
}

}  // namespace galley::job
