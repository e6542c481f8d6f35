// The pieces of the server that need no socket.

#include <gtest/gtest.h>

#include "galley/http/message.hpp"
#include "http/arrival.hpp"
#include "http/deadlines.hpp"
#include "http/response_text.hpp"

namespace galley::http {
namespace {

using namespace std::chrono_literals;

TEST(ResponseText, HasTheDateAsTheStandardWritesIt) {
  EXPECT_EQ(http_date(Time(784'111'777s)), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, section 5.6.7
  EXPECT_EQ(http_date(Time(1'709'164'799s + 999'999us)), "Wed, 28 Feb 2024 23:59:59 GMT");
}

TEST(ResponseText, IsOneHeadWithTheLengthOfItsBody) {
  HttpResponse response(201, "12345", "text/css");
  EXPECT_EQ(head_of(response, false, "D"),
            "HTTP/1.1 201 Created\r\nDate: D\r\nContent-Type: text/css\r\nContent-Length: 5\r\n\r\n");
  response.status = 204;
  EXPECT_EQ(head_of(response, true, "D"),
            "HTTP/1.1 204 No Content\r\nDate: D\r\nContent-Type: text/css\r\nConnection: close\r\n\r\n");
}

TEST(ResponseText, IsNotMadeOfHeadersThatWouldEndTheirLine) {
  const auto sound = [](int status, std::string name, std::string value) {
    HttpResponse response(status);
    response.headers.emplace_back(std::move(name), std::move(value));
    return is_sound(response);
  };
  EXPECT_TRUE(sound(200, "X-A", "b c"));
  EXPECT_FALSE(sound(200, "X-A", "b\r\nSet-Cookie: c"));
  EXPECT_FALSE(sound(200, "X A", "b"));
  EXPECT_FALSE(sound(200, "", "b"));
  EXPECT_FALSE(sound(200, "content-length", "7"));
  EXPECT_FALSE(sound(199, "X-A", "b"));
  EXPECT_FALSE(sound(600, "X-A", "b"));
}

TEST(HttpRequest, FindsWhatItsTargetSays) {
  const HttpRequest request("PUT", "/a%20b?x=1&y=a+b%21&x=2&flag", "body");
  EXPECT_EQ(request.method(), "PUT");
  EXPECT_EQ(request.path(), "/a%20b");
  EXPECT_EQ(request.query("x"), "1");
  EXPECT_EQ(request.query("y"), "a b!");
  EXPECT_EQ(request.query("flag"), "");
  EXPECT_EQ(request.query("z"), std::nullopt);
  EXPECT_EQ(request.body(), "body");
  EXPECT_EQ(request.header("Host"), std::nullopt);
}

TEST(Arrival, IsWhenTheKernelSaysWithinWhatIsPossible) {
  const base::Mono now(10s);
  const Time wall(1'000s);
  const base::Mono empty(4s);
  EXPECT_EQ(arrival_of(wall - 2s, empty, now, wall), base::Mono(8s));
  EXPECT_EQ(arrival_of(std::nullopt, empty, now, wall), now);
  EXPECT_EQ(arrival_of(wall - 2h, empty, now, wall), empty);  // the calendar was set forward since
  EXPECT_EQ(arrival_of(wall + 2h, empty, now, wall), now);    // and back
}

struct Member final : Deadlines::Member {
  void expired() override {}
};

TEST(Deadlines, ComeInTheirOrderOverAllKinds) {
  Deadlines deadlines({10s, 1s});
  Member slow, first, second;
  EXPECT_FALSE(deadlines.next());
  deadlines.set(slow, 0, base::Mono(0s));
  deadlines.set(first, 1, base::Mono(5s));
  deadlines.set(second, 1, base::Mono(6s));
  EXPECT_EQ(deadlines.next(), base::Mono(6s));
  EXPECT_EQ(deadlines.take_due(base::Mono(6s) - 1us), nullptr);
  EXPECT_EQ(deadlines.take_due(base::Mono(6s)), &first);
  EXPECT_EQ(deadlines.take_due(base::Mono(6s)), nullptr);
  deadlines.clear(second);
  EXPECT_EQ(deadlines.next(), base::Mono(10s));
  deadlines.set(slow, 1, base::Mono(20s));  // another one, instead
  EXPECT_EQ(deadlines.next(), base::Mono(21s));
  EXPECT_TRUE(slow.waits_in(1));
}

TEST(Deadlines, EndWithTheirMember) {
  Deadlines deadlines({10s});
  Member stays;
  {
    Member goes;
    deadlines.set(goes, 0, base::Mono(0s));
    deadlines.set(stays, 0, base::Mono(1s));
    EXPECT_EQ(deadlines.oldest(0), &goes);
  }
  EXPECT_EQ(deadlines.oldest(0), &stays);
  EXPECT_EQ(deadlines.next(), base::Mono(11s));
}

}  // namespace
}  // namespace galley::http
