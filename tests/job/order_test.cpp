#include "job/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/expect.hpp"
#include "base/rubbish.hpp"
#include "job/validate.hpp"

namespace galley::job {

using namespace std::string_literals;
using test::refusal;

namespace {

using Names = std::vector<std::string>;

PoolSpec pool(std::string_view text) { return pool_spec_from(text).value(); }

/// The first queue of each of the next `n` looks.
Names firsts(QueueOrder& order, int n) {
  Names names;
  for (int i = 0; i < n; ++i) names.push_back(order.next().front());
  return names;
}

}  // namespace

TEST(Rank, IsLessForWhatCameFirst) { EXPECT_LT(rank(1, 0), rank(2, 0)); }

TEST(Rank, GivesAStepOfPriorityAnHoursHeadStart) {
  constexpr std::int64_t kHour = 3'600'000'000;
  EXPECT_LT(rank(kHour - 1, 1), rank(0, 0));
  EXPECT_EQ(rank(kHour, 1), rank(0, 0));
  EXPECT_GT(rank(kHour + 1, 1), rank(0, 0)) << "nothing starves";
  EXPECT_EQ(rank(0, -10) - rank(0, 10), 20 * kHour);
}

TEST(Rank, IsTheUsualOneWhereTheOrderIs) {
  EXPECT_EQ(rank(Order::Fifo, 5, 2, std::chrono::seconds(9), Time(Duration(1))), rank(5, 2));
}

TEST(Rank, OfTheShortestIsBoundedByWhatIsExpected) {
  const auto at = [](Duration expected) { return rank(Order::Shortest, 1'000, 0, expected, {}); };
  EXPECT_EQ(at(Duration{0}), 1'000);
  EXPECT_EQ(at(Duration(3)), 1'300);
  EXPECT_EQ(at(std::chrono::hours(9)), at(std::chrono::minutes(1)));
}

TEST(Rank, OfDeadlinesIsTheDeadlineAndNeverBeforeTheTick) {
  const auto at = [](std::optional<Time> deadline) { return rank(Order::Deadline, 1'000, 0, {}, deadline); };
  EXPECT_EQ(at(Time(Duration(5'000))), 5'000);
  EXPECT_EQ(at(Time(Duration(5))), 1'000);
  EXPECT_EQ(at({}), 1'000 + kUsualDeadline.count());
}

TEST(PoolSpec, TakesItsQueueFromItsName) {
  EXPECT_EQ(pool("fast=4"), (PoolSpec{"fast", 4, {{"fast", 0}}}));
  EXPECT_EQ(pool("fast=1"), (PoolSpec{"fast", 1, {{"fast", 0}}}));
  EXPECT_EQ(pool("fast=10000"), (PoolSpec{"fast", 10'000, {{"fast", 0}}}));
}

TEST(PoolSpec, ReadsQueuesInStrictOrder) {
  EXPECT_EQ(pool("fast=4:drinks,fries"), (PoolSpec{"fast", 4, {{"drinks", 0}, {"fries", 0}}}));
  EXPECT_EQ(pool("slow=2:burgers"), (PoolSpec{"slow", 2, {{"burgers", 0}}}));
}

TEST(PoolSpec, ReadsQueuesByWeight) {
  EXPECT_EQ(pool("p=4:a*3,b*1"), (PoolSpec{"p", 4, {{"a", 3}, {"b", 1}}}));
  EXPECT_EQ(pool("p=4:a*1000"), (PoolSpec{"p", 4, {{"a", 1'000}}}));
}

TEST(PoolSpec, RefusesOtherForms) {
  for (const std::string& bad : {""s,           "="s,
                                 "p"s,          "p="s,
                                 "=4"s,         "p=x"s,
                                 "p=4x"s,       "p= 4"s,
                                 "p=+4"s,       "p=-1"s,
                                 "p=0"s,        "p=10001"s,
                                 "p=4.0"s,      "p=99999999999999999999"s,
                                 "p=4:"s,       "p=4:,"s,
                                 "p=4:a,"s,     "p=4:,a"s,
                                 "p=4:a,,b"s,   "p=4:a b"s,
                                 "p=4:a/b"s,    "a b=4"s,
                                 "p:q=4"s,      "p=4=5"s,
                                 "p=4:a:b"s,    "p=4:a*"s,
                                 "p=4:*3"s,     "p=4:a*0"s,
                                 "p=4:a*1001"s, "p=4:a*-1"s,
                                 "p=4:a*1.5"s,  "p=4:a*3*3"s,
                                 "p=4:a*3,b"s,  "p=4:a,b*3"s,
                                 "p=4:a,a"s,    "p=4:a*1,a*2"s,
                                 "p=4:a,b,a"s,  "p=4\0"s,
                                 "p=4:\xFF"s,   "ü=4"s}) {
    EXPECT_NE(refusal(pool_spec_from(bad)), "") << base::quoted(bad);
  }
}

TEST(PoolSpec, NamesThePartItsValueAndWhatIsAllowed) {
  EXPECT_EQ(refusal(pool_spec_from("fast")), "pool: \"fast\" is not allowed; allowed is NAME=SLOTS[:QUEUE,...]");
  EXPECT_EQ(refusal(pool_spec_from("fast=0")), "pool's slots: \"0\" is not allowed; allowed is 1 to 10000");
  EXPECT_EQ(refusal(pool_spec_from("fast=1:a*0")), "pool's weight: \"0\" is not allowed; allowed is 1 to 1000");
  EXPECT_EQ(refusal(pool_spec_from("fast=1:a,a")), "pool's queues: \"a,a\" is not allowed; allowed is each queue once");
  EXPECT_EQ(refusal(pool_spec_from("fast=1:a,b*2")),
            "pool's queues: \"a,b*2\" is not allowed; allowed is either a weight for each (a*3,b*1) or for none (a,b)");
  EXPECT_NE(refusal(pool_spec_from("fast=1:a b")).find("pool's queue: \"a b\""), std::string::npos);
  EXPECT_NE(refusal(pool_spec_from("a b=1")).find("pool's name: \"a b\""), std::string::npos);
}

TEST(PoolSpec, BoundsNamesAndQueues) {
  const std::string longest(limits::kMaxNameBytes, 'n');
  EXPECT_EQ(pool(longest + "=1").name, longest);
  EXPECT_NE(refusal(pool_spec_from(longest + "n=1")), "");
  std::string many = "p=1:q0";
  for (std::size_t i = 1; i < limits::kMaxClaimQueues; ++i) many += ",q" + std::to_string(i);
  EXPECT_EQ(pool(many).queues.size(), limits::kMaxClaimQueues);
  EXPECT_NE(refusal(pool_spec_from(many + ",more")).find("at most 256 queues"), std::string::npos);
}

TEST(PoolSpec, SurvivesRubbish) {
  test::expect_survives(
      {"fast=4", "fast=4:drinks,fries", "p=4:a*3,b*1", "p=10000:a.b_c-d"},
      [](const std::string& text) { return pool_spec_from(text); },
      [](const PoolSpec& spec) {
        EXPECT_TRUE(check_queue("pool", spec.name).has_value());
        EXPECT_GE(spec.slots, 1);
        EXPECT_LE(spec.slots, limits::kMaxSlots);
        ASSERT_FALSE(spec.queues.empty());
        for (const PoolQueue& queue : spec.queues) {
          EXPECT_TRUE(check_queue("queue", queue.name).has_value());
          EXPECT_EQ(queue.weight == 0, spec.queues.front().weight == 0);
          EXPECT_LE(queue.weight, 1'000);
        }
      });
}

TEST(QueueOrder, NeverChangesWhenItIsStrict) {
  QueueOrder order({{"b", 0}, {"a", 0}});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order.next(), (Names{"b", "a"}));
}

TEST(QueueOrder, IsEmptyWithoutQueues) {
  QueueOrder order({});
  EXPECT_TRUE(order.next().empty());
}

TEST(QueueOrder, SpreadsTheLooksOfAWeightSmoothly) {
  QueueOrder order({{"a", 5}, {"b", 1}, {"c", 1}});
  EXPECT_EQ(firsts(order, 7), (Names{"a", "a", "b", "a", "c", "a", "a"})) << "the example of nginx";
  EXPECT_EQ(firsts(order, 7), (Names{"a", "a", "b", "a", "c", "a", "a"})) << "and again";
}

TEST(QueueOrder, LooksAtEveryQueueEachTime) {
  QueueOrder order({{"a", 3}, {"b", 2}, {"c", 1}});
  for (int i = 0; i < 20; ++i) {
    Names names = order.next();
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (Names{"a", "b", "c"}));
  }
}

TEST(QueueOrder, GivesEachQueueItsShare) {
  QueueOrder order({{"a", 1'000}, {"b", 500}, {"c", 1}});
  std::map<std::string, int> looks;
  for (int i = 0; i < 1'501 * 3; ++i) ++looks[order.next().front()];
  EXPECT_EQ(looks, (std::map<std::string, int>{{"a", 3'000}, {"b", 1'500}, {"c", 3}}));
}

}  // namespace galley::job
