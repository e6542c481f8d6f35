#include "store/limit_rules.hpp"

#include "base/text.hpp"

namespace galley::store {

namespace {

Enqueued full(std::string reason) { return {0, false, false, Errc::QueueFull, std::move(reason)}; }

constexpr std::string_view kWhatToDo = "try again later, let the enqueue wait for room, or raise the bound";

}  // namespace

bool waits(JobState state) noexcept {
  return state == JobState::Scheduled || state == JobState::Ready || state == JobState::Blocked;
}

std::optional<Enqueued> refuse_waiting(const std::string& queue, std::int64_t waiting,
                                       std::optional<std::int64_t> most) {
  if (!most || waiting < *most) return std::nullopt;
  return full("queue " + base::quoted(queue) + " is full: " + std::to_string(waiting) +
              " jobs wait in it, and its bound (max_waiting) is " + std::to_string(*most) + "; " +
              std::string(kWhatToDo));
}

std::optional<Enqueued> refuse_bytes(std::int64_t bytes, std::size_t payload, std::optional<std::int64_t> most) {
  if (!most || bytes + static_cast<std::int64_t>(payload) <= *most) return std::nullopt;
  return full("the store is full: it takes " + std::to_string(bytes) + " bytes, the payload has " +
              std::to_string(payload) + ", and the bound (max_bytes) is " + std::to_string(*most) + "; " +
              std::string(kWhatToDo));
}

Result<void> check_bound(std::string_view field, std::optional<std::int64_t> most) {
  if (!most || *most >= 0) return {};
  return Error{Errc::InvalidInput,
               std::string(field) + " is " + std::to_string(*most) + "; 0 or more is allowed, or none"};
}

}  // namespace galley::store
