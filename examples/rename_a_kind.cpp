// A kind gets another name while jobs of the old one still wait.

#include <galley/galley.hpp>
#include <iostream>

struct Resize {
  std::string path;
  int width = 200;
};
BOOST_DESCRIBE_STRUCT(Resize, (), (path, width))

namespace {

void resize(galley::Attempt& attempt, const Resize& job) {
  std::cout << job.path + " to " + std::to_string(job.width) + ", enqueued as " + attempt.kind() + "\n";
}

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue queue{store, "images"};
  queue.enqueue("thumbnail", Resize{"old.png"}).value();  // by a producer that is not upgraded yet
  queue.enqueue("resize", Resize{"new.png", 400}).value();

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle<Resize>("resize", resize).alias("thumbnail", "resize");
  return worker.pool("images", 1).run().value().completed == 2 ? 0 : 1;
}
