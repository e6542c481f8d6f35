// At most one job for one thing: a report that is asked for by ten people at once is made once; a document that is
// saved again and again is indexed when it has been quiet for a while; many small jobs become one run.

#include <galley/galley.hpp>
#include <iostream>
#include <vector>

using namespace std::chrono_literals;

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue work{store, "work"};

  // Asked for ten times, made once: the key is held until the job has ended.
  for (int person = 0; person < 10; ++person) {
    work.enqueue("report", std::string("2026"), galley::unique("report-2026")).value();
  }

  // Of many enqueues the last one runs, when nothing more has come for 100 ms.
  for (const char* text : {"first draft", "second draft", "final"}) {
    work.enqueue("index", std::string(text), galley::debounce("document-7", 100ms)).value();
  }

  // Up to 100 events as one run, which gets all of them; at the latest a second after the first.
  for (int event = 0; event < 250; ++event) {
    work.enqueue("count", event, galley::group({.key = "events", .max_jobs = 100, .max_age = 1s})).value();
  }

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle<std::string>(
      "report", [](galley::Attempt&, const std::string& year) { std::cout << "report of " + year + "\n"; });
  worker.handle<std::string>(
      "index", [](galley::Attempt&, const std::string& text) { std::cout << "index of: " + text + "\n"; });
  worker.handle<std::vector<int>>("count", [](galley::Attempt&, const std::vector<int>& events) {
    std::cout << std::to_string(events.size()) + " events\n";
  });
  return worker.pool("work", 1).run().value().completed == 5 ? 0 : 1;
}
