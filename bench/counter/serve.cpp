#include "bench/counter/serve.hpp"

#include <condition_variable>
#include <cstdio>
#include <galley/galley.hpp>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace bench::counter {

namespace {

using std::chrono::duration;

/// What has been served so far.
class Ledger {
 public:
  Ledger(std::size_t burgers, std::size_t drinks) : burgers_left_(burgers), drinks_left_(drinks) {}

  [[nodiscard]] long long now() const { return watch_.elapsed().count(); }

  void drink_started(long long ordered) {
    const double wait = static_cast<double>(now() - ordered) / 1e6;
    const std::lock_guard lock(mutex_);
    outcome_.waits_ms.push_back(wait);
  }
  void ended(bool burger) {
    const std::lock_guard lock(mutex_);
    if (burger && --burgers_left_ == 0) burgers_took_ = watch_.seconds();
    if (!burger) --drinks_left_;
    if (burgers_left_ == 0 && drinks_left_ == 0) all_served_.notify_all();
  }
  /// Of those that only make the kinds known.
  void known_served() {
    const std::lock_guard lock(mutex_);
    if (--known_left_ == 0) all_served_.notify_all();
  }
  void wait_for_known(std::size_t count) {
    std::unique_lock lock(mutex_);
    known_left_ += static_cast<long>(count);
    all_served_.wait(lock, [&] { return known_left_ <= 0; });
  }
  void opens() { watch_ = Stopwatch(); }
  /// Takes as long as a job is to take.
  void spend(Nanos time) {
    std::unique_lock lock(mutex_);
    const Stopwatch watch;
    while (watch.elapsed() < time) never_.wait_for(lock, time - watch.elapsed());
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    all_served_.wait(lock, [&] { return burgers_left_ == 0 && drinks_left_ == 0; });
  }
  Outcome outcome(std::size_t burgers) {
    outcome_.burgers_per_s = static_cast<double>(burgers) / burgers_took_;
    return std::move(outcome_);
  }

 private:
  Stopwatch watch_;
  long known_left_ = 0;
  std::mutex mutex_;
  std::condition_variable all_served_;
  std::condition_variable never_;
  std::size_t burgers_left_;
  std::size_t drinks_left_;
  double burgers_took_ = 0;
  Outcome outcome_;
};

enum class Order { Drink, Burger, Known };

std::string order(long long at, Nanos time, Order what) {
  return "[" + std::to_string(at) + "," + std::to_string(time.count()) + "," + std::to_string(static_cast<int>(what)) +
         "]";
}

galley::Handler handler(Ledger& ledger) {
  return [&ledger](galley::Attempt&, std::string_view payload) -> std::optional<galley::Outcome> {
    long long ordered = 0;
    long long time = 0;
    int what = 0;
    if (std::sscanf(std::string(payload).c_str(), "[%lld,%lld,%d]", &ordered, &time, &what) != 3) {
      return galley::Outcome::fail("not an order");
    }
    if (what == static_cast<int>(Order::Drink)) ledger.drink_started(ordered);
    ledger.spend(Nanos(time));
    if (what == static_cast<int>(Order::Known)) {
      ledger.known_served();
    } else {
      ledger.ended(what == static_cast<int>(Order::Burger));
    }
    return std::nullopt;
  };
}

/// Twelve of each kind, more than it takes to know one.
void make_known(galley::Queue& burgers, galley::Queue& drinks, const Load& load, Ledger& ledger) {
  constexpr std::size_t kEach = 12;
  for (std::size_t i = 0; i < kEach; ++i) {
    (void)drinks.enqueue_json("drink", order(0, load.drink, Order::Known)).value();
    (void)burgers.enqueue_json("burger", order(0, load.burgers.at(i), Order::Known)).value();
  }
  ledger.wait_for_known(2 * kEach);
  ledger.opens();
}

/// A worker that runs as long as this.
class Running {
 public:
  explicit Running(galley::Worker& worker) : worker_(worker), thread_([&worker] { (void)worker.run().value(); }) {}
  ~Running() {
    worker_.stop();
    thread_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  galley::Worker& worker_;
  std::thread thread_;
};

}  // namespace

Outcome serve(const Load& load, const Way& way, int slots, const std::filesystem::path& dir) {
  const auto store = galley::open_store("sqlite:" + (dir / "galley.db").string() + "?durability=normal").value();
  galley::Queue burgers(store, "counter");
  galley::Queue drinks(store, way.dedicated ? "drinks" : "counter");
  Ledger ledger(load.burgers.size(), static_cast<std::size_t>(load.drinks));

  galley::WorkerOptions options;
  options.reserve = way.reserve;
  galley::Worker worker(store, options);
  worker.handle_bytes("burger", handler(ledger));
  if (!way.keys) worker.handle_bytes("drink", handler(ledger));
  if (way.dedicated) {
    worker.pool("drinks", 1).pool("counter", slots - 1);
  } else {
    worker.pool("counter", slots);
  }
  const Running running(worker);
  if (way.known) make_known(burgers, drinks, load, ledger);

  galley::JobOptions of_burgers;
  galley::JobOptions of_drinks;
  of_drinks.priority = way.drink_priority;
  if (way.keys) {
    of_burgers.key = "burgers";
    of_drinks.key = "drinks";
  }
  std::vector<galley::Item> items;
  for (const Nanos time : load.burgers) items.push_back({order(ledger.now(), time, Order::Burger), of_burgers});
  (void)burgers.enqueue_json_all("burger", std::move(items)).value();
  Ticks ticks(load.every);
  for (int ordered = 0; ordered < load.drinks;) {
    for (auto due = ticks.wait(); due > 0 && ordered < load.drinks; --due, ++ordered) {
      const std::string text = order(ledger.now(), load.drink, Order::Drink);
      (void)drinks.enqueue_json(way.keys ? "burger" : "drink", text, of_drinks).value();
    }
  }
  ledger.wait_for_all();
  return ledger.outcome(load.burgers.size());
}

}  // namespace bench::counter
