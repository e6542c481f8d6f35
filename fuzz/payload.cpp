#include "galley/payload.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

enum class Color : std::uint8_t { Red, Green, Blue };
BOOST_DESCRIBE_ENUM(Color, Red, Green, Blue)

struct Size {
  int width = 200;
  std::uint8_t height = 100;
};
BOOST_DESCRIBE_STRUCT(Size, (), (width, height))

struct Named {
  static constexpr std::array<std::string_view, 1> galley_required{"path"};
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Named, (), (path))

struct Picture : Named {
  bool flag = false;
  std::int64_t i64 = 0;
  std::uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
  std::optional<int> maybe;
  std::vector<std::string> words;
  std::vector<Size> sizes;
  std::map<std::string, Size> by_name;
  std::array<int, 3> three{};
  Color color = Color::Red;
  std::chrono::seconds wait{0};
  boost::json::value any;
};
BOOST_DESCRIBE_STRUCT(Picture, (Named),
                      (flag, i64, u64, f32, f64, maybe, words, sizes, by_name, three, color, wait, any))

struct Tree {
  std::vector<Tree> children;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (children))

template <class T>
void check(std::string_view input) {
  const auto read = Codec<T>::decode(input);
  if (refused(read)) return;
  const std::string text = Codec<T>::encode(*read);
  const auto again = Codec<T>::decode(text);
  require(again.has_value(), "what was written can be read", text);
  require(Codec<T>::encode(*again) == text, "what was written reads the same", text);
}

}  // namespace

void payload(std::string_view input) {
  check<Picture>(input);
  check<Tree>(input);
  check<boost::json::value>(input);
}

}  // namespace galley::fuzz
