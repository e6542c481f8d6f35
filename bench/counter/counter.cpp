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
#include "bench/scratch.hpp"

namespace {

using namespace bench;
using namespace bench::counter;
using std::chrono::milliseconds;

constexpr int kSlots = 4;
constexpr int kBurgers = 100;

/// Bounded Pareto, shape 1.3, the most 300 times the least; the same ones each time.
std::vector<Nanos> heavy_tailed(Nanos mean) {
  constexpr double kShape = 1.3;
  constexpr double kMost = 300;
  std::mt19937_64 engine(7);
  std::vector<double> times;
  double sum = 0;
  for (int i = 0; i < kBurgers; ++i) {
    const double unit = static_cast<double>(engine() >> 11U) * 0x1p-53;
    times.push_back(std::pow(1 - unit * (1 - std::pow(kMost, -kShape)), -1 / kShape));
    sum += times.back();
  }
  std::vector<Nanos> all;
  for (const double time : times) {
    all.emplace_back(static_cast<Nanos::rep>(time / sum * kBurgers * static_cast<double>(mean.count())));
  }
  return all;
}

std::vector<Load> loads_of(bool quick) {
  const Nanos burger = quick ? milliseconds(100) : milliseconds(1'000);
  const Nanos every = quick ? milliseconds(5) : milliseconds(25);
  const int drinks = static_cast<int>(burger * kBurgers / kSlots / every);
  const std::string of = quick ? "0.1 s" : "1 s";
  return {{"burgers of " + of, std::vector<Nanos>(kBurgers, burger), milliseconds(1), every, drinks},
          {"burgers of " + of + ", heavy-tailed", heavy_tailed(burger), milliseconds(1), every, drinks}};
}

const std::vector<Way>& ways() {
  static const std::vector<Way> all{{"one line", "off", false, 0, false},
                                    {"priorities", "off", false, 10, false},
                                    {"1 slot of its own", "off", true, 0, false},
                                    {"one kind, a key each", "off", false, 0, true},
                                    {"nothing configured", "auto", false, 0, false}};
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

void print(const Load& load, const Way& way, const Outcome& outcome) {
  std::cout << R"({"who":"galley","way":")" << way.name << R"(","load":")" << load.name << R"(","burgers_per_s":)"
            << outcome.burgers_per_s << R"(,"waits_ms":[)";
  for (std::size_t i = 0; i < outcome.waits_ms.size(); ++i) std::cout << (i == 0 ? "" : ",") << outcome.waits_ms[i];
  std::cout << "]}" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto given = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  const auto known = [](const std::string& word) { return word == "--quick" || word == "--loads"; };
  if (!std::all_of(words.begin(), words.end(), known)) {
    std::cerr << "usage: galley_counter [--quick] [--loads]\n";
    return 2;
  }
  try {
    const std::vector<Load> loads = loads_of(given("--quick"));
    if (given("--loads")) {
      print_loads(loads);
      return 0;
    }
    for (const Load& load : loads) {
      for (const Way& way : ways()) {
        const Scratch scratch(std::filesystem::temp_directory_path());
        print(load, way, serve(load, way, kSlots, scratch.path()));
      }
    }
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "galley_counter: " << failure.what() << "\n";
    return 1;
  }
}
