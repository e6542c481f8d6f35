#include "galley/receipt.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "galley/galley.hpp"
#include "store/store.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

class ReceiptTest : public testing::Test {
 protected:
  ReceiptTest() {
    worker.handle("double", [](Attempt& attempt, std::string_view payload) {
      (void)attempt.result(std::to_string(2 * std::stoi(std::string(payload))));
    });
    worker.handle("fail", [](Attempt&, std::string_view) { return Outcome::discard("nobody wants it"); });
    worker.pool("q", 1);
  }
  ~ReceiptTest() override {
    worker.stop();
    if (thread.joinable()) thread.join();
  }
  void start() {
    thread = std::thread([this] { (void)worker.run(); });
  }

  StorePtr store = open_store("memory:").value();
  Queue queue{store, "q"};
  Worker worker{store};
  std::thread thread;
};

TEST_F(ReceiptTest, WaitsForTheResult) {
  start();
  const auto result = queue.enqueue("double", 21).wait(30s);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->completed());
  EXPECT_EQ(result->as<int>().value(), 42);
}

TEST_F(ReceiptTest, TellsWhyAJobDidNotComplete) {
  start();
  const auto result = queue.enqueue("fail", 1).wait(30s);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->completed());
  EXPECT_EQ(result->state, JobState::Discarded);
  EXPECT_EQ(result->error, "nobody wants it");
}

TEST_F(ReceiptTest, GivesUpWhenTheTimeIsOver) {
  const Receipt receipt = queue.enqueue("double", 1);
  const auto result = receipt.wait(1ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::TimedOut);
  EXPECT_EQ(result.error().message, "job " + std::to_string(*receipt) + " is ready after 1ms");
}

TEST_F(ReceiptTest, AJobThatIsGoneIsNotFound) {
  const Receipt receipt = queue.enqueue("double", 1);
  const JobId id = *receipt;
  ASSERT_TRUE(store->erase(std::span(&id, 1)));
  EXPECT_EQ(receipt.wait(30s).error().code, Errc::NotFound);
}

TEST_F(ReceiptTest, OfARefusedEnqueueGivesItsError) {
  const Receipt receipt = queue.enqueue("double", 1, priority(99));
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.wait(30s).error().code, Errc::InvalidInput);
  EXPECT_THROW(receipt.value(), Exception);
}

TEST_F(ReceiptTest, SaysThatTheJobWasThereAlready) {
  EXPECT_FALSE(queue.enqueue("double", 1, token("t")).existed());
  const Receipt again = queue.enqueue("double", 1, token("t"));
  EXPECT_TRUE(again.existed());
}

}  // namespace
}  // namespace galley::engine
