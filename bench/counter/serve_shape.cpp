#include "bench/counter/serve_shape.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <galley/galley.hpp>
#include <mutex>
#include <stdexcept>

#include "bench/worker_thread.hpp"

namespace bench::counter {

namespace {

constexpr Nanos kNever{-1};

/// The opening hours, and what came of each order in them.
class Hours {
 public:
  explicit Hours(const Shape& shape) : shape_(shape), orders_(orders_of(shape)), told_(orders_.size()) {}

  [[nodiscard]] const std::vector<Order>& orders() const { return orders_; }
  [[nodiscard]] Nanos now() const { return watch_.elapsed(); }

  void ordered(std::size_t order) {
    const std::lock_guard lock(mutex_);
    told_[order].ordered = now();
  }
  /// Takes as long as the order is to take.
  void serve(std::size_t order) {
    std::unique_lock lock(mutex_);
    if (closed_) return;
    const Nanos began = now();
    twice_ = twice_ || told_[order].started != kNever;
    told_[order].started = began;
    const Nanos until = began + orders_[order].run;
    while (!closed_ && now() < until) change_.wait_for(lock, until - now());
    if (orders_[order].kind + 1 == shape_.kinds.size()) worked_ += std::min(now(), shape_.open) - began;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    change_.notify_all();
  }
  /// When nothing is served any more.
  [[nodiscard]] Service service() const {
    if (twice_) throw std::runtime_error("a job was run twice");
    Service all;
    all.waits_ms.resize(shape_.kinds.size());
    for (std::size_t i = 0; i < orders_.size(); ++i) {
      if (told_[i].ordered == kNever) continue;  // the close came first
      const Nanos until = told_[i].started == kNever ? shape_.open : std::min(told_[i].started, shape_.open);
      const Nanos wait = until - told_[i].ordered;
      all.waits_ms[orders_[i].kind].push_back(std::max(0.0, std::chrono::duration<double, std::milli>(wait).count()));
    }
    all.longest_s = std::chrono::duration<double>(worked_).count();
    return all;
  }

 private:
  struct Told {
    Nanos ordered = kNever;
    Nanos started = kNever;
  };

  const Shape& shape_;
  Stopwatch watch_;
  const std::vector<Order> orders_;
  std::mutex mutex_;
  std::condition_variable change_;
  std::vector<Told> told_;
  Nanos worked_{0};
  bool closed_ = false;
  bool twice_ = false;
};

/// However the hours end: a handler that nobody sends home would sleep on.
class Closing {
 public:
  explicit Closing(Hours& hours) : hours_(hours) {}
  ~Closing() { hours_.close(); }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

 private:
  Hours& hours_;
};

galley::Handler handler(Hours& hours) {
  return [&hours](galley::Attempt&, std::string_view payload) -> std::optional<galley::Outcome> {
    hours.serve(std::strtoull(std::string(payload).c_str(), nullptr, 10));
    return std::nullopt;
  };
}

/// Who orders: all of the longest at once, then each when its time has come.
class Customers {
 public:
  Customers(const Shape& shape, const Setting& setting, galley::Queue& line, galley::Queue& own)
      : shape_(shape), setting_(setting), line_(line), own_(own) {}

  void order_all(Hours& hours) {
    std::size_t next = order_backlog(hours);
    Ticks ticks(std::chrono::milliseconds(1));
    while (hours.now() < shape_.open) {
      ticks.wait();
      for (; next < hours.orders().size() && hours.orders()[next].at <= hours.now(); ++next) order(hours, next);
    }
  }

 private:
  std::size_t order_backlog(Hours& hours) {
    const std::vector<Order>& orders = hours.orders();
    std::vector<galley::Item> items;
    for (std::size_t i = 0; i < orders.size() && orders[i].at == Nanos(0); ++i) {
      hours.ordered(i);
      items.push_back({std::to_string(i), {}});
    }
    const std::size_t count = items.size();
    (void)line_.enqueue_json_all(shape_.kinds.back().name, std::move(items)).value();
    return count;
  }
  void order(Hours& hours, std::size_t number) {
    const std::size_t kind = hours.orders()[number].kind;
    galley::JobOptions options;
    if (setting_.priorities) options.priority = static_cast<int>(shape_.kinds.size() - 1 - kind);
    galley::Queue& queue = setting_.dedicated && kind == shape_.judged ? own_ : line_;
    hours.ordered(number);
    (void)queue.enqueue_json(shape_.kinds[kind].name, std::to_string(number), options).value();
  }

  const Shape& shape_;
  const Setting& setting_;
  galley::Queue& line_;
  galley::Queue& own_;
};

}  // namespace

std::vector<Setting> settings(int slots) {
  std::vector<Setting> all{{"one line"}, {"priorities", "off", false, true}};
  if (slots > 1) all.push_back({"1 slot of its own", "off", true, false});
  all.push_back({"nothing configured", "auto"});
  if (slots == 1) all.push_back({"--reserve express", "express"});
  return all;
}

Service serve(const Shape& shape, const Setting& setting, const std::filesystem::path& dir) {
  const auto store = galley::open_store("sqlite:" + (dir / "galley.db").string() + "?durability=normal").value();
  galley::Queue line(store, "line");
  galley::Queue own(store, "own");
  galley::WorkerOptions options;
  options.reserve = setting.reserve;
  galley::Worker worker(store, options);
  Hours hours(shape);
  for (const Kind& kind : shape.kinds) worker.handle_bytes(kind.name, handler(hours));
  if (setting.dedicated) {
    worker.pool("own", 1).pool("line", shape.slots - 1);
  } else {
    worker.pool("line", shape.slots);
  }
  WorkerThread running(worker);
  {
    const Closing closing(hours);
    Customers(shape, setting, line, own).order_all(hours);
  }
  running.stop();
  return hours.service();
}

}  // namespace bench::counter
