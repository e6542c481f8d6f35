// Resizes many images, and publishes the album when all of them are done.

#include <galley/galley.hpp>
#include <iostream>

struct Image {
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Image, (), (path))

struct Album {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(Album, (), (name))

namespace {

void publish(galley::Attempt&, const Album& album) { std::cout << "all of " << album.name << " are done\n"; }

void report(galley::Attempt&, const Album& album) { std::cout << "one of " << album.name << " has failed\n"; }

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue fast{store, "fast"}, slow{store, "slow"};

  galley::Batch batch{store, "holidays"};
  for (const char* path : {"cat.png", "dog.png", "frog.zip"}) batch.add(fast, "resize", Image{path});
  batch.on_success(slow, "publish", Album{"holidays"});
  batch.on_failure(slow, "report", Album{"holidays"});
  const galley::BatchId id = batch.enqueue().value();
  std::cout << "batch " << id << "\n";

  galley::WorkerOptions options;
  options.drain = true;  // end when nothing is left; usually a worker is a process of its own
  galley::Worker worker{store, options};
  worker.handle<Image>("resize", [&fast](galley::Attempt& attempt, const Image& image) {
    attempt.log("resized " + image.path);
    if (image.path != "frog.zip") return;
    for (const char* found : {"frog1.png", "frog2.png"}) {
      fast.enqueue("resize", Image{found}, galley::batch(attempt.batch())).value();
    }
  });
  worker.handle<Album>("publish", publish).handle<Album>("report", report);
  worker.pool("fast", 2).pool("slow", 1);
  const auto did = worker.run().value();
  return did.completed == 6 ? 0 : 1;
}
