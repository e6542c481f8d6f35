#include "job/job.hpp"

#include <array>

namespace galley::job {

namespace {
constexpr std::array<std::string_view, 3> kContentNames{"json", "bytes", "command"};
constexpr std::array<std::string_view, 3> kOrderNames{"fifo", "shortest", "deadline"};
constexpr std::array<std::string_view, 3> kTriggerNames{"success", "failure", "finished"};
}  // namespace

std::string_view name(Content content) noexcept { return kContentNames[static_cast<std::size_t>(content)]; }

std::optional<Content> content_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kContentNames.size(); ++i) {
    if (kContentNames[i] == text) return static_cast<Content>(i);
  }
  return std::nullopt;
}

std::string_view name(Trigger trigger) noexcept { return kTriggerNames[static_cast<std::size_t>(trigger)]; }

std::optional<Trigger> trigger_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kTriggerNames.size(); ++i) {
    if (kTriggerNames[i] == text) return static_cast<Trigger>(i);
  }
  return std::nullopt;
}

std::string_view name(Order order) noexcept { return kOrderNames[static_cast<std::size_t>(order)]; }

std::optional<Order> order_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kOrderNames.size(); ++i) {
    if (kOrderNames[i] == text) return static_cast<Order>(i);
  }
  return std::nullopt;
}

}  // namespace galley::job
