// Galley's part of ./dev bench counter: one JSON object a line, for bench/counter/counter.py, which has others take the
// same orders and makes the tables and plots.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <random>
#include <stdexcept>

#include "bench/counter/serve.hpp"
#include "bench/counter/serve_shape.hpp"
#include "bench/scratch.hpp"

namespace {

using namespace bench;
using namespace bench::counter;
using std::chrono::milliseconds;

constexpr int kSlots = 4;  // of the others' workers, and of Galley's in its first table
constexpr int kBurgersASlot = 25;
constexpr int kPools[] = {1, 2, 4, 16};

/// Bounded Pareto, shape 1.3, the most 300 times the least; the same ones each time.
std::vector<Nanos> heavy_tailed(Nanos mean, int count) {
  constexpr double kShape = 1.3;
  constexpr double kMost = 300;
  std::mt19937_64 engine(7);
  std::vector<double> times;
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    const double unit = static_cast<double>(engine() >> 11U) * 0x1p-53;
    times.push_back(std::pow(1 - unit * (1 - std::pow(kMost, -kShape)), -1 / kShape));
    sum += times.back();
  }
  std::vector<Nanos> all;
  for (const double time : times) {
    all.emplace_back(static_cast<Nanos::rep>(time / sum * count * static_cast<double>(mean.count())));
  }
  return all;
}

