// Ten thousand jobs that wait at the same time, in one process with a handful of threads: their handler is a coroutine,
// so a job that waits takes a slot and no thread. Here it waits for a timer; a socket would do as well.

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <galley/coroutine.hpp>
#include <galley/galley.hpp>
#include <iostream>
#include <iterator>

using namespace std::chrono_literals;

struct Reminder {
  std::string whom;
  std::chrono::milliseconds after{0};
};
BOOST_DESCRIBE_STRUCT(Reminder, (), (whom, after))

namespace {

/// How many wait. All coroutines of a worker run on one thread, so it needs no lock.
struct Waiting {
  int now = 0;
  int most = 0;
};

struct Remind {
  Waiting* waiting;
  boost::asio::awaitable<void> operator()(galley::Attempt& attempt, const Reminder& reminder) const {
    waiting->most = std::max(waiting->most, ++waiting->now);
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, reminder.after);
    co_await timer.async_wait(boost::asio::use_awaitable);
    --waiting->now;
    attempt.log("reminded " + reminder.whom);
  }
};

auto threads() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

}  // namespace

int main() {
  constexpr int kJobs = 10'000;
  const auto store = galley::open_store("sqlite:jobs.db?durability=normal").value();
  galley::Queue queue{store, "reminders"};
  const std::vector<Reminder> all(kJobs - 1, Reminder{"ann", 2s});
  queue.enqueue_all<Reminder>("remind", all).value();
  queue.enqueue("count", Reminder{"me", 1s}).value();

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  Waiting waiting;
  worker.handle<Reminder>("remind", Remind{&waiting});
  worker.handle<Reminder>("count", [](galley::Attempt&, const Reminder&) {  // a plain handler beside them
    std::cout << "threads of this process: " << threads() << "\n";
  });
  const auto report = worker.pool("reminders", kJobs).run().value();
  std::cout << "waited at the same time: " << waiting.most << " of " << report.completed << " jobs\n";
  return report.completed == kJobs && waiting.now == 0 ? 0 : 1;
}
