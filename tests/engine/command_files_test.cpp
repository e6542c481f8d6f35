#include "engine/command_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/temp_dir.hpp"

namespace galley::engine {
namespace {

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void put(const OutputFile& file, std::string_view text) {
  EXPECT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST(OutputFile, StandsUnderItsNameOnceItIsKept) {
  test::TempDir dir;
  const std::string path = dir.file("out");
  {
    auto dropped = OutputFile::open(path).value();
    put(dropped, "half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path).parent_path()));
  auto kept = OutputFile::open(path).value();
  put(kept, "whole");
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(kept.keep());
  EXPECT_EQ(content_of(path), "whole");
}

TEST(OutputFile, OfTwoAttemptsAtOnceTheLaterOneAloneIsKept) {
  test::TempDir dir;
  const std::string path = dir.file("out");
  auto later = OutputFile();
  {
    auto lost = OutputFile::open(path).value();  // its lease has ended, and it does not know yet
    put(lost, "first");
    later = OutputFile::open(path).value();
    put(later, "second");
    put(lost, " goes on");
    EXPECT_FALSE(lost.keep());
  }
  ASSERT_TRUE(later.keep());
  EXPECT_EQ(content_of(path), "second");
}

}  // namespace
}  // namespace galley::engine
