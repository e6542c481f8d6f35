#include "galley/error.hpp"

#include <array>
#include <cstddef>

namespace galley {

namespace {
constexpr std::array<std::string_view, 14> kNames{
    "invalid_input", "not_found", "wrong_state", "lease_lost", "queue_full",  "unavailable", "not_a_store",
    "newer_schema",  "read_only", "disk_full",   "io",         "not_allowed", "conflict",    "timed_out"};
static_assert(kNames.size() == static_cast<std::size_t>(Errc::TimedOut) + 1);
}  // namespace

std::string_view name(Errc code) noexcept { return kNames[static_cast<std::size_t>(code)]; }

}  // namespace galley
