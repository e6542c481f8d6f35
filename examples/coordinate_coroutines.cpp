// Readers, a bounded line, workers and a database with three connections, on one loop: every coroutine has an owner, a
// name and a bound, what is asked twice is computed once, and what takes too long is given up.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <galley/runtime/channel.hpp>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/semaphore.hpp>
#include <galley/runtime/single_flight.hpp>
#include <galley/runtime/task_group.hpp>
#include <galley/runtime/with_timeout.hpp>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

struct Shop {
  galley::Channel<std::string> orders{4};  // readers wait while four are in line
  galley::Semaphore connections{3};        // three at once ask the database
  galley::SingleFlight<std::string, int> prices;
  int asked = 0, sold = 0, given_up = 0, failed = 0;
};

asio::awaitable<void> after(galley::Duration time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<int> ask_database(Shop& shop, std::string article) {
  const galley::Permit connection = co_await shop.connections.acquire();
  ++shop.asked;
  co_await after(article == "anvil" ? 1h : 2ms);
  if (article == "typo") throw std::runtime_error("no article '" + article + "'");
  co_return static_cast<int>(article.size());
}

asio::awaitable<void> sell(Shop& shop) {
  while (const auto article = co_await shop.orders.receive()) {  // until it is closed and empty
    auto price = galley::with_timeout(shop.prices.run(*article, ask_database(shop, *article)), 300ms);
    const galley::Result<int> known = co_await std::move(price);
    ++(known ? shop.sold : shop.given_up);
  }
}

asio::awaitable<void> read_orders(Shop& shop) {
  for (const char* article : {"rope", "rope", "rope", "anvil", "rope", "typo", "lamp"}) {
    if (co_await shop.orders.send(article) == galley::Sent::Closed) co_return;
  }
  shop.orders.close();
}

asio::awaitable<void> run_shop(Shop& shop, galley::TaskGroup& tasks) {
  for (int i = 0; i < 4; ++i) tasks.spawn("seller " + std::to_string(i), sell(shop)).value();
  tasks.spawn("reader", read_orders(shop)).value();
  const auto late = co_await tasks.join_for(10s);
  for (const auto& task : late) std::cout << task.info.name << " is still running\n";
  tasks.cancel();
  co_await tasks.join();
}

}  // namespace

int main() {
  galley::Loop loop;
  Shop shop;
  galley::TaskGroup tasks{loop.get_executor(), [&shop](const galley::TaskInfo& task, const std::exception_ptr& error) {
                            ++shop.failed;
                            try {
                              std::rethrow_exception(error);
                            } catch (const std::exception& failure) {
                              std::cout << task.name << " failed: " << failure.what() << "\n";
                            }
                          }};
  asio::co_spawn(loop.context(), run_shop(shop, tasks), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
  loop.run();
  std::cout << shop.sold << " sold, " << shop.given_up << " given up, " << shop.failed
            << " failed; the database was asked " << shop.asked << " times\n";
  return shop.sold == 5 && shop.given_up == 1 && shop.failed == 1 ? 0 : 1;
}
