// Workers' cards, and what a store says of itself.

#include <algorithm>

#include "contract/support.hpp"

namespace galley::store::contract {

class Keeping : public Contract {
 protected:
  static WorkerCard a_card() {
    WorkerCard card;
    card.name = "host:7";
    card.pools = "fast=2:default,x slow=1:y";
    card.queues = {"default", "x", "y"};
    card.kinds = {"k", "mail.send"};
    card.any_command = false;
    card.programs = {"/bin/true", "a\\nb\nc", " \xff"};
    card.slots = 3;
    return card;
  }
  /// Without what is each test's own affair: its stores are opened without syncs.
  std::vector<std::string> codes(bool repair = false) {
    std::vector<std::string> all;
    for (const Finding& finding : store.examine(repair).value()) {
      if (finding.code != "durability") all.push_back(finding.code);
    }
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Keeping, testing::ValuesIn(backends()), backend_name);

TEST_P(Keeping, AWorkersCardIsKeptWhole) {
  const WorkerCard card = a_card();
  const WorkerId id = store.join(card).value();
  const auto workers = store.workers().value();
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers[1].id, id);
  EXPECT_EQ(workers[1].card.name, card.name);
  EXPECT_EQ(workers[1].card.pools, card.pools);
  EXPECT_EQ(workers[1].card.queues, card.queues);
  EXPECT_EQ(workers[1].card.kinds, card.kinds);
  EXPECT_EQ(workers[1].card.programs, card.programs);
  EXPECT_EQ(workers[1].card.slots, 3);
  EXPECT_FALSE(workers[1].card.any_command);
  EXPECT_TRUE(workers[0].card.kinds.empty());
}

TEST_P(Keeping, AWorkerThatRunsAnyCommandSaysSo) {
  WorkerCard card = a_card();
  card.any_command = true;
  card.programs.clear();
  ASSERT_TRUE(store.join(card));
  EXPECT_TRUE(store.workers().value().at(1).card.any_command);
}

TEST_P(Keeping, AWorkersClaimsAreCounted) {
  const WorkerId other = store.join(a_card()).value();
  add({a_job(), a_job(), a_job()});
  const auto claims = claim(2);
  (void)claim(ClaimBuilder(other).kind("k"));
  auto workers = store.workers().value();
  EXPECT_EQ(workers.at(0).running, 2);
  EXPECT_EQ(workers.at(1).running, 1);
  finish(claims.at(0), JobEvent::Complete);
  workers = store.workers().value();
  EXPECT_EQ(workers.at(0).running, 1);
}

TEST_P(Keeping, ACardThatIsTooLargeIsRefused) {
  WorkerCard card = a_card();
  card.kinds.assign(limits::kMaxClaimKinds - 2, "k");
  EXPECT_REFUSED(store.join(card));  // with its three programs
  card.programs.clear();
  EXPECT_TRUE(store.join(card));
  card.kinds = {std::string(limits::kMaxCardBytes, 'k')};
  EXPECT_REFUSED(store.join(card));
  card = a_card();
  card.slots = -1;
  EXPECT_REFUSED(store.join(card));
  card = a_card();
  card.queues.assign(limits::kMaxPools * limits::kMaxClaimQueues + 1, "q");
  EXPECT_REFUSED(store.join(card));
}

TEST_P(Keeping, TheStoreSaysWhatItTakes) {
  const StoreInfo before = store.info().value();
  EXPECT_EQ(before.backend, GetParam().name);
  add(a_job().bytes(std::string(200'000, 'x')));
  const StoreInfo after = store.info().value();
  EXPECT_GE(after.bytes, before.bytes + 190'000);
  EXPECT_LT(after.bytes, before.bytes + 400'000);
  const JobId id = store.select({}, "", 1).value().ids.at(0);
  EXPECT_EQ(erase(id), Operated::Done);
  EXPECT_LT(store.info().value().bytes, before.bytes + 100'000) << "what is free inside does not count";
}

TEST_P(Keeping, TheStoreSaysWhatItMayTake) {
  EXPECT_EQ(store.info().value().max_bytes, std::nullopt);
  ASSERT_TRUE(store.set_max_bytes(123'456'789));
  EXPECT_EQ(store.info().value().max_bytes, 123'456'789);
  ASSERT_TRUE(store.set_max_bytes(std::nullopt));
  EXPECT_EQ(store.info().value().max_bytes, std::nullopt);
}

TEST_P(Keeping, AnEmptyStoreIsFoundInOrder) { EXPECT_TRUE(codes().empty()); }

TEST_P(Keeping, ABusyStoreIsFoundInOrder) {
  const WorkerId served = store.join(a_card()).value();
  add({a_job(), a_job(), a_job(), a_job(), a_job().delay(1h), a_job().kind("z").command("/bin/true")});
  run_one();
  run_one(JobEvent::Die);
  run_one(JobEvent::Retry, 1min);
  run_one(JobEvent::Pause);
  (void)claim(ClaimBuilder(served).commands(1, {"/bin/true"}));
  EXPECT_TRUE(codes().empty()) << codes().at(0);
  EXPECT_TRUE(codes(true).empty());
  EXPECT_EQ(list().size(), 6U);
  expect_counts_match_contents();
}

TEST_P(Keeping, ReadyJobsOfAKindThatNoLiveWorkerRunsAreNamed) {
  const WorkerId served = store.join(a_card()).value();
  add({a_job(), a_job().kind("lost"), a_job().kind("z").command("nowhere"), a_job().queue("far")});
  EXPECT_EQ(codes(), (std::vector<std::string>{"unserved", "unserved", "unserved"}));
  ASSERT_TRUE(store.pause("far"));
  EXPECT_EQ(codes().size(), 2U) << "nobody is expected to serve a paused queue";
  ASSERT_TRUE(store.leave(served));
  EXPECT_EQ(codes().size(), 3U);
}

TEST_P(Keeping, ScheduledJobsFarOverdueAreNamedWhileAWorkerLives) {
  const WorkerId served = store.join(a_card()).value();
  add(a_job().delay(1s));
  clock.advance(4min);
  EXPECT_TRUE(codes().empty());
  clock.advance(2min);
  EXPECT_EQ(codes(), std::vector<std::string>{"overdue"});
  ASSERT_TRUE(store.leave(worker));
  ASSERT_TRUE(store.leave(served));
  EXPECT_TRUE(codes().empty());
}

TEST_P(Keeping, ACalendarThatWasSteppedBackIsNamed) {
  const WorkerId served = store.join(a_card()).value();
  EXPECT_NE(served, worker);
  add(a_job());
  clock.step_wall(-1h);
  EXPECT_EQ(codes(), std::vector<std::string>{"clock_behind"});
  clock.step_wall(1h);
  EXPECT_TRUE(codes().empty());
}

}  // namespace galley::store::contract
