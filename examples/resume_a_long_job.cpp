// Imports ten thousand rows as one job that saves its place: it gives way, is killed and goes on without starting over.

#include <galley/galley.hpp>
#include <iostream>

struct Import {
  std::int64_t rows = 0;
};
BOOST_DESCRIBE_STRUCT(Import, (), (rows))

int main() {
  using namespace std::chrono_literals;
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue queue{store, "slow"};
  queue.enqueue("import", Import{10'000}, galley::resumable(), galley::timeout(1min)).value();

  std::int64_t imported = 0;
  galley::WorkerOptions options;
  options.drain = true;  // end when nothing is left; usually a worker is a process of its own
  galley::Worker worker{store, options};
  galley::ResumeOptions often;
  often.slice = 1ms;  // usually 10 s

  worker.handle<Import>("import", [&](galley::Attempt& attempt, const Import& job) {
    const auto import_row = [&](std::int64_t row) { imported += row == imported ? 1 : 0; };  // each once, in order
    return galley::resume(attempt, galley::range(0, job.rows), import_row, often);
  });
  worker.timeout("import", 10min);  // of imports that bring no time-out of their own
  const auto did = worker.pool("slow", 1).run().value();
  std::cout << imported << " rows are imported\n";
  return did.completed == 1 && imported == 10'000 ? 0 : 1;
}
