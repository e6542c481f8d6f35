#include "http/request_parser.hpp"

#include <gtest/gtest.h>

namespace galley::http {
namespace {

using State = RequestParser::State;

constexpr std::size_t kMaxHeaderBytes = 1'024;

/// What it comes to in the end, of bytes that come `piece` at a time.
RequestParser::Step put(RequestParser& parser, std::string_view bytes, std::size_t piece) {
  RequestParser::Step step;
  std::size_t used = 0;
  for (std::size_t come = 0; come < bytes.size() && step.state != State::Whole && step.state != State::Bad;) {
    come = std::min(bytes.size(), come + piece);
    step = parser.put(bytes.substr(used, come - used));
    used += step.used;
  }
  return step;
}

class InPieces : public testing::TestWithParam<std::size_t> {
 protected:
  RequestParser parser_{kMaxHeaderBytes, 100};
};

TEST_P(InPieces, WhatComesBehindABodyIsNoHeader) {
  const std::string_view bytes =
      "POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\nX-A: 2\r\nX-User: root\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(put(parser_, bytes, GetParam()).state, State::Whole);
  EXPECT_TRUE(parser_.keeps_alive());
  const HttpRequest request = parser_.take({}, "");
  EXPECT_EQ(request.body(), "abc");
  EXPECT_EQ(request.header("X-A"), "1");
  EXPECT_EQ(request.header("X-User"), std::nullopt);
}

TEST_P(InPieces, AHostBehindABodyIsNone) {
  const auto step =
      put(parser_, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: h\r\n\r\n", GetParam());
  EXPECT_EQ(step.state, State::Bad);
  EXPECT_EQ(step.status, 400);
}

TEST_P(InPieces, ALongHeadIsToldFromALongFirstLine) {
  const std::string much(kMaxHeaderBytes, 'a');
  EXPECT_EQ(put(parser_, "GET /" + much + " HTTP/1.1\r\nHost: h\r\n\r\n", GetParam()).status, 414);
  parser_.reset();
  EXPECT_EQ(put(parser_, "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + much + "\r\n\r\n", GetParam()).status, 431);
  parser_.reset();
  EXPECT_EQ(put(parser_, "GET / HTTP/1.1\r\nX-A: " + much + "\r\n\r\n", GetParam()).status, 431);
}

TEST_P(InPieces, AHeadIsMeasuredWithItsFirstLine) {
  const auto head = [](std::size_t size) {
    std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX-A: ";
    text.resize(size - 4, 'a');
    return text + "\r\n\r\n";
  };
  EXPECT_EQ(put(parser_, head(kMaxHeaderBytes), GetParam()).state, State::Whole);
  parser_.reset();
  EXPECT_EQ(put(parser_, head(kMaxHeaderBytes + 1), GetParam()).status, 431);
}

INSTANTIATE_TEST_SUITE_P(RequestParser, InPieces, testing::Values(1, 16, 40, 100'000));

}  // namespace
}  // namespace galley::http
