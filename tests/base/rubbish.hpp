#pragma once
// Seeded rubbish for parsers: random bytes and mutations of valid texts. GALLEY_SEED=S repeats a failure.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "galley/error.hpp"

namespace galley::test {

class Rubbish {
 public:
  explicit Rubbish(std::vector<std::string> valid) : valid_(std::move(valid)) {}

  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  std::string next() {
    if (random_.bits() % 4 == 0) return random_bytes();
    std::string text = valid_[below(valid_.size())];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) mutate(text);
    return text;
  }

 private:
  static std::uint64_t seed_from_environment() {
    const char* const text = std::getenv("GALLEY_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_.bits() % bound); }
  /// Mostly what parsers look for, sometimes any byte.
  char any_char() {
    constexpr std::string_view kLikely = "0123456789.:,=*-+@TZ smhdu\"\\{}[]e\n";
    return random_.bits() % 4 == 0 ? static_cast<char>(random_.bits() & 0xFFU) : kLikely[below(kLikely.size())];
  }
  std::string random_bytes() {
    std::string text(below(40), ' ');
    for (char& c : text) c = any_char();
    return text;
  }
  void mutate(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (random_.bits() % 5) {
      case 0: text.insert(at, 1, any_char()); break;
      case 1: text.erase(at, 1 + below(3)); break;
      case 2: text.resize(at); break;
      case 3: text.insert(at, text.substr(0, 1 + below(8))); break;  // at most doubles, so it stays small
      default:
        if (at < text.size()) text[at] = any_char();
    }
  }

  std::uint64_t seed_ = seed_from_environment();
  base::Random random_{seed_};
  std::vector<std::string> valid_;
};

/// `parse` answers 20,000 texts with a value or with InvalidInput and a printable sentence; `check` sees the values.
template <class Parse, class Check>
void expect_survives(std::vector<std::string> valid, Parse parse, Check check) {
  for (const std::string& text : valid) EXPECT_TRUE(parse(text).has_value()) << text;
  Rubbish rubbish(std::move(valid));
  int good = 0;
  for (int i = 0; i < 20'000 && !testing::Test::HasFailure(); ++i) {
    const std::string text = rubbish.next();
    SCOPED_TRACE(base::quoted(text) + ", GALLEY_SEED=" + std::to_string(rubbish.seed()));
    auto result = parse(text);
    if (result) {
      ++good;
      check(*result);
    } else {
      EXPECT_EQ(result.error().code, Errc::InvalidInput);
      EXPECT_FALSE(result.error().message.empty());
      EXPECT_TRUE(base::is_printable(result.error().message)) << result.error().message;
      EXPECT_LT(result.error().message.size(), 1000U);
    }
  }
  EXPECT_GT(good, 20) << "the mutations are too wild to test anything";
  EXPECT_LT(good, 19'000) << "the mutations are too tame to test anything";
}

}  // namespace galley::test
