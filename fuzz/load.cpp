#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "load/http_load.hpp"
#include "load/plan.hpp"

namespace galley::fuzz {

namespace {

void check_plan(std::string_view text) {
  const auto stretches = load::stretches_from(text, std::chrono::seconds(20));
  if (refused(stretches)) return;
  for (const bool poisson : {false, true}) {
    load::Plan plan(*stretches, poisson ? std::optional<std::uint64_t>(1) : std::nullopt);
    require(plan.requests() >= 0 && plan.requests() <= 1.1 * static_cast<double>(load::kMaxRequests),
            "a plan is bounded");
    load::Moment last{0};
    for (int i = 0; i < 300; ++i) {
      const auto at = plan.next();
      if (!at) break;
      require(*at >= last && *at <= plan.length(), "requests are sent in order, within the plan");
      last = *at;
    }
  }
}

}  // namespace

/// A line with a rate, then a target's URL.
void load(std::string_view input) {
  Bytes bytes(input);
  check_plan(bytes.line());
  const auto target = load::target_from(bytes.rest());
  if (refused(target)) return;
  require(base::is_printable(target->host) && !target->host.empty(), "a host is one", target->host);
  require(target->path.starts_with('/'), "a path begins at the root", target->path);
  require(target->path.find_first_of(" \r\n") == std::string::npos, "a path cannot break out of its request",
          target->path);
}

}  // namespace galley::fuzz
