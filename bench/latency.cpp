#include "bench/latency.hpp"

#include <algorithm>
#include <stdexcept>

namespace bench {

namespace {
constexpr std::chrono::seconds kPatience{60};  // then something is broken: say so instead of hanging
}

Latency latency_of(std::vector<Nanos> all) {
  std::sort(all.begin(), all.end());
  const auto at = [&](std::size_t percent) { return all[std::min(all.size() - 1, all.size() * percent / 100)]; };
  return {at(50), at(99), all.back()};
}

void Countdown::down() {
  const std::lock_guard lock(mutex_);
  if (--left_ == 0) zero_.notify_all();
}

void Countdown::wait() {
  std::unique_lock lock(mutex_);
  if (!zero_.wait_for(lock, kPatience, [this] { return left_ <= 0; })) {
    throw std::runtime_error("a job that should have started has not, for a minute");
  }
}

Paced::Paced(int jobs_a_second, int jobs)
    : every_(Nanos(std::chrono::seconds(1)) / jobs_a_second),
      called_(static_cast<std::size_t>(jobs)),
      took_(static_cast<std::size_t>(jobs)),
      started_(static_cast<std::size_t>(jobs)),
      all_(jobs) {}

void Paced::started(std::size_t number) {
  const Nanos now = watch_.elapsed();
  Nanos never{0};
  if (started_.at(number).compare_exchange_strong(never, now)) all_.down();
}

Latencies Paced::run(const std::function<void(std::size_t)>& send) {
  Latencies answer{};
  Ticks ticks(every_);
  for (std::size_t next = 0; next < called_.size();) {
    const std::uint64_t due = ticks.wait();
    answer.late += due - 1;
    for (std::uint64_t i = 0; i < due && next < called_.size(); ++i, ++next) {
      called_[next] = watch_.elapsed();
      send(next);
      took_[next] = watch_.elapsed() - called_[next];
    }
  }
  all_.wait();
  std::vector<Nanos> waited(called_.size());
  for (std::size_t i = 0; i < called_.size(); ++i) waited[i] = started_[i].load() - called_[i];
  answer.enqueue = latency_of(took_);
  answer.start = latency_of(waited);
  return answer;
}

}  // namespace bench
