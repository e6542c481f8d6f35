// Enqueues a job and waits for what it gives back, as a web server does for a slow part of a request.

#include <galley/galley.hpp>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

struct Invoice {
  std::string customer;
  int cents = 0;
};
BOOST_DESCRIBE_STRUCT(Invoice, (), (customer, cents))

struct Total {
  int cents = 0;
};
BOOST_DESCRIBE_STRUCT(Total, (), (cents))

namespace {

void add_tax(galley::Attempt& attempt, const Invoice& invoice) {
  (void)attempt.result(galley::Codec<Total>::encode({invoice.cents * 119 / 100}));
}

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Worker worker{store};  // usually another process
  worker.handle<Invoice>("add_tax", add_tax).pool("bills", 1);
  std::thread running([&worker] { worker.run().value(); });

  galley::Queue bills{store, "bills"};
  const auto result = bills.enqueue("add_tax", Invoice{"ann", 1000}).wait(30s).value();
  if (result.completed()) std::cout << result.as<Total>().value().cents << " cents\n";

  worker.stop();
  running.join();
  return result.completed() ? 0 : 1;
}
