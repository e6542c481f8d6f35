#include "open/url.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace galley::open {
namespace {

using namespace std::chrono_literals;

std::string refusal(std::string_view url) {
  const auto parsed = store_url_from(url);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Errc::InvalidInput);
  return parsed.error().message;
}

TEST(StoreUrl, TheBusyTimeoutIsADurationUpToTenMinutes) {
  EXPECT_EQ(store_url_from("sqlite:a.db")->sqlite.busy_timeout, 30s);
  EXPECT_EQ(store_url_from("sqlite:a.db?busy_timeout=5s")->sqlite.busy_timeout, 5s);
  EXPECT_EQ(store_url_from("sqlite:a.db?durability=normal&busy_timeout=0")->sqlite.busy_timeout, 0s);
  EXPECT_EQ(store_url_from("sqlite:a.db?busy_timeout=10m")->sqlite.busy_timeout, 10min);
  EXPECT_NE(refusal("sqlite:a.db?busy_timeout=11m").find("allowed is 0 (fail at once) to 10m"), std::string::npos);
  EXPECT_NE(refusal("sqlite:a.db?busy_timeout=soon").find("busy_timeout"), std::string::npos);
  EXPECT_NE(refusal("sqlite:a.db?busy_timeout="), "");
}

TEST(StoreUrl, AnUnknownOptionIsNamed) {
  EXPECT_NE(refusal("sqlite:a.db?durable=1").find("unknown option \"durable=1\""), std::string::npos);
}

TEST(StoreUrl, ARefusalIsPrintableAndShortWhateverWasGiven) {
  EXPECT_NE(refusal("\x1b[2J").find("\"\\x1b[2J\""), std::string::npos);
  EXPECT_LT(refusal(std::string(100'000, 'x')).size(), 1'000U);
}

}  // namespace
}  // namespace galley::open
