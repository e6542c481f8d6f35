// Galley as an embedding program uses it: public headers, default options.

#include <galley/galley.hpp>
#include <stdexcept>

#include "bench/contender.hpp"
#include "bench/drain.hpp"
#include "bench/worker_thread.hpp"

namespace bench {

namespace {

class Galley final : public Contender {
 public:
  explicit Galley(Durability durability) : durability_(durability) {}

  void fresh(const std::filesystem::path& dir) override {
    stop();
    std::string url = "sqlite:" + (dir / "galley.db").string();
    if (durability_ == Durability::Normal) url += "?durability=normal";
    store_ = galley::open_store(url).value();
    queue_ = std::make_unique<galley::Queue>(store_, "bench");
  }

  void stop() override {
    queue_.reset();
    store_.reset();
  }

  double bulk(int jobs) override {
    std::vector<galley::Item> items;
    items.reserve(static_cast<std::size_t>(jobs));
    for (int i = 0; i < jobs; ++i) items.push_back({payload_of(i), {}});
    const Stopwatch watch;
    const auto ids = queue_->enqueue_json_all("noop", std::move(items)).value();
    return static_cast<double>(ids.size()) / watch.seconds();
  }

  double singles(int threads, Nanos time) override {
    const auto one = [this] { (void)queue_->enqueue_json("noop", payload_of(1)).value(); };
    return calls_a_second(std::vector<std::function<void()>>(static_cast<std::size_t>(threads), one), time);
  }

  double drain(int slots, int jobs) override {
    (void)bulk(jobs);
    return drain_noops(store_, slots, jobs);
  }

  double both(const Both& load) override {
    Tally ended;
    galley::Worker worker{store_};
    worker.handle("noop", [&ended](galley::Attempt&, std::string_view) { ended.one(); });
    worker.pool("bench", load.slots);
    WorkerThread running(worker);
    (void)queue_->enqueue_json("noop", payload_of(0)).value();
    ended.wait_for(1);  // from now on it waits for work

    std::vector<galley::Item> items;
    for (int i = 0; i < load.at_once; ++i) items.push_back({payload_of(i), {}});
    std::atomic<int> made = 0;
    const auto call = [&] {
      if (load.at_once == 1) {
        (void)queue_->enqueue_json("noop", items.front().payload).value();
      } else {
        (void)queue_->enqueue_json_all("noop", items).value();
      }
      made += load.at_once;
    };
    const Stopwatch watch;
    (void)calls_a_second(std::vector<std::function<void()>>(static_cast<std::size_t>(load.producers), call), load.time);
    ended.wait_for(made + 1);
    const galley::WorkerReport report = running.stop();
    const double seconds = watch.seconds();
    if (report.completed != made + 1) throw std::runtime_error("the worker did not complete all jobs");
    return made / seconds;
  }

 private:
  const Durability durability_;
  galley::StorePtr store_;
  std::unique_ptr<galley::Queue> queue_;
};

}  // namespace

std::unique_ptr<Contender> make_galley(Durability durability) { return std::make_unique<Galley>(durability); }

}  // namespace bench
