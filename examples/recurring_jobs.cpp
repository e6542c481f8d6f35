// Recurring jobs: a report each night at three in Berlin, whatever daylight saving does, and a heartbeat each second.
// A program may put its schedules at each start; it is the same schedule then.

#include <galley/galley.hpp>
#include <iostream>

using namespace std::chrono_literals;

struct Report {
  std::string of;
};
BOOST_DESCRIBE_STRUCT(Report, (), (of))

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();

  galley::Schedule nightly{.name = "nightly", .cron = "0 3 * * *", .zone = "Europe/Berlin"};
  galley::put_schedule(store, nightly, "reports", "report", Report{"sales"}, galley::timeout(1h)).value();

  galley::Schedule heartbeat{.name = "heartbeat", .cron = "* * * * * *"};
  galley::put_schedule(store, heartbeat, "reports", "beat", Report{"life"}).value();

  int beats = 0;
  galley::Worker worker{store};
  worker.handle<Report>("report",
                        [](galley::Attempt&, const Report& report) { std::cout << "report of " + report.of; });
  worker.handle<Report>("beat", [&](galley::Attempt&, const Report& report) {
    std::cout << "a sign of " + report.of + "\n";
    if (++beats == 2) worker.stop();
  });
  worker.pool("reports", 1).run().value();
  return beats >= 2 ? 0 : 1;
}
