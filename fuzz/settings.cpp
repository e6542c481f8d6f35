#include "cli/settings.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/order.hpp"
#include "job/validate.hpp"
#include "open/url.hpp"

namespace galley::fuzz {

void settings(std::string_view input) {
  const auto read = cli::settings_from_toml(input, "galley.toml");
  if (refused(read, "galley.toml:")) return;
  require(!read->store || open::store_url_from(*read->store), "a store that was read is good");
  require(!read->queue || job::check_queue("queue", *read->queue), "a queue that was read is good");
  for (const std::string& pool : read->pools) {
    require(job::pool_spec_from(pool).has_value(), "a pool that was read is good", pool);
  }
}

}  // namespace galley::fuzz
