#include "galley/payload.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/expect.hpp"
#include "base/rubbish.hpp"
#include "payload/types.hpp"

namespace galley::test {

namespace {

template <class T>
T decoded(std::string_view text) {
  return Codec<T>::decode(text).value();
}

template <class T>
std::string fault(std::string_view text) {
  return refusal(Codec<T>::decode(text));
}

template <class T>
struct Box {
  T v{};
};
BOOST_DESCRIBE_STRUCT(Box<bool>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<char>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::int8_t>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::uint8_t>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<int>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::int64_t>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::uint64_t>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<float>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<double>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::string>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::optional<int>>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::optional<double>>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<std::chrono::milliseconds>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<boost::json::value>, (), (v))
BOOST_DESCRIBE_STRUCT(Box<Color>, (), (v))

/// The value of a box's only member, and the refusal of one.
template <class T>
T value(const std::string& json) {
  return decoded<Box<T>>("{\"v\":" + json + "}").v;
}
template <class T>
std::string bad(const std::string& json) {
  return fault<Box<T>>("{\"v\":" + json + "}");
}
template <class T>
std::string text_of(T v) {
  return Codec<Box<T>>::encode({std::move(v)});
}

struct Tree {
  std::vector<Tree> children;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (children))

}  // namespace

TEST(Payload, IsAnObjectWithTheMembersNames) { EXPECT_EQ(Codec<Size>::encode({1, 2}), R"({"width":1,"height":2})"); }

TEST(Payload, IsReadBackWithEveryType) {
  EXPECT_EQ(decoded<Everything>(Codec<Everything>::encode(full())), full());
  EXPECT_EQ(decoded<Everything>(Codec<Everything>::encode({})), Everything{});
}

TEST(Payload, KeepsTheDefaultOfWhatIsAbsent) {
  EXPECT_EQ(decoded<Size>("{}"), (Size{200, 100}));
  EXPECT_EQ(decoded<Size>(R"({"height":7})"), (Size{200, 7}));
}

TEST(Payload, IgnoresMembersItDoesNotKnow) {
  EXPECT_EQ(decoded<Size>(R"({"depth":[1,{"x":null}],"width":7})"), (Size{7, 100}));
}

TEST(Payload, CarriesTheMembersOfBases) {
  Picture picture;
  picture.path = "cat.png";
  picture.size = {1, 2};
  const std::string text = Codec<Picture>::encode(picture);
  EXPECT_EQ(text, R"({"path":"cat.png","size":{"width":1,"height":2},"quality":85})");
  EXPECT_EQ(decoded<Picture>(text), picture);
}

TEST(Payload, WantsTheRequiredMembersOfAStructAndOfItsBases) {
  EXPECT_EQ(decoded<Picture>(R"({"path":"a","size":{}})").quality, 85);
  EXPECT_EQ(fault<Picture>(R"({"size":{}})"), "path: is missing and has no default");
  EXPECT_EQ(fault<Picture>(R"({"path":"a"})"), "size: is missing and has no default");
}

TEST(Payload, NamesThePathOfAFault) {
  EXPECT_EQ(fault<Everything>(R"({"size":{"width":"wide"}})"),
            "size.width: \"wide\" is not allowed; allowed is an integer from -2147483648 to 2147483647");
  EXPECT_EQ(fault<Everything>(R"({"sizes":[{},{"height":true}]})").substr(0, 16), "sizes[1].height:");
  EXPECT_EQ(fault<Everything>(R"({"words":["a",1]})"), "words[1]: 1 is not allowed; allowed is a string");
  EXPECT_EQ(fault<Everything>(R"({"counts":{"x":"y"}})").substr(0, 9), "counts.x:");
}

TEST(Payload, CutsALongValueBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "€";
  const std::string message = bad<int>('"' + text + '"');
  EXPECT_TRUE(base::is_utf8(message));
  EXPECT_LT(message.size(), 200U);
  EXPECT_NE(message.find("€... is not allowed"), std::string::npos) << message;
}

TEST(Payload, ShowsNothingThatWouldDriveATerminalAndNoLongName) {
  EXPECT_EQ(fault<Size>("\"\x7F\xC2\x9B\""), R"(arguments: "\u007f\u009b" is not allowed; allowed is an object)");
  EXPECT_EQ(fault<Everything>(R"({"counts":{"a\n\u001b":"y"}})").substr(0, 25), R"(counts.a\u000a\u001b: "y")");
  const std::string message = fault<Everything>(R"({"counts":{")" + std::string(5'000, 'k') + R"(":"y"}})");
  EXPECT_LT(message.size(), 250U) << message;
  EXPECT_NE(message.find("kkk...: \"y\""), std::string::npos) << message;
}

TEST(Payload, RefusesWhatIsNotAnObject) {
  EXPECT_EQ(fault<Size>("[1]"), "arguments: [1] is not allowed; allowed is an object");
  for (const char* const text : {"null", "1", "\"x\"", "true"}) EXPECT_NE(fault<Size>(text), "") << text;
}

TEST(Payload, RefusesWhatIsNotJson) {
  for (const char* const text : {"", " ", "{", "{}}", "{\"width\":}", "{'width':1}", "{\"width\":1,}", "{\"width\":01}",
                                 "nul", "{} x", "{\"\xFF\":1}", "\xEF\xBB\xBF{}", "{\"width\":NaN}", "// x\n{}"}) {
    EXPECT_EQ(fault<Size>(text).substr(0, 20), "arguments: not JSON:") << text;
  }
}

TEST(Payload, ReadsIntegersWithinTheirRangeOnly) {
  EXPECT_EQ(value<std::int8_t>("-128"), -128);
  EXPECT_EQ(value<std::int8_t>("127"), 127);
  EXPECT_EQ(bad<std::int8_t>("128"), "v: 128 is not allowed; allowed is an integer from -128 to 127");
  EXPECT_EQ(bad<std::int8_t>("-129"), "v: -129 is not allowed; allowed is an integer from -128 to 127");
  EXPECT_EQ(bad<std::uint8_t>("-1"), "v: -1 is not allowed; allowed is an integer from 0 to 255");
  EXPECT_EQ(value<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_NE(bad<std::int64_t>("9223372036854775808"), "");
  EXPECT_NE(bad<std::uint64_t>("18446744073709551616"), "");
  EXPECT_NE(bad<int>("2147483648"), "");
  EXPECT_EQ(value<char>("65"), 'A');
}

TEST(Payload, TakesADoubleForAnIntegerOnlyWhereItIsExact) {
  EXPECT_EQ(value<int>("3.0"), 3);
  EXPECT_EQ(value<int>("2e3"), 2000);
  EXPECT_EQ(value<std::int64_t>("9007199254740992.0"), 9007199254740992);
  EXPECT_NE(bad<int>("3.5"), "");
  EXPECT_NE(bad<int>("3e9"), "");
  EXPECT_NE(bad<std::uint8_t>("-1.0"), "");
  EXPECT_NE(bad<std::int64_t>("9007199254740994.0"), "");
  EXPECT_NE(bad<std::int64_t>("1e300"), "");
}

TEST(Payload, RefusesOtherTypesForNumbersAndFlags) {
  for (const char* const text : {"\"1\"", "true", "null", "[]", "{}"}) {
    EXPECT_NE(bad<int>(text), "") << text;
    EXPECT_NE(bad<double>(text), "") << text;
  }
  EXPECT_EQ(bad<bool>("1"), "v: 1 is not allowed; allowed is true or false");
  EXPECT_EQ(bad<std::string>("1"), "v: 1 is not allowed; allowed is a string");
}

TEST(Payload, ReadsAnyNumberForAFloatThatHoldsIt) {
  EXPECT_EQ(value<double>("1"), 1.0);
  EXPECT_EQ(value<double>("-0.5"), -0.5);
  EXPECT_EQ(value<double>("18446744073709551615"), 18446744073709551615.0);
  EXPECT_EQ(value<float>("3e38"), 3e38F);
  EXPECT_EQ(bad<float>("1e39"), "v: 1E39 is not allowed; allowed is a number that a float can hold");
}

TEST(Payload, CarriesEveryDoubleExactly) {
  base::Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    const double sign = random.bits() % 2 == 0 ? 1 : -1;
    const double exact = sign * std::ldexp(random.unit(), static_cast<int>(random.bits() % 2'000) - 1'000);
    EXPECT_EQ(decoded<Box<double>>(text_of(exact)).v, exact);
    EXPECT_EQ(decoded<Box<boost::json::value>>(text_of(boost::json::value(exact))).v, exact);
    const auto single = static_cast<float>(random.unit());
    EXPECT_EQ(decoded<Box<float>>(text_of(single)).v, single);
  }
  for (const double exact : {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
                             std::numeric_limits<double>::denorm_min(), -0.0, 1e22, 123456789012345678901234.0}) {
    EXPECT_EQ(decoded<Box<double>>(text_of(exact)).v, exact);
  }
  EXPECT_EQ(value<double>("1e-400"), 0.0);
  EXPECT_NE(bad<double>("1e400"), "");
}

TEST(Payload, WritesNumbersThatJsonLacksAsNull) {
  EXPECT_EQ(text_of(std::nan("")), R"({"v":null})");
  EXPECT_EQ(text_of(std::numeric_limits<float>::infinity()), R"({"v":null})");
  EXPECT_EQ(text_of(std::optional<double>(std::nan(""))), R"({"v":null})");
  EXPECT_NE(bad<double>("null"), "");
  EXPECT_EQ(value<std::optional<double>>("null"), std::nullopt);
}

TEST(Payload, ReadsNullAsNoneOfAnOptional) {
  EXPECT_EQ(value<std::optional<int>>("null"), std::nullopt);
  EXPECT_EQ(value<std::optional<int>>("5"), 5);
  EXPECT_NE(bad<std::optional<int>>("\"5\""), "");
  EXPECT_EQ(text_of(std::optional<int>{}), R"({"v":null})");
}

TEST(Payload, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(text_of(std::string("a\xFFz")), "{\"v\":\"a\xEF\xBF\xBDz\"}");
  boost::json::value any = {{"a\xFF", {"b\xFF", std::nan("")}}};
  EXPECT_EQ(text_of(any), "{\"v\":{\"a\xEF\xBF\xBD\":[\"b\xEF\xBF\xBD\",null]}}");
  Everything all;
  all.counts = {{"c\xFF", 1}};
  EXPECT_EQ(decoded<Everything>(Codec<Everything>::encode(all)).counts.at("c\xEF\xBF\xBD"), 1);
}

TEST(Payload, KnowsEnumeratorsByName) {
  EXPECT_EQ(text_of(Color::Green), R"({"v":"Green"})");
  EXPECT_EQ(value<Color>("\"Blue\""), Color::Blue);
  EXPECT_EQ(bad<Color>("\"Pink\""), R"(v: "Pink" is not allowed; allowed is one of "Red", "Green", "Blue")");
  EXPECT_NE(bad<Color>("1"), "");
  EXPECT_NE(bad<Color>("\"red\""), "");
  EXPECT_NE(bad<Color>("\"Red\\u0000\""), "");
}

TEST(Payload, WritesAnEnumeratorWithoutANameAsItsNumber) {
  EXPECT_EQ(text_of(static_cast<Color>(9)), R"({"v":9})");
  EXPECT_NE(bad<Color>("9"), "");
}

TEST(Payload, WritesADurationAsANumberInItsOwnUnit) {
  EXPECT_EQ(text_of(std::chrono::milliseconds(1500)), R"({"v":1500})");
  EXPECT_EQ(value<std::chrono::milliseconds>("250"), std::chrono::milliseconds(250));
  EXPECT_NE(bad<std::chrono::milliseconds>("\"250ms\""), "");
  EXPECT_NE(bad<std::chrono::milliseconds>("0.5"), "");
}

TEST(Payload, WantsAsManyItemsAsAnArrayHas) {
  EXPECT_EQ(fault<Everything>(R"({"three":[1,2]})"), "three: [1,2] is not allowed; allowed is an array of 3");
  EXPECT_NE(fault<Everything>(R"({"three":[1,2,3,4]})"), "");
  EXPECT_NE(fault<Everything>(R"({"three":{}})"), "");
  EXPECT_NE(fault<Everything>(R"({"words":{}})"), "");
  EXPECT_NE(fault<Everything>(R"({"counts":[]})"), "");
}

TEST(Payload, BoundsItsDepth) {
  const auto nested = [](int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += "{\"children\":[";
    for (int i = 0; i < levels; ++i) text += "]}";
    return text;
  };
  EXPECT_TRUE(Codec<Tree>::decode(nested(16)).has_value());
  EXPECT_NE(fault<Tree>(nested(17)), "");
  EXPECT_NE(fault<Tree>(nested(100'000)), "");
  EXPECT_NE(fault<Size>("{\"unknown\":" + std::string(100'000, '[')), "");
}

TEST(Payload, SurvivesRubbish) {
  expect_survives(
      {Codec<Everything>::encode(full()), Codec<Everything>::encode({}), "{}",
       R"({"sizes":[{"width":1}],"counts":{"a":1},"color":"Red","u8":255,"text":"x","f64":1e3})"},
      [](const std::string& text) { return Codec<Everything>::decode(text); },
      [](const Everything& all) {
        // What was read can be written, and reads the same.
        EXPECT_EQ(decoded<Everything>(Codec<Everything>::encode(all)), all);
      });
}

}  // namespace galley::test
