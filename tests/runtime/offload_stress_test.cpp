// Work that is awaited and work that is not, resizes, cancellations and a close at once, from a seed. GALLEY_SEEDS sets
// how many.

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <list>
#include <memory>
#include <thread>

#include "base/random.hpp"
#include "galley/runtime/offload.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::options_of;

/// What became of the awaited ones, by the loop's thread alone; what ran, by the pool's.
struct Ledger {
  int value = 0, thrown = 0, refused = 0, aborted = 0;
  std::atomic<int> ran{0};
  [[nodiscard]] int all() const { return value + thrown + refused + aborted; }
};

asio::awaitable<void> await_one(WorkerPool& pool, std::uint64_t draw, Ledger& ledger, std::shared_ptr<int> held) {
  TaskOptions options;
  options.task_class = static_cast<TaskClass>(draw % 3);
  if (draw % 5 == 0) options.queue_timeout = 1ms;
  if (draw % 7 == 0) options.run_timeout = 1ms;
  if (draw % 11 == 0) options.name = "named";
  auto task = offload(
      pool,
      [&ledger, draw, held](TaskContext& context) {
        ++ledger.ran;
        if (draw % 13 == 0) {
          const std::stop_token stop = context.stop_token();
          for (int i = 0; i < 1'000 && !stop.stop_requested(); ++i) std::this_thread::yield();
        }
        if (draw % 3 == 0) throw 7;
        return *held;
      },
      std::move(options));
  try {
    const Result<int> answer = co_await task.result();
    ++(answer ? ledger.value : ledger.refused);
  } catch (int) {
    ++ledger.thrown;
  } catch (const boost::system::system_error&) {
    ++ledger.aborted;
  }
}

struct Round {
  static constexpr int kAwaited = 300;
  explicit Round(std::uint64_t seed)
      : random(seed), pool(options_of(1 + static_cast<int>(random.bits() % 3), 2, 1 + random.bits() % 8)) {}

  void spawn_all() {
    for (int i = 0; i < kAwaited; ++i) {
      signals.emplace_back();
      asio::co_spawn(context, await_one(pool, random.bits() >> 8U, ledger, held),
                     asio::bind_cancellation_slot(signals.back().slot(), [](std::exception_ptr) {}));
    }
  }
  /// A third of them, spread over the loop's turns.
  void cancel_some(std::list<asio::cancellation_signal>::iterator at) {
    for (int i = 0; i < 3 && at != signals.end(); ++i, ++at) {
      if (random.bits() % 3 == 0) at->emit(asio::cancellation_type::terminal);
    }
    if (at != signals.end()) asio::post(context, [this, at] { cancel_some(at); });
  }
  void run() {
    spawn_all();
    asio::post(context, [this] { cancel_some(signals.begin()); });
    std::thread resizer([this] {
      for (int i = 0; i < 15; ++i) static_cast<void>(pool.resize(1 + i % 4));
    });
    std::thread submitter([this] {
      for (int i = 0; i < 100; ++i) {
        if (pool.submit_for(1h, [this] { ++on_its_own; }) == Submitted::Accepted) ++accepted;
      }
    });
    const auto mode = static_cast<CloseMode>(random.bits() % 3);
    const auto until = static_cast<int>(random.bits() % 150);
    std::thread closer([this, mode, until] {
      while (ledger.ran + on_its_own < until) std::this_thread::yield();
      std::thread second([this] { pool.close(CloseMode::Drain); });
      closed = pool.close(mode);
      second.join();
    });
    context.run();
    resizer.join();
    submitter.join();
    closer.join();
  }

  base::Random random;
  asio::io_context context{1};
  std::shared_ptr<int> held = std::make_shared<int>(1);
  std::list<asio::cancellation_signal> signals;
  Ledger ledger;
  std::atomic<int> on_its_own{0}, accepted{0};
  PoolClosed closed;
  WorkerPool pool;
};

TEST(OffloadStress, EveryAwaitedTaskComesBackOnceWhateverComesTogether) {
  const char* const seeds = std::getenv("GALLEY_SEEDS");
  const int count = seeds != nullptr ? std::atoi(seeds) : 40;
  for (int seed = 1; seed <= count; ++seed) {
    Round round(static_cast<std::uint64_t>(seed));
    round.run();
    const Ledger& ledger = round.ledger;
    EXPECT_EQ(ledger.all(), Round::kAwaited) << "seed " << seed;
    EXPECT_EQ(ledger.value + ledger.thrown, ledger.ran) << "seed " << seed;
    EXPECT_EQ(round.held.use_count(), 1) << "seed " << seed;
    EXPECT_TRUE(round.pool.closed()) << "seed " << seed;
    const PoolStats stats = round.pool.stats();
    EXPECT_EQ(stats.completed, round.ledger.ran + round.on_its_own) << "seed " << seed;
    EXPECT_EQ(stats.accepted, stats.completed + stats.cancelled + stats.timed_out + stats.discarded) << "seed " << seed;
    EXPECT_EQ(stats.waiting_for_room, 0) << "seed " << seed;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace galley
