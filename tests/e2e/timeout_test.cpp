// Time-outs of kinds, as `galley work` has them.

#include <gtest/gtest.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

TEST(WorkTimeout, OfAKindIsForItsCommandsThatHaveNone) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "sleep", "600"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--timeout", "150ms", "--", "sleep", "600"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--kind", "short", "--", "true"}).exit_code, 0);
  const Finished end =
      bench.run({"work", "--allow-commands", "--drain", "--timeout", "sleep=100ms", "--timeout", "short=1h"});
  EXPECT_EQ(end.exit_code, 1) << end.err;
  EXPECT_EQ(bench.job(1).at("error"), "timed out after 100ms: killed by SIGTERM");
  EXPECT_EQ(bench.job(2).at("error"), "timed out after 150ms: killed by SIGTERM");
  EXPECT_EQ(bench.state(3), "completed");
}

TEST(WorkTimeout, MustNameAKindAndATime) {
  const Bench bench;
  const auto refused = [&](const char* text, const char* why) {
    const Finished end = bench.run({"work", "--allow-commands", "--drain", "--timeout", text});
    EXPECT_EQ(end.exit_code, 2);
    EXPECT_NE(end.err.find(why), std::string::npos) << end.err;
  };
  refused("5s", "allowed is KIND=TIME");
  refused("sleep=soon", "soon");
  refused("a b=5s", "a b");
  refused("sleep=0s", "more than 0s");
}

}  // namespace
}  // namespace galley::test
