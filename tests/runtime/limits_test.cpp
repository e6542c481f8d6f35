// Time limits, many items at a time, and one computation for many callers.

#include <iterator>

#include "galley/runtime/for_each_limit.hpp"
#include "galley/runtime/single_flight.hpp"
#include "galley/runtime/with_timeout.hpp"
#include "runtime/coroutines.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::for_ever;
using test::Started;
using test::text_of;
using test::turns;

// --- with_timeout

asio::awaitable<int> seven_after(int times) {
  co_await turns(times);
  co_return 7;
}
asio::awaitable<int> fail_after(int times) {
  co_await turns(times);
  throw std::runtime_error("broken");
}
asio::awaitable<int> seven_when_cancelled() {
  try {
    co_await for_ever();
  } catch (const boost::system::system_error&) {
  }
  co_return 7;
}
asio::awaitable<int> other_error_when_cancelled() {
  try {
    co_await for_ever();
  } catch (const boost::system::system_error&) {
  }
  throw std::runtime_error("while it was cancelled");
}
asio::awaitable<int> never() {
  co_await for_ever();
  co_return 0;
}
asio::awaitable<Result<int>> a_result(bool good) {
  co_await turns(1);
  if (good) co_return 5;
  co_return Error{Errc::NotFound, "not there", Written::Nothing};
}

asio::awaitable<void> note(asio::awaitable<int> work, Duration limit, std::string& log) {
  auto limited = with_timeout(std::move(work), limit);
  const Result<int> value = co_await std::move(limited);
  log += value ? std::to_string(*value) : value.error().message;
  co_await turns(1);  // throws where the caller was cancelled
  log += " went on";
}

std::string noted(asio::awaitable<int> work, Duration limit) {
  asio::io_context context(1);
  std::string log;
  const Started caller(context, note(std::move(work), limit, log));
  context.run();
  return caller.error() == "nothing" ? log : caller.error();
}

TEST(WithTimeout, GivesTheValueOrTheErrorOfWorkThatIsInTime) {
  EXPECT_EQ(noted(seven_after(0), 1h), "7 went on");
  EXPECT_EQ(noted(seven_after(10), 1h), "7 went on");
  EXPECT_EQ(noted(fail_after(0), 1h), "broken");
  EXPECT_EQ(noted(fail_after(3), 1h), "broken");
  EXPECT_EQ(noted(seven_after(3), Duration::max()), "7 went on");
}

TEST(WithTimeout, CancelsWorkThatIsLateAndSaysSo) {
  EXPECT_EQ(noted(never(), 3ms), "timed out after 3ms went on");
  EXPECT_EQ(noted(never(), 0ms), "timed out after 0s went on");
}

TEST(WithTimeout, WhatTheWorkGivesAsItIsCancelledIsNotThrownAway) {
  EXPECT_EQ(noted(seven_when_cancelled(), 1ms), "7 went on");
  EXPECT_EQ(noted(other_error_when_cancelled(), 1ms), "while it was cancelled");
}

asio::awaitable<void> note_results(std::string& log) {
  auto good = with_timeout(a_result(true), 1h);
  const Result<int> five = co_await std::move(good);
  auto bad = with_timeout(a_result(false), 1h);
  const Result<int> none = co_await std::move(bad);
  auto nothing = with_timeout(turns(1), 1h);
  const Result<void> ended = co_await std::move(nothing);
  log = std::to_string(five.value()) + " " + none.error().message + " " + (ended ? "ended" : "late");
}

TEST(WithTimeout, AResultStaysOneResult) {
  asio::io_context context(1);
  std::string log;
  const Started caller(context, note_results(log));
  context.run();
  EXPECT_EQ(log, "5 not there ended");
}

