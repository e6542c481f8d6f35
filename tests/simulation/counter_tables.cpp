#include "simulation/counter_tables.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

#include "simulation/counter.hpp"

namespace galley::simulation {

namespace {

using job::Reserve;

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }

std::string text(double value) {
  std::array<char, 40> buffer;
  std::snprintf(buffer.data(), buffer.size(), value < 10 ? "%.1f" : "%.0f", value);
  return buffer.data();
}

std::string percent(double part) {
  std::array<char, 40> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.1f %%", part * 100);
  return buffer.data();
}

double at(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(quantile * static_cast<double>(values.size())))];
}

struct Row {
  std::vector<double> wait;
  std::vector<double> burgers;
};

struct Bad {
  double wait = 0;
  double by_hand = 0;
  double line = 0;
  double burgers = 0;
  double burgers_by_hand = 0;
  std::string shape;
};

double share(const Tally& tally, const Tally& line) {
  return static_cast<double>(tally.kinds.back().worked.count()) / static_cast<double>(line.kinds.back().worked.count());
}

class Tables {
 public:
  void add(const Shape& shape) {
    const std::size_t kind = shape.menu.front().turns ? 1 : 0;
    if (kind + 1 >= shape.menu.size() || shape.menu[kind].mean * 20 > shape.menu.back().mean) return;
    const auto orders = orders_of(shape);
    const Tally line = serve(shape, orders, one_line(shape));
    const ByHand hand = best_by_hand(shape, orders, kind);
    const Tally learned = serve(shape, orders, one_line(shape, Reserve::Auto));
    const auto put = [&](const char* name, const Tally& tally) {
      Row& row = rows_[{shape.slots, name}];
      row.wait.push_back(ms(tally.kinds[kind].wait(0.99)));
      row.burgers.push_back(share(tally, line));
    };
    const auto warm = [&](Reserve reserve) {
      Policy policy = one_line(shape, reserve);
      policy.warm = true;
      return serve(shape, orders, policy);
    };
    put("1 one line", line);
    put("2 priorities", serve(shape, orders, priorities(shape)));
    put("3 best by hand", hand.tally);
    put("4 learned, cold start", learned);
    put("5 learned, known kinds", warm(Reserve::Auto));
    put("6 express, known kinds", warm(Reserve::Express));
    put("7 slots, known kinds", warm(Reserve::Slots));
    bad_.push_back({ms(learned.kinds[kind].wait(0.99)), ms(hand.tally.kinds[kind].wait(0.99)),
                    ms(line.kinds[kind].wait(0.99)), share(learned, line), share(hand.tally, line), shape.text()});
  }

  std::string markdown() {
    std::string all =
        "| slots | policy | shapes | p99 wait of the shortest kind, ms: median | 90th of 100 shapes | longest kind: "
        "median of one line | 1st of 20 shapes |\n|---|---|---|---|---|---|---|\n";
    for (const auto& [name, row] : rows_) {
      all += "| " + std::to_string(name.first) + " | " + name.second.substr(2) + " | " +
             std::to_string(row.wait.size()) + " | " + text(at(row.wait, 0.5)) + " | " + text(at(row.wait, 0.9)) +
             " | " + percent(at(row.burgers, 0.5)) + " | " + percent(at(row.burgers, 0.05)) + " |\n";
    }
    all += "\nWhere it does badly:\n\n| p99 wait, ms | by hand | one line | longest kind | by hand | workload |\n";
    all += "|---|---|---|---|---|---|\n";
    std::sort(bad_.begin(), bad_.end(),
              [](const Bad& a, const Bad& b) { return a.wait * (b.by_hand + 10) > b.wait * (a.by_hand + 10); });
    for (std::size_t i = 0; i < std::min<std::size_t>(bad_.size(), 12); ++i) all += line(bad_[i]);
    std::sort(bad_.begin(), bad_.end(), [](const Bad& a, const Bad& b) { return a.burgers < b.burgers; });
    for (std::size_t i = 0; i < std::min<std::size_t>(bad_.size(), 4); ++i) all += line(bad_[i]);
    return all;
  }

 private:
  static std::string line(const Bad& bad) {
    return "| " + text(bad.wait) + " | " + text(bad.by_hand) + " | " + text(bad.line) + " | " + percent(bad.burgers) +
           " | " + percent(bad.burgers_by_hand) + " | " + bad.shape + " |\n";
  }

  std::map<std::pair<int, std::string>, Row> rows_;
  std::vector<Bad> bad_;
};

}  // namespace

std::string counter_tables(std::uint64_t seeds) {
  Tables tables;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) tables.add(shape_of(seed));
  return tables.markdown();
}

}  // namespace galley::simulation
