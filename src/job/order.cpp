#include "job/order.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "base/text.hpp"
#include "job/validate.hpp"

namespace galley::job {

namespace {

constexpr int kMaxWeight = 1000;

Error bad(std::string_view field, std::string_view value, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + base::quoted(value) + " is not allowed; allowed is " + std::string(allowed)};
}

std::optional<int> number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

Result<PoolQueue> queue_from(std::string_view text) {
  PoolQueue queue;
  const auto star = text.find('*');
  queue.name = std::string(text.substr(0, star));
  if (auto valid = check_queue("pool's queue", queue.name); !valid) return valid.error();
  if (star == std::string_view::npos) return queue;
  const auto weight = number(text.substr(star + 1), 1, kMaxWeight);
  if (!weight) return bad("pool's weight", text.substr(star + 1), "1 to " + std::to_string(kMaxWeight));
  queue.weight = *weight;
  return queue;
}

Result<std::vector<PoolQueue>> queues_from(std::string_view all) {
  std::vector<PoolQueue> queues;
  std::string_view rest = all;
  while (true) {
    const auto comma = rest.find(',');
    auto queue = queue_from(rest.substr(0, comma));
    if (!queue) return queue.error();
    const auto same = [&](const PoolQueue& other) { return other.name == queue->name; };
    if (std::any_of(queues.begin(), queues.end(), same)) return bad("pool's queues", all, "each queue once");
    queues.push_back(std::move(*queue));
    if (queues.size() > limits::kMaxClaimQueues) {
      return bad("pool's queues", all, "at most " + std::to_string(limits::kMaxClaimQueues) + " queues");
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  const auto weighted = std::count_if(queues.begin(), queues.end(), [](const PoolQueue& q) { return q.weight > 0; });
  if (weighted != 0 && weighted != static_cast<std::ptrdiff_t>(queues.size())) {
    return bad("pool's queues", all, "either a weight for each (a*3,b*1) or for none (a,b)");
  }
  return queues;
}

}  // namespace

Result<PoolSpec> pool_spec_from(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return bad("pool", text, "NAME=SLOTS[:QUEUE,...]");
  PoolSpec spec;
  spec.name = std::string(text.substr(0, equals));
  if (auto valid = check_queue("pool's name", spec.name); !valid) return valid.error();
  const std::string_view rest = text.substr(equals + 1);
  const auto colon = rest.find(':');
  const auto slots = number(rest.substr(0, colon), 1, limits::kMaxSlots);
  if (!slots) return bad("pool's slots", rest.substr(0, colon), "1 to " + std::to_string(limits::kMaxSlots));
  spec.slots = *slots;
  if (colon == std::string_view::npos) {
    spec.queues.push_back({spec.name, 0});
    return spec;
  }
  auto queues = queues_from(rest.substr(colon + 1));
  if (!queues) return queues.error();
  spec.queues = std::move(*queues);
  return spec;
}

QueueOrder::QueueOrder(std::vector<PoolQueue> queues) : queues_(std::move(queues)), credit_(queues_.size()) {
  for (const PoolQueue& queue : queues_) order_.push_back(queue.name);
}

const std::vector<std::string>& QueueOrder::next() {
  if (queues_.empty() || queues_.front().weight == 0) return order_;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    credit_[i] += queues_[i].weight;
    sum += queues_[i].weight;
  }
  std::vector<std::size_t> by_credit(queues_.size());
  std::iota(by_credit.begin(), by_credit.end(), std::size_t{0});
  std::stable_sort(by_credit.begin(), by_credit.end(),
                   [this](std::size_t a, std::size_t b) { return credit_[a] > credit_[b]; });
  credit_[by_credit.front()] -= sum;
  for (std::size_t i = 0; i < by_credit.size(); ++i) order_[i] = queues_[by_credit[i]].name;
  return order_;
}

}  // namespace galley::job