TEST(WithTimeout, NeverLosesACancellationFromOutside) {
  for (const Duration limit : {Duration(1h), Duration(0)}) {  // 0: at the same time as the limit
    bool through = false;
    for (int step = 0; !through; ++step) {
      ASSERT_LT(step, 100);
      asio::io_context context(1);
      std::string log;
      Started caller(context, note(never(), limit, log));
      for (int i = 0; i < step; ++i) through = context.poll_one() == 0;
      const bool over = !log.empty();
      caller.cancel();
      context.run();
      SCOPED_TRACE("after step " + std::to_string(step) + ": " + log);
      ASSERT_TRUE(caller.over());
      if (!over) {
        ASSERT_EQ(caller.error(), "cancelled");
        ASSERT_EQ(log.find("went on"), std::string::npos);
      }
    }
  }
}

asio::awaitable<int> nested(Duration outer, Duration inner) {
  auto limited = with_timeout(never(), inner);
  auto again = with_timeout(std::move(limited), outer);
  const Result<int> value = co_await std::move(again);
  co_return value ? 0 : value.error().message == "timed out after 2ms" ? 2 : 1;
}

TEST(WithTimeout, OfTwoLimitsTheFirstCounts) {
  EXPECT_EQ(noted(nested(2ms, 1h), 1h), "2 went on");
  EXPECT_EQ(noted(nested(1h, 2ms), 1h), "2 went on");
}

TEST(WithTimeout, IsDestroyedWithItsContext) {
  std::string log;
  {
    asio::io_context context(1);
    asio::co_spawn(context, note(never(), 1h, log), [](const std::exception_ptr&) {});
    context.poll();
  }
  EXPECT_EQ(log, "");
}

// --- for_each_limit

struct Counts {
  int inside = 0, most = 0, begun = 0, cancelled = 0;
};

asio::awaitable<int> square(Counts& counts, const int& number) {
  ++counts.begun;
  counts.most = std::max(counts.most, ++counts.inside);
  try {
    co_await turns(1 + (number * 7) % 5);
  } catch (const boost::system::system_error&) {
    ++counts.cancelled;
    --counts.inside;
    throw;
  }
  --counts.inside;
  if (number % 10 == 3) throw std::runtime_error("bad " + std::to_string(number));
  co_return number* number;
}

template <class F>
asio::awaitable<void> map_all(std::vector<int> numbers, std::size_t at_once, F f, ForEachOptions options,
                              std::vector<std::string>& log) {
  const auto results = co_await for_each_limit(std::move(numbers), at_once, f, options);
  for (const auto& result : results) log.push_back(result ? std::to_string(*result) : text_of(result.error()));
}

std::vector<int> up_to(int end) {
  std::vector<int> all;
  for (int i = 0; i < end; ++i) all.push_back(i);
  return all;
}

