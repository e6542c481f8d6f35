#include "cli/demo_counter.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include "galley/payload.hpp"
#include "galley/queue.hpp"
#include "galley/worker.hpp"
#include "job/order.hpp"
#include "store/store.hpp"

namespace galley::cli::demo {

namespace {

struct Order {
  JobId id = 0;
  bool drink = false;
};

/// Follows the orders until all are served; the oldest unfinished ones are asked for in portions.
class Pickup {
 public:
  explicit Pickup(store::Store& store) : store_(store) {}
  void add(Order order) { open_.push_back(order); }
  [[nodiscard]] std::size_t waiting() const { return open_.size(); }

  Result<void> look(std::size_t& burgers, std::size_t& drinks) {
    for (std::size_t from = 0; from < open_.size(); from += limits::kMaxPage) {
      const std::size_t to = std::min(open_.size(), from + limits::kMaxPage);
      std::vector<JobId> ids;
      for (std::size_t i = from; i < to; ++i) ids.push_back(open_[i].id);
      auto states = store_.states(ids);
      if (!states) return states.error();
      for (std::size_t i = from; i < to; ++i) {
        const auto state = (*states)[i - from];
        if (state && !is_ended(*state)) continue;
        if (state != JobState::Completed) return failed(open_[i].id);
        ++(open_[i].drink ? drinks : burgers);
        open_[i].id = 0;
      }
    }
    std::erase_if(open_, [](const Order& order) { return order.id == 0; });
    return {};
  }

 private:
  Error failed(JobId id) {
    const auto job = store_.find(id);
    return {Errc::Io, "job " + std::to_string(id) + " did not complete: " + (job ? job->error : job.error().message)};
  }

  store::Store& store_;
  std::vector<Order> open_;
};

/// A worker on a thread of its own, stopped and joined at the end of its scope.
class Kitchen {
 public:
  Kitchen(const StorePtr& store, const Round& round) : worker_(store, options_of(round)) {
    worker_.handle<Meal>("burger", cook).handle<Meal>("drink", cook);
    for (const std::string& text : round.pools) {
      const auto pool = job::pool_spec_from(text).value();
      worker_.pool(pool.name, pool.slots, pool.queues.front().name);
    }
    thread_ = std::thread([this] { report_ = worker_.run(); });
  }
  ~Kitchen() {
    worker_.stop();
    thread_.join();
  }
  Kitchen(const Kitchen&) = delete;
  Kitchen& operator=(const Kitchen&) = delete;

 private:
  static WorkerOptions options_of(const Round& round) {
    WorkerOptions options;
    options.reserve = round.reserve;
    return options;
  }

  Worker worker_;
  Result<WorkerReport> report_ = WorkerReport{};
  std::thread thread_;
};

}  // namespace

Waits waits_of(std::vector<Duration> waits) {
  if (waits.empty()) return {};
  std::sort(waits.begin(), waits.end());
  const auto rank = [&](double share) {
    const auto n = static_cast<std::size_t>(std::ceil(share * static_cast<double>(waits.size())));
    return waits[std::clamp<std::size_t>(n, 1, waits.size()) - 1];
  };
  return {rank(0.5), rank(0.99), waits.back()};
}

Result<RoundReport> open_counter(const StorePtr& store, const base::Clock& clock, const Menu& menu, const Round& round,
                                 const std::string& folder, Duration pause, const OnServed& on_served) {
  RoundReport report;
  const Kitchen kitchen(store, round);
  Queue burgers(store, round.burger_queue);
  Queue drinks(store, round.drink_queue);
  Pickup pickup(*store);
  std::vector<JobId> drink_ids;
  const base::Mono opened = clock.mono();
  const auto order = [&](Queue& queue, bool drink, std::vector<std::string> files) -> Result<void> {
    const std::string kind = drink ? "drink" : "burger";
    Meal meal{std::move(files),
              folder + "/" + round.name + "-" + kind + "-" + std::to_string(report.meals.size()) + ".gz"};
    const auto id = queue.enqueue(kind, meal);
    if (!id) return id.error();
    pickup.add({*id, drink});
    if (drink) drink_ids.push_back(*id);
    report.meals.push_back(std::move(meal));
    return {};
  };
  for (const auto& files : menu.burgers) {
    if (auto ordered = order(burgers, false, files); !ordered) return ordered.error();
  }
  const auto bell = store->bell();
  std::size_t served_burgers = 0;
  std::size_t served_drinks = 0;
  base::Mono next_guest = clock.mono();
  while (drink_ids.size() < menu.drinks.size() || pickup.waiting() > 0) {
    const bool more_guests = drink_ids.size() < menu.drinks.size();
    if (more_guests && clock.mono() >= next_guest) {
      if (auto ordered = order(drinks, true, {menu.drinks[drink_ids.size()]}); !ordered) return ordered.error();
      next_guest += pause;
      continue;
    }
    if (auto looked = pickup.look(served_burgers, served_drinks); !looked) return looked.error();
    on_served(served_burgers, served_drinks);
    if (more_guests || pickup.waiting() > 0) {
      (void)bell->wait(more_guests ? next_guest - clock.mono() : Duration(std::chrono::seconds(1)));
    }
  }
  report.whole = clock.mono() - opened;
  std::vector<Duration> waits;
  for (const JobId id : drink_ids) {
    auto job = store->find(id);
    if (!job) return job.error();
    waits.push_back(job->started_at.value_or(job->enqueued_at) - job->enqueued_at);
  }
  report.drinks = waits_of(std::move(waits));
  return report;
}

}  // namespace galley::cli::demo
