#pragma once
// What tests say about results again and again.

#include <gtest/gtest.h>

#include <string>

#include "galley/error.hpp"

namespace galley::test {

/// The message of an InvalidInput; a test failure and "" for anything else.
template <class T>
std::string refusal(const Result<T>& result) {
  if (result.has_value()) {
    ADD_FAILURE() << "was accepted";
    return {};
  }
  EXPECT_EQ(result.error().code, Errc::InvalidInput);
  EXPECT_EQ(result.error().written, Written::Nothing);
  return result.error().message;
}

}  // namespace galley::test
