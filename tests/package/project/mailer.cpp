// Enqueues a typed job on the store that the command line names, runs it, and says so.

#include <galley/galley.hpp>
#include <iostream>

struct Letter {
  std::string to;
  int pages = 1;
};
BOOST_DESCRIBE_STRUCT(Letter, (), (to, pages))

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto store = galley::open_store(argv[1]).value();
  galley::Queue post{store, "post"};
  post.enqueue("letter", Letter{"ada", 3}).value();

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle<Letter>("letter", [](galley::Attempt&, const Letter& letter) {
    std::cout << "sent " << letter.pages << " pages to " << letter.to << "\n" << std::flush;
  });
  const auto report = worker.pool("post", 1).run().value();
  return report.completed == 1 ? 0 : 1;
}
