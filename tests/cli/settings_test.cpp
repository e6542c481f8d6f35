#include "cli/settings.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace galley::cli {
namespace {

TEST(Settings, WhatIsNoTomlIsToldInOneShortPrintableLine) {
  const std::string endless = "a = \"" + std::string(5'000, 'x') + "\x1B";
  for (const std::string& text : {std::string("a=n\nb = 1\n"), std::string("a = \x1B[2J\n"), endless}) {
    const auto read = settings_from_toml(text, "galley.toml");
    ASSERT_FALSE(read) << text;
    const std::string& message = read.error().message;
    EXPECT_EQ(message.substr(0, 14), "galley.toml:1:");
    EXPECT_TRUE(base::is_printable(message)) << message;
    EXPECT_LT(message.size(), 1'300U);
  }
}

}  // namespace
}  // namespace galley::cli