/// As many burgers as keep the slots busy for 25 times the time of one, and drinks all the while.
std::vector<Load> loads_of(bool quick, int slots) {
  const Nanos burger = quick ? milliseconds(100) : milliseconds(1'000);
  const Nanos every = quick ? milliseconds(5) : milliseconds(25);
  const int burgers = kBurgersASlot * slots;
  const int drinks = static_cast<int>(burger * kBurgersASlot / every);
  const std::string of = quick ? "burgers of 0.1 s" : "burgers of 1 s";
  const std::string in = slots == kSlots ? "" : ", " + std::to_string(slots) + (slots == 1 ? " slot" : " slots");
  return {{of + in, std::vector<Nanos>(static_cast<std::size_t>(burgers), burger), milliseconds(1), every, drinks},
          {of + ", heavy-tailed" + in, heavy_tailed(burger, burgers), milliseconds(1), every, drinks}};
}

std::vector<Way> ways(int slots) {
  std::vector<Way> all{{"one line", "off", false, 0, false}};
  if (slots == kSlots) all.push_back({"priorities", "off", false, 10, false});
  if (slots > 1) all.push_back({"1 slot of its own", "off", true, 0, false});
  if (slots == kSlots) all.push_back({"one kind, a key each", "off", false, 0, true});
  all.push_back({"nothing configured", "auto", false, 0, false});
  all.push_back({"--reserve express", "express", false, 0, false});
  if (slots == kSlots) all.push_back({"--reserve slots", "slots", false, 0, false});
  if (slots > 1) all.push_back({"--reserve slots, known kinds", "slots", false, 0, false, true});
  return all;
}

double ms(Nanos time) { return std::chrono::duration<double, std::milli>(time).count(); }

/// For the others.
void print_loads(const std::vector<Load>& loads) {
  std::cout << "[";
  for (const Load& load : loads) {
    std::cout << (&load == loads.data() ? "" : ",") << R"({"name":")" << load.name << R"(","drink_ms":)"
              << ms(load.drink) << R"(,"every_ms":)" << ms(load.every) << R"(,"drinks":)" << load.drinks
              << R"(,"burgers_ms":[)";
    for (std::size_t i = 0; i < load.burgers.size(); ++i) std::cout << (i == 0 ? "" : ",") << ms(load.burgers[i]);
    std::cout << "]}";
  }
  std::cout << "]\n";
}

void print(const Load& load, int slots, const Way& way, const Outcome& outcome) {
  std::cout << R"({"who":"galley","way":")" << way.name << R"(","load":")" << load.name << R"(","slots":)" << slots
            << R"(,"burgers_per_s":)" << outcome.burgers_per_s << R"(,"waits_ms":[)";
  for (std::size_t i = 0; i < outcome.waits_ms.size(); ++i) std::cout << (i == 0 ? "" : ",") << outcome.waits_ms[i];
  std::cout << "]}" << std::endl;
}

std::string list(const std::vector<double>& values) {
  std::string all;
  for (const double value : values) all += (all.empty() ? "" : ",") + std::to_string(value);
  return "[" + all + "]";
}

/// The longest kind's waits say nothing: all of it was ordered at the beginning.
void print(const Shape& shape, const Setting& setting, const Service& service) {
  std::vector<double> others;
  for (std::size_t kind = 0; kind + 1 < shape.kinds.size(); ++kind) {
    if (kind == shape.judged) continue;
    others.insert(others.end(), service.waits_ms[kind].begin(), service.waits_ms[kind].end());
  }
  std::cout << R"({"seed":)" << shape.seed << R"(,"slots":)" << shape.slots << R"(,"kinds":)" << shape.kinds.size()
            << R"(,"open_s":)" << ms(shape.open) / 1e3 << R"(,"shape":")" << shape.text() << R"(","names":[)";
  for (const Kind& kind : shape.kinds) std::cout << (&kind == shape.kinds.data() ? "\"" : ",\"") << kind.name << "\"";
  std::cout << R"(],"way":")" << setting.name << R"(","longest_s":)" << service.longest_s << R"(,"waits_ms":)"
            << list(service.waits_ms[shape.judged]) << R"(,"others_ms":)" << list(others) << "}" << std::endl;
}

/// Every setting in turn, so that a seed's run takes the opening hours four times.
void serve_shape(std::uint64_t seed, bool quick) {
  const Shape shape = shape_of(seed, quick ? milliseconds(1'000) : milliseconds(30'000));
  for (const Setting& setting : settings(shape.slots)) {
    const Scratch scratch(std::filesystem::temp_directory_path());
    print(shape, setting, serve(shape, setting, scratch.path()));
  }
}

struct Options {
  bool quick = false;
  bool loads = false;
  int slots = 0;            ///< 0: of every pool
  std::size_t load = 0;     ///< 0: all
  std::string way;          ///< empty: all
  std::uint64_t shape = 0;  ///< a seed: this workload instead
};

bool read_options(const std::vector<std::string>& words, Options& options) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--quick") {
      options.quick = true;
    } else if (words[i] == "--loads") {
      options.loads = true;
    } else if (words[i] == "--slots" && i + 1 < words.size()) {
      options.slots = std::atoi(words[++i].c_str());
      if (std::find(std::begin(kPools), std::end(kPools), options.slots) == std::end(kPools)) return false;
    } else if (words[i] == "--load" && i + 1 < words.size()) {
      options.load = static_cast<std::size_t>(std::atoi(words[++i].c_str()));
      if (options.load != 1 && options.load != 2) return false;
    } else if (words[i] == "--shape" && i + 1 < words.size()) {
      options.shape = std::strtoull(words[++i].c_str(), nullptr, 10);
      if (options.shape == 0) return false;
    } else if (words[i] == "--way" && i + 1 < words.size()) {
      options.way = words[++i];
    } else {
      return false;
    }
  }
  return true;
}

void serve_all(const Options& options, int slots) {
  const std::vector<Load> loads = loads_of(options.quick, slots);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (options.load != 0 && options.load != i + 1) continue;
    for (const Way& way : ways(slots)) {
      if (!options.way.empty() && options.way != way.name) continue;
      const Scratch scratch(std::filesystem::temp_directory_path());
      print(loads[i], slots, way, serve(loads[i], way, slots, scratch.path()));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options({argv + 1, argv + argc}, options)) {
    std::cerr << "usage: galley_counter [--quick] [--loads] [--slots 1|2|4|16] [--load 1|2] [--way NAME]\n"
                 "       galley_counter [--quick] --shape SEED\n";
    return 2;
  }
  try {
    if (options.loads) {
      print_loads(loads_of(options.quick, kSlots));
      return 0;
    }
    if (options.shape != 0) {
      serve_shape(options.shape, options.quick);
      return 0;
    }
    for (const int slots : kPools) {
      if (options.slots == 0 || options.slots == slots) serve_all(options, slots);
    }
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "galley_counter: " << failure.what() << "\n";
    return 1;
  }
}
