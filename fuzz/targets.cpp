#include "fuzz/targets.hpp"

namespace galley::fuzz {

std::span<const Target> targets() noexcept {
  static constexpr Target kTargets[] = {
      {"alarm", alarm},
      {"backoff", backoff},
      {"card", card},
      {"checkpoint", checkpoint},
      {"command", command},
      {"cron", cron},
      {"cursor", cursor},
      {"duration", duration},
      {"flags", flags},
      {"histogram", histogram},
      {"http_request", http_request},
      {"job_source", job_source},
      {"load", load},
      {"notify", notify},
      {"payload", payload},
      {"pool", pool},
      {"prometheus", prometheus},
      {"settings", settings},
      {"split", split},
      {"store_file", store_file},
      {"store_url", store_url},
      {"template_text", template_text},
      {"terminal", terminal},
      {"text", text},
      {"zone_file", zone_file},
      {"zone_name", zone_name},
  };
  return kTargets;
}

}  // namespace galley::fuzz
