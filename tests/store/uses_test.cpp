#include "store/sqlite/uses.hpp"

#include <gtest/gtest.h>

namespace galley::store::sqlite {
namespace {

std::string again(const std::string& text) { return text_from(holds_from(text)); }

TEST(Holds, AreWhatTheyWereAsText) {
  EXPECT_EQ(text_from({{3, ""}}), "3");
  EXPECT_EQ(text_from({{3, "ann"}, {7, ""}, {12, ""}}), "7,12,3:ann") << "the one of each key stands last";
  for (const char* text : {"3", "3,7", "7,3:ann", "3:a,9:b", "3::", "3:"}) {
    EXPECT_EQ(again(text), text == std::string("3:") ? "3" : text);
  }
  EXPECT_EQ(holds_from("7,3:a,9:b").at(1).key, "a,9:b") << "a key may hold what divides the others";
  EXPECT_TRUE(holds_from("").empty());
}

TEST(Holds, OfRubbishAreDamage) {
  for (const char* text : {"x", "3,x", "3;4", ",", "3,,4"}) EXPECT_THROW((void)holds_from(text), SqlError) << text;
}

}  // namespace
}  // namespace galley::store::sqlite
