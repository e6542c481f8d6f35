#pragma once
// A struct with one member of every type that a payload can hold.

#include <limits>

#include "galley/payload.hpp"

namespace galley::test {

enum class Color : std::uint8_t { Red, Green, Blue };
BOOST_DESCRIBE_ENUM(Color, Red, Green, Blue)

struct Size {
  int width = 200;
  int height = 100;
  friend bool operator==(const Size&, const Size&) = default;
};
BOOST_DESCRIBE_STRUCT(Size, (), (width, height))

struct Named {
  static constexpr std::array<std::string_view, 1> galley_required{"path"};
  std::string path;
  friend bool operator==(const Named&, const Named&) = default;
};
BOOST_DESCRIBE_STRUCT(Named, (), (path))

struct Picture : Named {
  static constexpr std::array<std::string_view, 1> galley_required{"size"};
  Size size;
  int quality = 85;
  friend bool operator==(const Picture&, const Picture&) = default;
};
BOOST_DESCRIBE_STRUCT(Picture, (Named), (size, quality))

struct Everything {
  bool flag = false;
  char letter = 'a';
  std::int8_t i8 = 0;
  std::uint8_t u8 = 0;
  std::int16_t i16 = 0;
  std::uint16_t u16 = 0;
  std::int32_t i32 = 0;
  std::uint32_t u32 = 0;
  std::int64_t i64 = 0;
  std::uint64_t u64 = 0;
  long long ll = 0;
  float f32 = 0;
  double f64 = 0;
  std::string text;
  std::optional<int> maybe;
  std::vector<std::string> words;
  std::vector<bool> flags;
  std::vector<Size> sizes;
  std::map<std::string, int> counts;
  std::array<int, 3> three{};
  Color color = Color::Red;
  std::chrono::seconds wait{0};
  std::chrono::duration<double> exact_wait{0};
  Size size;
  boost::json::value any;
  friend bool operator==(const Everything&, const Everything&) = default;
};
BOOST_DESCRIBE_STRUCT(Everything, (),
                      (flag, letter, i8, u8, i16, u16, i32, u32, i64, u64, ll, f32, f64, text, maybe, words, flags,
                       sizes, counts, three, color, wait, exact_wait, size, any))

/// All members far from their defaults.
inline Everything full() {
  Everything all;
  all.flag = true;
  all.letter = 'z';
  all.i8 = std::numeric_limits<std::int8_t>::min();
  all.u8 = std::numeric_limits<std::uint8_t>::max();
  all.i16 = std::numeric_limits<std::int16_t>::min();
  all.u16 = std::numeric_limits<std::uint16_t>::max();
  all.i32 = std::numeric_limits<std::int32_t>::min();
  all.u32 = std::numeric_limits<std::uint32_t>::max();
  all.i64 = std::numeric_limits<std::int64_t>::min();
  all.u64 = std::numeric_limits<std::uint64_t>::max();
  all.ll = -1;
  all.f32 = 0.1F;
  all.f64 = 0.1;
  all.text = std::string("Grüße\0\n\"\\", 11);
  all.maybe = 7;
  all.words = {"one", "", "three"};
  all.flags = {true, false, true};
  all.sizes = {{1, 2}, {3, 4}};
  all.counts = {{"a", 1}, {"", 2}, {"a.b", 3}};
  all.three = {1, 2, 3};
  all.color = Color::Blue;
  all.wait = std::chrono::seconds(90);
  all.exact_wait = std::chrono::duration<double>(0.25);
  all.size = {5, 6};
  all.any = {{"deep", {1, 2.5, nullptr, "x"}}};
  return all;
}

}  // namespace galley::test
