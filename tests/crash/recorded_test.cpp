// Workers and producers that write down what they do, killed with SIGKILL at random moments: the history of all of them
// is allowed, whatever the killed ones may have done and could not write down any more.
//
// GALLEY_LEDGER_ROUNDS and GALLEY_LEDGER_SEED change how much, and what.

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <iostream>

#include "crash/crew.hpp"

namespace galley::test {
namespace {

using namespace std::chrono_literals;

int setting(const char* name, int usual) {
  const char* const text = std::getenv(name);
  return text == nullptr ? usual : std::atoi(text);
}

TEST(RecordedHistory, OfKilledWorkersAndProducersIsAllowed) {
  const int seed = setting("GALLEY_LEDGER_SEED", 1);
  const int rounds = setting("GALLEY_LEDGER_ROUNDS", 20);
  base::Random random(static_cast<std::uint64_t>(seed));
  Crew crew(1s);
  std::vector<std::string> workers;
  std::vector<std::string> producers;
  for (int i = 0; i < 2; ++i) workers.push_back(crew.start("worker", works(3, 10ms)));
  for (int i = 0; i < 2; ++i) producers.push_back(crew.start("producer", produces()));
  for (int i = 0; i < rounds; ++i) {
    EXPECT_TRUE(crew.wait(std::chrono::milliseconds(random.bits() % 150))) << "a process ended early";
    std::string& worker = workers[random.bits() % workers.size()];
    crew.kill_one(worker);
    worker = crew.start("worker", works(3, 10ms));
    std::string& producer = producers[random.bits() % producers.size()];
    crew.kill_one(producer);
    producer = crew.start("producer", produces());
  }
  EXPECT_TRUE(crew.stop());
  for (const Figures& one : crew.figures()) EXPECT_EQ(one.error, "") << one.name;
  const history::Checker checker = crew.check_history();
  EXPECT_EQ(checker.text(), "") << "seed " << seed;
  std::cout << "history: rounds " << rounds << ", acknowledged " << checker.acknowledged() << ", claims "
            << checker.claims() << ", completed " << checker.completed() << ", violations "
            << checker.violations().size() << ", seed " << seed << "\n";
}

}  // namespace
}  // namespace galley::test
