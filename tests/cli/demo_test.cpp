// The demo's proof must be able to fail: one wrong byte, one missing, one too many.

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "cli/demo_counter.hpp"
#include "cli/demo_menu.hpp"
#include "store/temp_dir.hpp"

namespace galley::cli::demo {
namespace {

class Taste : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) {
    std::ofstream(dir_.file(name), std::ios::binary) << bytes;
    return dir_.file(name);
  }
  std::string packed(const std::string& bytes) {
    const std::string path = dir_.file("meal.gz");
    const gzFile out = gzopen(path.c_str(), "wb9");
    EXPECT_EQ(gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    gzclose(out);
    return path;
  }

  test::TempDir dir_;
  const std::string one_ = std::string(100'000, 'a');
  const std::string two_ = "second";
  Meal meal_{{file("one", one_), file("two", two_)}, ""};
};

TEST_F(Taste, TheSameBytesAreRight) {
  meal_.output = packed(one_ + two_);
  EXPECT_TRUE(taste(meal_));
}

TEST_F(Taste, OneWrongByteIsNamed) {
  std::string wrong = one_ + two_;
  wrong[70'001] = 'b';
  meal_.output = packed(wrong);
  const auto answer = taste(meal_);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("70001"), std::string::npos) << answer.error().message;
}

TEST_F(Taste, AMissingAndASurplusByteAreSeen) {
  meal_.output = packed(one_ + "secon");
  EXPECT_FALSE(taste(meal_));
  meal_.output = packed(one_ + two_ + "!");
  EXPECT_FALSE(taste(meal_));
  meal_.output = dir_.file("none.gz");
  EXPECT_FALSE(taste(meal_));
}

TEST(Waits, AreTakenByNearestRank) {
  std::vector<Duration> waits;
  for (int i = 100; i >= 1; --i) waits.emplace_back(i);
  const Waits found = waits_of(waits);
  EXPECT_EQ(found.p50, Duration(50));
  EXPECT_EQ(found.p99, Duration(99));
  EXPECT_EQ(found.max, Duration(100));
  EXPECT_EQ(waits_of({}).max, Duration(0));
}

}  // namespace
}  // namespace galley::cli::demo
