#include "cli/rates.hpp"

#include <map>
#include <utility>

namespace galley::cli {

std::vector<Rates> rates_of(const std::vector<store::Minute>& minutes) {
  std::map<std::pair<std::string, std::string>, Rates> sums;
  for (const store::Minute& minute : minutes) {
    const store::Measured& measured = minute.measured;
    Rates& sum = sums[{measured.queue, measured.kind}];
    sum.queue = measured.queue;
    sum.kind = measured.kind;
    sum.enqueued += minute.enqueued;
    sum.completed += measured.completed;
    sum.failed += measured.failed;
    sum.wait.merge(measured.wait);
    sum.run.merge(measured.run);
  }
  std::vector<Rates> rates;
  for (auto& [name, sum] : sums) rates.push_back(std::move(sum));
  return rates;
}

double minutes_looked_at(Time now) noexcept {
  const Duration part = now - std::chrono::floor<std::chrono::minutes>(now);
  return kRateMinutes + std::chrono::duration<double, std::ratio<60>>(part).count();
}

}  // namespace galley::cli
