#include <algorithm>

#include "base/limits.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/order.hpp"

namespace galley::fuzz {

void pool(std::string_view input) {
  const auto spec = job::pool_spec_from(input);
  if (refused(spec)) return;
  require(spec->slots >= 1 && spec->slots <= limits::kMaxSlots, "a pool has 1 to 10000 slots");
  require(!spec->queues.empty() && spec->queues.size() <= limits::kMaxClaimQueues, "a pool has some queues");
  std::string text = spec->name + "=" + std::to_string(spec->slots) + ":";
  for (const job::PoolQueue& queue : spec->queues) {
    text += queue.name + (queue.weight > 0 ? "*" + std::to_string(queue.weight) : "") + ",";
  }
  text.pop_back();
  const auto again = job::pool_spec_from(text);
  require(again && *again == *spec, "a printed pool reads the same", text);

  job::QueueOrder order(spec->queues);
  for (int i = 0; i < 3; ++i) {
    auto names = order.next();
    std::sort(names.begin(), names.end());
    require(names.size() == spec->queues.size(), "an order has all queues");
    require(std::unique(names.begin(), names.end()) == names.end(), "an order has each queue once");
  }
}

}  // namespace galley::fuzz
