// A fast and a slow queue: two pools of slots, so that a thumbnail never waits for a video.
// The program enqueues both, runs them, and ends when nothing is left.

#include <galley/galley.hpp>
#include <iostream>

using namespace std::chrono_literals;

struct Thumbnail {
  std::string path;
  int width = 200;
};
BOOST_DESCRIBE_STRUCT(Thumbnail, (), (path, width))

struct Video {
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Video, (), (path))

namespace {

void say(const std::string& line) { std::cout << line + "\n" << std::flush; }  // one write: handlers run side by side

void render(galley::Attempt& attempt, const Thumbnail& job) {
  say("thumbnail of " + job.path + ", " + std::to_string(job.width) + " wide, attempt " +
      std::to_string(attempt.number()));
}

void encode(galley::Attempt& attempt, const Video& job) {
  for (int percent = 0; percent <= 100 && !attempt.stop_requested(); percent += 20) {
    attempt.progress(std::to_string(percent) + " %");  // galley jobs show ID
  }
  say("encoded " + job.path);
}

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue fast{store, "fast"};
  galley::Queue slow{store, "slow"};
  slow.enqueue("encode", Video{"cat.mov"}, galley::timeout(1h)).value();
  for (int i = 1; i <= 3; ++i) {
    fast.enqueue("thumbnail", Thumbnail{"cat" + std::to_string(i) + ".png"}, galley::timeout(30s)).value();
  }

  galley::WorkerOptions options;
  options.drain = true;  // a service leaves this out, and calls stop() on SIGTERM
  galley::Worker worker{store, options};
  worker.handle<Thumbnail>("thumbnail", render);
  worker.handle<Video>("encode", encode);
  const auto report = worker.pool("fast", 4).pool("slow", 1).run().value();
  say("completed " + std::to_string(report.completed) + " jobs");
  return report.completed == 4 ? 0 : 1;
}
