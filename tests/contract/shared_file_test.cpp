// The random operations once more, on a file that three share: two connections, as two processes have them, and an
// application's transaction. What each keeps in memory must not go stale over what the others write, nor over a
// transaction that is rolled back; so together they must answer as one memory store does.

#include <gtest/gtest.h>

#include "contract/lockstep.hpp"
#include "engine/forwarding_store.hpp"
#include "store/app_connection.hpp"
#include "store/sqlite/joined.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::contract {

namespace {

constexpr std::uint64_t kSeeds = 25;
constexpr int kOperations = 200;
constexpr int kBetweenComparisons = 40;

class SharedFile final : public engine::ForwardingStore {
 public:
  SharedFile(std::unique_ptr<Store> first, std::unique_ptr<Store> second, const std::string& path)
      : ForwardingStore(std::move(first)), second_(std::move(second)), application_(path) {
    joined_ = sqlite::Joined::join(*second_, application_.raw()).value();
  }

  Result<std::vector<Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    switch (turn_++ % 3) {
      case 0: return ForwardingStore::enqueue(jobs);
      case 1: return second_->enqueue(jobs);
      default: return in_transaction([&] { return joined_->enqueue(jobs); });
    }
  }
  Result<FinishAndClaimAnswer> finish_and_claim(std::span<const Finish> finishes,
                                                std::span<const ClaimRequest> requests) override {
    if (!requests.empty())
      return other() ? second_->finish_and_claim(finishes, requests)
                     : ForwardingStore::finish_and_claim(finishes, requests);
    auto finished = in_transaction([&] { return joined_->finish(finishes); });
    if (!finished) return finished.error();
    auto answer = second_->finish_and_claim({}, {});
    if (answer) answer->finished = *std::move(finished);
    return answer;
  }
  Result<std::vector<Renewed>> renew(std::span<const Renewal> renewals, Duration lease) override {
    return other() ? second_->renew(renewals, lease) : ForwardingStore::renew(renewals, lease);
  }
  Result<std::vector<Operated>> retry(std::span<const JobId> ids) override { return second_->retry(ids); }
  Result<std::vector<Operated>> erase(std::span<const JobId> ids) override { return second_->erase(ids); }
  Result<std::vector<Operated>> alter(std::span<const JobId> ids, const Alteration& change) override {
    return second_->alter(ids, change);
  }
  Result<void> pause(const std::string& queue) override { return second_->pause(queue); }
  Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) override {
    return second_->set_max_waiting(queue, most);
  }
  Result<BatchId> open_batch(const std::string& name, const std::string& token) override {
    return second_->open_batch(name, token);
  }
  Result<void> put_schedule(const store::Schedule& schedule) override { return second_->put_schedule(schedule); }
  Result<std::vector<LaneStats>> lanes() override { return second_->lanes(); }
  Result<std::vector<QueueStats>> queues() override { return second_->queues(); }

 private:
  [[nodiscard]] bool other() noexcept { return turn_++ % 2 == 0; }
  /// Once for nothing, once in earnest.
  template <class Verb>
  auto in_transaction(Verb verb) -> decltype(verb()) {
    application_.execute("BEGIN IMMEDIATE");
    (void)verb();
    application_.execute("ROLLBACK");
    application_.execute("BEGIN IMMEDIATE");
    auto answer = verb();
    application_.execute("COMMIT");
    return answer;
  }

  std::unique_ptr<Store> second_;
  test::AppConnection application_;
  std::unique_ptr<sqlite::Joined> joined_;
  unsigned turn_ = 0;
};

Opened make_shared_file(const base::Clock& clock) {
  auto home = std::make_shared<test::TempDir>();
  SqliteOptions options;
  options.path = home->file("jobs.db");
  options.durability = Durability::Normal;
  options.clock = &clock;
  auto first = open_sqlite(options).value();
  auto second = open_sqlite(options).value();
  return {std::move(home), std::make_unique<SharedFile>(std::move(first), std::move(second), options.path)};
}

TEST(SharedFile, IsOneStoreForTwoProcessesAndAnApplication) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    Lockstep both(seed, {"shared file", make_shared_file});
    for (int i = 1; i <= kOperations && !testing::Test::HasFailure(); ++i) {
      both.operate();
      if (i % kBetweenComparisons == 0) both.compare_contents();
    }
    if (testing::Test::HasFailure()) ADD_FAILURE() << "seed " << seed << "; the last operations:\n" << both.story();
  }
}

}  // namespace
}  // namespace galley::store::contract
