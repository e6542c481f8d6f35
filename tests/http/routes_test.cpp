#include "http/routes.hpp"

#include <gtest/gtest.h>

namespace galley::http {
namespace {

std::size_t add(Routes& routes, std::string_view method, std::string_view pattern) {
  return routes.add(method, pattern).value();
}

TEST(Routes, FindTheirPatternAndDecodeWhatStandsAtItsNames) {
  Routes routes;
  const auto jobs = add(routes, "GET", "/jobs");
  const auto part = add(routes, "GET", "/jobs/{id}/parts/{part}");
  EXPECT_EQ(routes.find("GET", "/jobs?state=dead").route, jobs);
  EXPECT_EQ(routes.find("GET", "http://host:80/jobs").route, jobs);
  const auto found = routes.find("GET", "/jobs/a%2Fb/parts/2+3?x=y");
  EXPECT_EQ(found.route, part);
  EXPECT_EQ(found.parameters, (Parameters{{"id", "a/b"}, {"part", "2+3"}}));
  for (const std::string_view other :
       {"/", "/jobs/", "/jobs/7", "/jobs/7/parts/", "/jobs//parts/2", "/Jobs", "*", ""}) {
    EXPECT_FALSE(routes.find("GET", other).route) << other;
  }
}

TEST(Routes, PreferATextToANameAndGoBackWhereItLeadsNowhere) {
  Routes routes;
  const auto any = add(routes, "GET", "/jobs/{id}");
  const auto dead = add(routes, "GET", "/jobs/dead");
  const auto log = add(routes, "GET", "/jobs/{id}/log");
  EXPECT_EQ(routes.find("GET", "/jobs/dead").route, dead);
  EXPECT_EQ(routes.find("GET", "/jobs/7").route, any);
  const auto back = routes.find("GET", "/jobs/dead/log");
  EXPECT_EQ(back.route, log);
  EXPECT_EQ(back.parameters, (Parameters{{"id", "dead"}}));
}

TEST(Routes, SayWhichMethodsAPathHas) {
  Routes routes;
  const auto get = add(routes, "GET", "/jobs");
  add(routes, "POST", "/jobs");
  const auto wrong = routes.find("DELETE", "/jobs");
  EXPECT_FALSE(wrong.route);
  EXPECT_EQ(wrong.allow, "GET, HEAD, POST");
  EXPECT_EQ(routes.find("HEAD", "/jobs").route, get);
  EXPECT_EQ(routes.find("GET", "/other").allow, "");
}

TEST(Routes, TellABadEscapeFromAPathThatIsNotThere) {
  Routes routes;
  add(routes, "GET", "/{id}");
  for (const std::string_view bad : {"/%", "/%4", "/%zz", "/a%4"})
    EXPECT_TRUE(routes.find("GET", bad).malformed) << bad;
  EXPECT_FALSE(routes.find("GET", "/x/y").malformed);
}

TEST(Routes, GiveUpOnPathsOfTooManyParts) {
  Routes routes;
  add(routes, "GET", "/{a}");
  std::string path;
  for (int part = 0; part < 100'000; ++part) path += "/x";
  EXPECT_FALSE(routes.find("GET", path).route);
}

TEST(Routes, RefuseWhatIsNoPatternAndNameIt) {
  Routes routes;
  add(routes, "GET", "/jobs/{id}");
  const std::pair<std::string_view, std::string_view> bad[] = {
      {"GET", "jobs"},     {"GET", ""},   {"GET", "/{}"}, {"GET", "/{id"},          {"GET", "/x{id}"},
      {"GET", "/{a}/{a}"}, {"G ET", "/"}, {"", "/"},      {"GET", "/jobs/{other}"}, {"GET", "/{a{b}"},
  };
  for (const auto& [method, pattern] : bad) {
    const auto refused = routes.add(method, pattern);
    ASSERT_FALSE(refused) << method << " " << pattern;
    EXPECT_EQ(refused.error().code, Errc::InvalidInput);
    EXPECT_NE(refused.error().message.find("is not allowed"), std::string::npos);
  }
}

TEST(RequestLine, IsReadAsSoonAsItIsWhole) {
  EXPECT_FALSE(request_line("GET /jobs HTTP/1.1"));
  EXPECT_FALSE(request_line("GET\r\n"));
  EXPECT_FALSE(request_line(" / \r\n"));
  const auto line = request_line("GET /jobs HTTP/1.1\r\nHo");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->method, "GET");
  EXPECT_EQ(line->target, "/jobs");
}

}  // namespace
}  // namespace galley::http
