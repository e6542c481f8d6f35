// A bounded line of values: order, back-pressure, its end, and that nothing is lost or comes twice.

#include "galley/runtime/channel.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>

#include "galley/runtime/with_timeout.hpp"
#include "runtime/coroutines.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Started;
using test::turns;

asio::awaitable<void> send_all(Channel<int>& channel, int first, int count, int& accepted) {
  for (int i = first; i < first + count; ++i) {
    if (co_await channel.send(i) == Sent::Closed) co_return;
    ++accepted;
  }
}

asio::awaitable<void> receive_all(Channel<int>& channel, std::vector<int>& into) {
  while (const auto value = co_await channel.receive()) into.push_back(*value);
}

asio::awaitable<void> receive_one(Channel<int>& channel, std::optional<int>& into) {
  into = co_await channel.receive();
}

asio::awaitable<void> send_one(Channel<int>& channel, int value, std::optional<Sent>& outcome) {
  outcome = co_await channel.send(value);
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class ChannelOf : public testing::TestWithParam<std::size_t> {};

TEST_P(ChannelOf, KeepsTheOrderAndWaitsWhenItIsFull) {
  asio::io_context context(1);
  Channel<int> channel(GetParam());
  int accepted = 0;
  std::vector<int> received;
  const Started sender(context, send_all(channel, 0, 100, accepted));
  context.poll();
  EXPECT_EQ(accepted, static_cast<int>(std::min<std::size_t>(GetParam(), 100)));
  EXPECT_EQ(channel.size(), std::min<std::size_t>(GetParam(), 100));
  context.restart();
  const Started receiver(context, receive_all(channel, received));
  while (context.poll_one() != 0) ASSERT_LE(channel.size(), GetParam());
  EXPECT_TRUE(sender.over());
  EXPECT_FALSE(receiver.over());
  channel.close();
  context.run();
  EXPECT_TRUE(receiver.over());
  EXPECT_EQ(received, numbers(100));
}
INSTANTIATE_TEST_SUITE_P(Capacity, ChannelOf, testing::Values(0, 1, 2, 7, 100, 1'000));

struct Bare {
  std::string text;
};
struct Owner {
  std::string text;
  Owner() = default;
};
template <class F>
constexpr bool refuses_in_place(const F&) {
  return !detail::kSafeToSend<F, std::function<void()>>;
}

TEST(Channel, RefusesWhatTheCompilerWouldDestroyTwice) {
  static_assert(!detail::kSafeToSend<Bare, Bare> && !detail::kSafeToSend<Bare, Owner>);
  static_assert(detail::kSafeToSend<Owner, Owner> && detail::kSafeToSend<std::string, Owner>);
  static_assert(detail::kSafeToSend<Bare&, Owner> && detail::kSafeToSend<const char(&)[2], std::string>);
  static_assert(detail::kSafeToSend<std::unique_ptr<int>, std::shared_ptr<int>>);
  const std::string text = "a text that is too long to stand in the string itself";
  EXPECT_TRUE(refuses_in_place([text] {}));
  EXPECT_FALSE(refuses_in_place([&text] { static_cast<void>(text); }));  // owns nothing
}

asio::awaitable<void> send_functions(Channel<std::function<std::string()>>& channel) {
  const std::string text = "a text that is too long to stand in the string itself";
  const auto named = [text] { return text; };
  EXPECT_EQ(co_await channel.send(named), Sent::Accepted);
  std::function<std::string()> whole = named;
  EXPECT_EQ(co_await channel.send(std::move(whole)), Sent::Accepted);
  auto braced = channel.send({});
  EXPECT_EQ(co_await std::move(braced), Sent::Accepted);
}

TEST(Channel, TakesWhatBecomesAValue) {
  asio::io_context context(1);
  Channel<std::function<std::string()>> channel(3);
  const Started sender(context, send_functions(channel));
  context.run();
  EXPECT_EQ((*channel.try_receive())(), "a text that is too long to stand in the string itself");
  EXPECT_EQ((*channel.try_receive())(), "a text that is too long to stand in the string itself");
  EXPECT_FALSE(*channel.try_receive());
}

TEST(Channel, ServesReceiversInTheirOrder) {
  asio::io_context context(1);
  Channel<int> channel(4);
  std::optional<int> a, b, c;
  const Started first(context, receive_one(channel, a));
  const Started second(context, receive_one(channel, b));
  const Started third(context, receive_one(channel, c));
  context.poll();
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(channel.try_send(std::move(i)), Sent::Accepted);
  context.run();
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, 2);
  EXPECT_EQ(c, 3);
}

TEST(Channel, CloseLetsReceiversDrainAndRefusesSenders) {
  asio::io_context context(1);
  Channel<int> channel(2);
  int accepted = 0;
  std::vector<int> received;
  const Started sender(context, send_all(channel, 0, 10, accepted));
  context.poll();
  channel.close();
  channel.close();
  context.run();
  EXPECT_EQ(accepted, 2);
  EXPECT_TRUE(sender.over());
  EXPECT_TRUE(channel.closed());
  EXPECT_EQ(channel.try_send(5), Sent::Closed);
  context.restart();
  const Started receiver(context, receive_all(channel, received));
  context.run();
  EXPECT_EQ(received, numbers(2));
  std::optional<Sent> late;
  context.restart();
  const Started too_late(context, send_one(channel, 7, late));
  context.run();
  EXPECT_EQ(late, Sent::Closed);
}

TEST(Channel, TryFormsNeverWaitAndARefusedValueStaysTheCallers) {
  Channel<std::unique_ptr<int>> channel(1);
  EXPECT_FALSE(channel.try_receive());
  EXPECT_EQ(channel.try_send(std::make_unique<int>(1)), Sent::Accepted);
  auto mine = std::make_unique<int>(2);
  EXPECT_EQ(channel.try_send(std::move(mine)), Sent::Full);
  ASSERT_NE(mine, nullptr);  // NOLINT(bugprone-use-after-move): not accepted, not moved from
  EXPECT_EQ(**channel.try_receive(), 1);
  channel.close();
  EXPECT_EQ(channel.try_send(std::move(mine)), Sent::Closed);
  EXPECT_NE(mine, nullptr);
}

TEST(Channel, ACancelledSendSendsNothing) {
  asio::io_context context(1);
  Channel<int> channel(1);
  std::optional<Sent> a, b;
  ASSERT_EQ(channel.try_send(0), Sent::Accepted);
  Started first(context, send_one(channel, 1, a));
  const Started second(context, send_one(channel, 2, b));
  context.poll();
  first.cancel();
  context.poll();
  EXPECT_EQ(first.error(), "cancelled");
  EXPECT_EQ(channel.try_receive(), 0);
  context.run();
  EXPECT_EQ(b, Sent::Accepted);
  EXPECT_EQ(channel.try_receive(), 2);
  EXPECT_FALSE(channel.try_receive());
}

TEST(Channel, ItsEndIsACloseForWhoWaits) {
  asio::io_context context(1);
  auto channel = std::make_unique<Channel<int>>(0);
  std::vector<int> received;
  const Started receiver(context, receive_all(*channel, received));
  context.poll();
  channel.reset();
  context.run();
  EXPECT_TRUE(receiver.over());
  EXPECT_EQ(receiver.error(), "nothing");
}

TEST(Channel, AValueWhoseReceiverIsDestroyedIsTheNextOnes) {
  Channel<int> channel(1);
  std::optional<int> never;
  {
    asio::io_context context(1);
    asio::co_spawn(context, receive_one(channel, never), [](const std::exception_ptr&) {});
    asio::co_spawn(context, send_all(channel, 10, 5, *std::make_unique<int>(0)), [](const std::exception_ptr&) {});
    context.poll_one();
    ASSERT_EQ(channel.try_send(1), Sent::Accepted);  // handed to the receiver, which never goes on
    EXPECT_EQ(channel.size(), 0U);
  }
  EXPECT_EQ(channel.size(), 1U);
  ASSERT_EQ(channel.try_send(2), Sent::Accepted);
  EXPECT_EQ(channel.try_receive(), 1);
  EXPECT_EQ(channel.try_receive(), 2);
  EXPECT_FALSE(never);
}

TEST(Channel, ACapacityBeyondTheBoundIsAnErrorThatNamesIt) {
  try {
    Channel<int> channel(10'000'001);
    FAIL();
  } catch (const Exception& failure) {
    EXPECT_STREQ(failure.what(), "capacity is 10000001; allowed are 0 to 10000000");
  }
}

// --- cancellation at every point

asio::awaitable<void> receive_with_limit(Channel<int>& channel, std::vector<int>& into) {
  for (;;) {
    auto waiting = with_timeout(channel.receive(), 1h);
    const auto value = co_await std::move(waiting);
    if (!value || !*value) co_return;
    into.push_back(**value);
  }
}

TEST(Channel, CancelledAtAnyStepLosesNothingAndRepeatsNothing) {
  for (const std::size_t capacity : {0U, 1U, 3U}) {
    bool through = false;
    for (int step = 0; !through; ++step) {
      ASSERT_LT(step, 500);
      for (const int who : {0, 1, 2}) {
        asio::io_context context(1);
        Channel<int> channel(capacity);
        int accepted = 0;
        std::vector<int> a, b, c;
        Started sender(context, send_all(channel, 0, 6, accepted));
        Started first(context, receive_all(channel, a));
        Started second(context, receive_with_limit(channel, b));
        for (int i = 0; i < step; ++i) through = context.poll_one() == 0;
        (who == 0 ? sender : who == 1 ? first : second).cancel();
        context.poll();
        const Started third(context, receive_all(channel, c));
        context.poll();
        channel.close();
        context.run();
        std::vector<int> all = a;
        all.insert(all.end(), b.begin(), b.end());
        all.insert(all.end(), c.begin(), c.end());
        std::sort(all.begin(), all.end());
        SCOPED_TRACE("capacity " + std::to_string(capacity) + ", cancelled " + std::to_string(who) + " after step " +
                     std::to_string(step));
        ASSERT_EQ(all, numbers(accepted));
        ASSERT_TRUE(sender.over() && first.over() && second.over() && third.over());
      }
    }
  }
}

// --- across threads

/// A thread with a loop of its own, and coroutines on it that are cancelled at random moments.
struct Side {
  asio::io_context context{1};
  std::vector<int> sent, received;
  std::mt19937 random;
  explicit Side(unsigned seed) : random(seed) {}
};

asio::awaitable<void> send_some(Side& side, Channel<int>& channel, int first, int count, int& next) {
  for (next = first; next < first + count;) {
    const int value = next++;
    if (co_await channel.send(value) == Sent::Closed) co_return;
    side.sent.push_back(value);
  }
}

asio::awaitable<void> receive_some(Side& side, Channel<int>& channel) {
  while (const auto value = co_await channel.receive()) side.received.push_back(*value);
}

/// Cancels the receiver and starts it again, some times.
asio::awaitable<void> disturb(Side& side, Channel<int>& channel, int times) {
  for (int i = 0; i < times; ++i) {
    Started receiver(side.context, receive_some(side, channel));
    co_await turns(1 + static_cast<int>(side.random() % 5));
    receiver.cancel();
    while (!receiver.over()) co_await turns(1);
  }
}

void run_side(Side& side, Channel<int>& channel, int first, int count, std::atomic<int>& senders) {
  int next = 0;
  const Started sender(side.context, send_some(side, channel, first, count, next));
  const Started receiver(side.context, receive_some(side, channel));
  const Started disturber(side.context, disturb(side, channel, 60));
  while (!sender.over() || !disturber.over()) side.context.run_one();
  if (--senders == 0) channel.close();
  side.context.run();
  EXPECT_TRUE(receiver.over());
}

TEST(Channel, BetweenThreadsNothingIsLostAndNothingComesTwice) {
  constexpr int kThreads = 3, kEach = 2'000;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Channel<int> channel(seed % 4);
    std::atomic<int> senders{kThreads};
    std::vector<std::unique_ptr<Side>> sides;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      sides.push_back(std::make_unique<Side>(seed * 10 + static_cast<unsigned>(t)));
      threads.emplace_back([&, t, side = sides.back().get()] { run_side(*side, channel, t * kEach, kEach, senders); });
    }
    for (auto& thread : threads) thread.join();
    std::vector<int> sent, received;
    for (const auto& side : sides) {
      sent.insert(sent.end(), side->sent.begin(), side->sent.end());
      received.insert(received.end(), side->received.begin(), side->received.end());
    }
    std::sort(sent.begin(), sent.end());
    std::sort(received.begin(), received.end());
    EXPECT_EQ(sent.size(), static_cast<std::size_t>(kThreads * kEach));
    EXPECT_EQ(sent, received);
  }
}

TEST(Channel, KeepsTheOrderOfEachSenderAcrossThreads) {
  Channel<int> channel(16);
  std::vector<int> received;
  std::thread producer([&channel] {
    asio::io_context context(1);
    int accepted = 0;
    const Started sender(context, send_all(channel, 0, 5'000, accepted));
    context.run();
    channel.close();
  });
  asio::io_context context(1);
  const Started receiver(context, receive_all(channel, received));
  context.run();
  producer.join();
  EXPECT_EQ(received, numbers(5'000));
}

}  // namespace
}  // namespace galley
