#include "galley/runtime/task.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

namespace galley {
namespace {

class NoContext final : public TaskContext {
 public:
  [[nodiscard]] int dispatcher() const noexcept override { return 7; }
  [[nodiscard]] int worker() const noexcept override { return 0; }
  [[nodiscard]] void* state() const noexcept override { return nullptr; }
  [[nodiscard]] std::stop_token stop_token() override { return {}; }
};

TEST(Task, RunsWhatItHoldsWithOrWithoutTheContext) {
  NoContext context;
  int seen = 0;
  Task plain{[&seen] { seen += 1; }};
  Task with{[&seen](TaskContext& its) { seen += 10 * its.dispatcher(); }};
  plain(context);
  with(context);
  EXPECT_EQ(seen, 71);
}

TEST(Task, AnEmptyOneIsFalseAndAMovedFromOneIsEmpty) {
  Task none;
  EXPECT_FALSE(none);
  Task one{[] {}};
  Task other{std::move(one)};
  EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_TRUE(other);
  one = std::move(other);
  EXPECT_TRUE(one);
  one.reset();
  EXPECT_FALSE(one);
}

template <std::size_t kBytes>
void destroys_exactly_once() {
  const auto alive = std::make_shared<int>(0);
  {
    Task task{[alive, ballast = std::array<char, kBytes>{}] { static_cast<void>(ballast); }};
    EXPECT_EQ(alive.use_count(), 2);
    Task moved{std::move(task)};
    Task assigned{[] {}};
    assigned = std::move(moved);
    EXPECT_EQ(alive.use_count(), 2);
    NoContext context;
    assigned(context);
    EXPECT_EQ(alive.use_count(), 2);  // it holds it until it is reset
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Task, WhatFitsIsMovedAndDestroyedOnce) { destroys_exactly_once<16>(); }
TEST(Task, WhatIsLargeIsMovedAndDestroyedOnce) { destroys_exactly_once<400>(); }

TEST(Task, GivesWhatItHoldsToWhoKnowsItsType) {
  struct Small {
    int number;
    void operator()() const {}
  };
  struct Large : Small {
    std::array<char, 400> ballast;
  };
  Task small{Small{7}};
  Task large{Large{{8}, {}}};
  EXPECT_EQ(small.target<Small>()->number, 7);
  EXPECT_EQ(large.target<Large>()->number, 8);
  EXPECT_EQ(small.target<Large>(), nullptr);
  EXPECT_EQ(large.target<Small>(), nullptr);
  EXPECT_EQ(Task().target<Small>(), nullptr);
}

TEST(Task, HoldsWhatCanOnlyBeMoved) {
  NoContext context;
  std::string seen;
  Task task{[text = std::make_unique<std::string>("hello"), &seen] { seen = *text; }};
  task(context);
  EXPECT_EQ(seen, "hello");
}

}  // namespace
}  // namespace galley
