#include "job/job.hpp"

#include <gtest/gtest.h>

namespace galley::job {

TEST(Content, IsReadBackByItsName) {
  EXPECT_EQ(name(Content::Json), "json");
  EXPECT_EQ(name(Content::Bytes), "bytes");
  EXPECT_EQ(name(Content::Command), "command");
  for (const Content content : {Content::Json, Content::Bytes, Content::Command}) {
    EXPECT_EQ(content_from(name(content)), content);
  }
  EXPECT_EQ(content_from(""), std::nullopt);
  EXPECT_EQ(content_from("Json"), std::nullopt);
  EXPECT_EQ(content_from("jsonx"), std::nullopt);
}

}  // namespace galley::job