TEST(ForEachLimit, ResultsAreInOrderAndOneBadItemDisturbsNoOther) {
  for (const std::size_t at_once : {1U, 3U, 25U, 1'000U}) {
    asio::io_context context(1);
    Counts counts;
    std::vector<std::string> log;
    const auto f = [&counts](const int& number) { return square(counts, number); };
    const Started caller(context, map_all(up_to(25), at_once, f, {}, log));
    context.run();
    ASSERT_EQ(log.size(), 25U);
    for (int i = 0; i < 25; ++i) {
      const std::string expected = i % 10 == 3 ? "bad " + std::to_string(i) : std::to_string(i * i);
      EXPECT_EQ(log[static_cast<std::size_t>(i)], expected);
    }
    EXPECT_EQ(counts.most, static_cast<int>(std::min<std::size_t>(at_once, 25)));
  }
}

TEST(ForEachLimit, FailFastCancelsTheOthersAndBeginsNoMore) {
  asio::io_context context(1);
  Counts counts;
  std::vector<std::string> log;
  ForEachOptions options;
  options.fail_fast = true;
  const auto f = [&counts](const int& number) { return square(counts, number); };
  const Started caller(context, map_all(up_to(100), 4, f, options, log));
  context.run();
  ASSERT_EQ(log.size(), 100U);
  EXPECT_EQ(log[3], "bad 3");
  EXPECT_EQ(log[99], "cancelled");
  EXPECT_LT(counts.begun, 12);
  EXPECT_EQ(std::count(log.begin(), log.end(), "cancelled"), 100 - counts.begun + counts.cancelled);
}

TEST(ForEachLimit, CancelledAtAnyStepItLeavesNoChildBehind) {
  bool through = false;
  for (int step = 0; !through; ++step) {
    ASSERT_LT(step, 1'000);
    asio::io_context context(1);
    Counts counts;
    std::vector<std::string> log;
    const auto f = [&counts](const int& number) { return square(counts, number); };
    Started caller(context, map_all(up_to(9), 3, f, {}, log));
    for (int i = 0; i < step; ++i) through = context.poll_one() == 0;
    const bool over = caller.over();
    caller.cancel();
    while (!caller.over()) ASSERT_EQ(context.run_one(), 1U);
    SCOPED_TRACE("after step " + std::to_string(step));
    ASSERT_EQ(counts.inside, 0);
    if (!over && log.empty()) {
      ASSERT_EQ(caller.error(), "cancelled");
    }
  }
}

asio::awaitable<void> captures(std::vector<std::string>& log) {
  const auto owned = std::make_shared<std::string>("owned by the lambda");
  std::vector<std::string> items{"a long enough text to be on the heap", "another one that is on the heap too"};
  const auto f = [owned](const std::string& item) -> asio::awaitable<std::string> {
    co_await turns(3);
    co_return item.substr(0, 1) + " " + *owned;
  };
  const auto results = co_await for_each_limit(std::move(items), 2, f);
  for (const auto& result : results) log.push_back(result.value());
}

TEST(ForEachLimit, KeepsTheItemsAndACallableThatIsItselfACoroutine) {
  asio::io_context context(1);
  std::vector<std::string> log;
  const Started caller(context, captures(log));
  context.run();
  EXPECT_EQ(caller.error(), "nothing");
  EXPECT_EQ(log, (std::vector<std::string>{"a owned by the lambda", "a owned by the lambda"}));
}

asio::awaitable<void> add(int& sum, int number) {
  sum += number;
  co_return;
}

asio::awaitable<void> sum_all(int& sum) {
  const std::vector<int> numbers = up_to(1'000);
  const auto f = [&sum](int number) { return add(sum, number); };
  const std::vector<ItemResult<void>> results = co_await for_each_limit(numbers, 10, f);
  EXPECT_TRUE(std::all_of(results.begin(), results.end(), [](const auto& result) { return result.has_value(); }));
  const auto none = co_await for_each_limit(std::vector<int>(), 10, f);
  EXPECT_TRUE(none.empty());
}

TEST(ForEachLimit, TakesItemsThatNeverWaitAndNoItemsAtAll) {
  asio::io_context context(1);
  int sum = 0;
  const Started caller(context, sum_all(sum));
  context.run();
  EXPECT_EQ(caller.error(), "nothing");
  EXPECT_EQ(sum, 499'500);
}

template <class Items>
concept TakenByForEach = requires(Items items, asio::awaitable<int> (*f)(int)) {
  for_each_limit(items, 1, f);
};
static_assert(TakenByForEach<std::vector<int>> && TakenByForEach<const std::vector<int>>);
struct Stream {
  [[nodiscard]] static std::istream_iterator<int> begin() { return {}; }
  [[nodiscard]] static std::istream_iterator<int> end() { return {}; }
};
static_assert(std::ranges::input_range<Stream> && !TakenByForEach<Stream>);  // to count them would consume them

TEST(ForEachLimit, RefusesALimitOfNone) {
  int sum = 0;
  const std::vector<int> numbers = up_to(3);
  const auto f = [&sum](int number) { return add(sum, number); };
  EXPECT_THROW(static_cast<void>(for_each_limit(numbers, 0, f)), Exception);
}

// --- SingleFlight

struct Source {
  int computed = 0, inside = 0;
  SingleFlight<std::string, std::string> flights;
};

asio::awaitable<std::string> compute(Source& source, std::string key) {
  ++source.computed;
  ++source.inside;
  try {
    co_await turns(12);
  } catch (...) {
    --source.inside;
    throw;
  }
  --source.inside;
  if (key == "bad") throw std::runtime_error("bad key");
  co_return "value of " + key;
}

asio::awaitable<void> ask(Source& source, std::string key, std::string& answer) {
  auto shared = source.flights.run(key, compute(source, key));
  answer = co_await std::move(shared);
}

TEST(SingleFlight, CallersOfOneKeyShareOneComputation) {
  asio::io_context context(1);
  Source source;
  std::vector<std::string> answers(10);
  std::vector<std::unique_ptr<Started>> callers;
  for (std::size_t i = 0; i < 10; ++i) {
    callers.push_back(std::make_unique<Started>(context, ask(source, i < 7 ? "a" : "b", answers[i])));
  }
  context.run();
  EXPECT_EQ(source.computed, 2);
  EXPECT_EQ(answers[0], "value of a");
  EXPECT_EQ(answers[6], "value of a");
  EXPECT_EQ(answers[9], "value of b");
  EXPECT_EQ(source.flights.size(), 0U);
  context.restart();
  const Started again(context, ask(source, "a", answers[0]));
  context.run();
  EXPECT_EQ(source.computed, 3) << "nothing is kept";
}

TEST(SingleFlight, SharesErrorsToo) {
  asio::io_context context(1);
  Source source;
  std::string answer;
  const Started a(context, ask(source, "bad", answer));
  const Started b(context, ask(source, "bad", answer));
  context.run();
  EXPECT_EQ(source.computed, 1);
  EXPECT_EQ(a.error(), "bad key");
  EXPECT_EQ(b.error(), "bad key");
}

TEST(SingleFlight, ACallerWhoIsCancelledLeavesTheOthersAlone) {
  bool through = false;
  for (int step = 0; !through; ++step) {
    ASSERT_LT(step, 200);
    asio::io_context context(1);
    Source source;
    std::string mine, other;
    Started first(context, ask(source, "a", mine));
    const Started second(context, ask(source, "a", other));
    for (int i = 0; i < step; ++i) through = context.poll_one() == 0;
    first.cancel();
    context.run();
    SCOPED_TRACE("after step " + std::to_string(step));
    ASSERT_EQ(other, "value of a");
    ASSERT_EQ(source.computed, step == 1 ? 2 : 1);  // after the first step it is the only caller
    ASSERT_TRUE(first.error() == "cancelled" || mine == "value of a");
  }
}

TEST(SingleFlight, TheLastOneGoneCancelsTheWorkAndAwaitsItsEnd) {
  asio::io_context context(1);
  Source source;
  std::string answer;
  Started a(context, ask(source, "a", answer));
  Started b(context, ask(source, "a", answer));
  for (int i = 0; i < 4; ++i) context.poll_one();
  EXPECT_EQ(source.inside, 1);
  a.cancel();
  while (!a.over()) context.poll_one();
  EXPECT_EQ(source.inside, 1);
  b.cancel();
  EXPECT_EQ(source.flights.size(), 0U) << "who asks now starts a new one";
  while (!b.over()) context.poll_one();
  EXPECT_EQ(source.inside, 0);
  EXPECT_EQ(b.error(), "cancelled");
}

TEST(SingleFlight, IsDestroyedWithItsContext) {
  Source source;
  std::string answer;
  {
    asio::io_context context(1);
    asio::co_spawn(context, ask(source, "a", answer), [](const std::exception_ptr&) {});
    for (int i = 0; i < 5; ++i) context.poll_one();
    EXPECT_EQ(source.inside, 1);
  }
  EXPECT_EQ(source.flights.size(), 0U);
  EXPECT_EQ(answer, "");
}

}  // namespace
}  // namespace galley
