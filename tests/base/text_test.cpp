#include "base/text.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/random.hpp"

namespace galley::base {

using namespace std::string_literals;

TEST(Utf8, KnowsWellFormedSequences) {
  for (const std::string& good :
       {""s, "plain"s, "\0"s, "\x7f"s, "ä"s, "€"s, "😀"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s, "\xF4\x8F\xBF\xBF"s}) {
    EXPECT_TRUE(is_utf8(good)) << base::quoted(good);
  }
}

TEST(Utf8, RefusesStrayOverlongSurrogateTooLargeAndCutSequences) {
  for (const std::string& bad : {"\x80"s, "\xC0\x80"s, "\xC1\xBF"s, "\xE0\x80\x80"s, "\xE0\x9F\xBF"s, "\xED\xA0\x80"s,
                                 "\xF0\x8F\xBF\xBF"s, "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s, "\xFF"s, "\xC3"s,
                                 "\xE2\x82"s, "\xF0\x9F\x98"s, "\xC3\x41"s, "\xE2\x82\x41"s, "a\xF0\x9F\x98z"s}) {
    EXPECT_FALSE(is_utf8(bad)) << base::quoted(bad);
    EXPECT_FALSE(is_printable(bad)) << base::quoted(bad);
  }
}

TEST(Printable, RefusesControlCharacters) {
  EXPECT_TRUE(is_printable("Grüße, 1 € \xC2\xA0"));
  for (const std::string& bad : {"\0"s, "a\nb"s, "\t"s, "\x1b[1m"s, "\x7f"s, "\xC2\x80"s, "\xC2\x9F"s}) {
    EXPECT_FALSE(is_printable(bad)) << base::quoted(bad);
  }
}

TEST(ToUtf8, KeepsWhatIsValidAndReplacesEachOtherByte) {
  EXPECT_EQ(to_utf8("Grüße\n"), "Grüße\n");
  EXPECT_EQ(to_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(to_utf8("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(ToUtf8, MakesAnyBytesValid) {
  Random random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes(random.bits() % 30, ' ');
    for (char& c : bytes) c = static_cast<char>(random.bits() & 0xFFU);
    EXPECT_TRUE(is_utf8(to_utf8(bytes)));
    EXPECT_TRUE(is_printable(base::quoted(bytes)));
  }
}

TEST(Cut, KeepsWholeCharactersOfTheHead) {
  EXPECT_EQ(head_of("abc", 3), "abc");
  EXPECT_EQ(head_of("abcd", 3), "abc");
  EXPECT_EQ(head_of("a€", 4), "a€");
  EXPECT_EQ(head_of("a€b", 4), "a€");
  EXPECT_EQ(head_of("a€b", 3), "a");
  EXPECT_EQ(head_of("a€b", 2), "a");
  EXPECT_EQ(head_of("€", 0), "");
}

TEST(Cut, KeepsWholeCharactersOfTheTail) {
  EXPECT_EQ(tail_of("abc", 3), "abc");
  EXPECT_EQ(tail_of("abcd", 3), "bcd");
  EXPECT_EQ(tail_of("a€b", 4), "€b");
  EXPECT_EQ(tail_of("a€b", 3), "b");
  EXPECT_EQ(tail_of("a€b", 2), "b");
  EXPECT_EQ(tail_of("€", 0), "");
}

/// Appends thirty times what `more` gives.
void expect_tail_of_all(std::size_t max, const std::function<std::string()>& more) {
  std::string all;
  std::string tail;
  for (int i = 0; i < 30; ++i) {
    const std::string next = more();
    all += next;
    append_tail(tail, next, max);
    EXPECT_EQ(tail_of(tail, max), tail_of(all, max));
    EXPECT_LE(tail.size(), 2 * max);
  }
}

TEST(AppendTail, EndsAsIfAllHadBeenKeptAndCutOnce) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    expect_tail_of_all(1 + random.bits() % 40, [&] {
      std::string more;
      for (std::size_t n = random.bits() % 20; n > 0; --n) more += random.bits() % 3 == 0 ? "€" : "a";
      return more;
    });
  }
}

TEST(AppendTail, EndsTheSameForBytesThatAreNoText) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    expect_tail_of_all(1 + random.bits() % 6, [&] {
      std::string more;
      for (std::size_t n = random.bits() % 9; n > 0; --n) more += "\x80\xBF\xE2\x61"[random.bits() % 4];
      return more;
    });
  }
}

TEST(Quoted, EscapesWhatCouldBreakALineOrATerminal) {
  EXPECT_EQ(base::quoted("plain Grüße"), "\"plain Grüße\"");
  EXPECT_EQ(base::quoted("a\"b\\c\nd\te\x1b\xFF"), R"("a\"b\\c\nd\te\x1b\xff")");
  EXPECT_EQ(base::quoted("\xC2\x9B"), R"("\xc2\x9b")");
}

TEST(Quoted, CutsAfterAHundredCharacters) {
  EXPECT_EQ(base::quoted(std::string(100, 'x')), '"' + std::string(100, 'x') + '"');
  EXPECT_EQ(base::quoted(std::string(101, 'x')), '"' + std::string(100, 'x') + "\"...");
}

TEST(AppendTail, BeginsWithAWholeCharacterWhereAPieceIsAsLongAsTheTail) {
  const std::string sun = "\xe6\x97\xa5";
  std::string tail = "ab" + sun.substr(0, 1);
  append_tail(tail, sun.substr(1) + "xyz", 5);
  EXPECT_EQ(tail_of(tail, 5), "xyz");
}

}  // namespace galley::base
