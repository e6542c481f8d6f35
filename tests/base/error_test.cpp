#include "galley/error.hpp"

#include <gtest/gtest.h>

namespace galley {

TEST(Errc, HasAStableNamePerCode) {
  EXPECT_EQ(name(Errc::InvalidInput), "invalid_input");
  EXPECT_EQ(name(Errc::NotFound), "not_found");
  EXPECT_EQ(name(Errc::WrongState), "wrong_state");
  EXPECT_EQ(name(Errc::LeaseLost), "lease_lost");
  EXPECT_EQ(name(Errc::QueueFull), "queue_full");
  EXPECT_EQ(name(Errc::Unavailable), "unavailable");
  EXPECT_EQ(name(Errc::NotAStore), "not_a_store");
  EXPECT_EQ(name(Errc::NewerSchema), "newer_schema");
  EXPECT_EQ(name(Errc::ReadOnly), "read_only");
  EXPECT_EQ(name(Errc::DiskFull), "disk_full");
  EXPECT_EQ(name(Errc::Io), "io");
  EXPECT_EQ(name(Errc::NotAllowed), "not_allowed");
  EXPECT_EQ(name(Errc::Conflict), "conflict");
  EXPECT_EQ(name(Errc::TimedOut), "timed_out");
}

TEST(Result, ThrowsItsErrorWhenItsValueIsTakenAnyway) {
  const Result<int> result = Error{Errc::DiskFull, "no space is left", Written::Unknown};
  try {
    (void)result.value();
    FAIL() << "no exception";
  } catch (const Exception& exception) {
    EXPECT_EQ(exception.error().code, Errc::DiskFull);
    EXPECT_EQ(exception.error().written, Written::Unknown);
    EXPECT_STREQ(exception.what(), "no space is left");
  }
}

}  // namespace galley
