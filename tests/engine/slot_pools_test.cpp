// What pools ask for, and when they look again.

#include "engine/slot_pools.hpp"

#include <gtest/gtest.h>

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

TEST(SlotPools, LookAgainWhenTheSoonestOfTheirRequestsMayBringSomething) {
  SlotPools pools({{"p", 2, {{"q", 0}}}}, {{"a", "b"}, false, {}}, 30s);
  const base::Mono now{1h};
  std::vector<SlotPools::Beyond> beyond(1);
  ASSERT_EQ(pools.requests(now, false, false, beyond, {}).size(), 1U);
  store::Claimed full;
  full.claims.resize(2);
  pools.answered(now, {full});
  beyond[0].limit = 10;
  ASSERT_EQ(pools.requests(now, false, false, beyond, {"b"}).size(), 2U);
  store::Claimed waits;
  waits.next_due = 100ms;  // the rate of kind a
  pools.answered(now, {waits, {}});
  EXPECT_EQ(pools.next_look(), now + 100ms);
}

}  // namespace
}  // namespace galley::engine
