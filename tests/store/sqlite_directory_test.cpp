// What a connection keeps of names and settings, while others add and change them.

#include "store/sqlite/directory.hpp"

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/transaction.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

class SqliteDirectory : public testing::Test {
 protected:
  /// One connection with what it keeps.
  struct Connection {
    explicit Connection(const std::string& path) : db(path, false), directory(db) {}
    Database db;
    Directory directory;
  };
  template <class Body>
  void transact(Connection& connection, Transaction::Kind kind, Body body) {
    Transaction tx(connection.db, connection.directory, clock_, kind);
    body(tx);
    tx.commit();
  }
  QueueKey look(Connection& connection, const std::string& queue) {
    QueueKey found = 0;
    transact(connection, Transaction::Kind::Read,
             [&](Transaction&) { found = connection.directory.find_queue(queue); });
    return found;
  }
  QueueKey add(Connection& connection, const std::string& queue) {
    QueueKey added = 0;
    transact(connection, Transaction::Kind::Write, [&](Transaction&) { added = connection.directory.queue(queue); });
    return added;
  }

  test::TempDir dir_;
  std::string path_ = dir_.file("names.db");
  base::ManualClock clock_;
  Backend store_{{path_, Durability::Normal, false, &clock_}};
  Connection mine_{path_};
  Connection other_{path_};
};

TEST_F(SqliteDirectory, ANameThatAnotherConnectionAddsIsKnownInTheNextTransaction) {
  EXPECT_EQ(look(mine_, "q"), 0);
  const QueueKey added = add(other_, "q");
  EXPECT_EQ(look(mine_, "q"), added);
  EXPECT_EQ(add(mine_, "q"), added);
  EXPECT_NE(add(mine_, "r"), added);
}

TEST_F(SqliteDirectory, ALaneOfAKnownQueueIsToldToo) {
  const QueueKey queue = add(mine_, "q");
  EXPECT_EQ(look(other_, "q"), queue);
  LaneKey lane = 0;
  transact(mine_, Transaction::Kind::Write, [&](Transaction&) { lane = mine_.directory.lane(queue, "k", ""); });
  transact(other_, Transaction::Kind::Read,
           [&](Transaction&) { EXPECT_EQ(other_.directory.find_lane(queue, "k", ""), lane); });
}

TEST_F(SqliteDirectory, WhatARolledBackTransactionAddedIsForgotten) {
  EXPECT_EQ(look(mine_, "q"), 0);
  {
    Transaction tx(mine_.db, mine_.directory, clock_, Transaction::Kind::Write);
    (void)mine_.directory.lane(mine_.directory.queue("q"), "k", "");
  }
  EXPECT_EQ(look(mine_, "q"), 0);
  const QueueKey others = add(other_, "theirs");
  EXPECT_EQ(look(mine_, "theirs"), others);
  EXPECT_EQ(look(mine_, "q"), 0);
}

TEST_F(SqliteDirectory, ASettingThatAnotherConnectionChangesHoldsInTheNextTransaction) {
  Backend other({path_, Durability::Normal, false, &clock_});
  std::vector<job::NewJob> jobs(1);
  jobs[0].kind = "k";
  const auto is_full = [&] { return store_.enqueue(jobs).value().at(0).refused == Errc::QueueFull; };
  const auto claimed = [&](Backend& store) {
    const WorkerId worker = store.join({"w", ""}).value();
    return store.claim({worker, {"default"}, {{"k", 1}}, {}, 1, limits::kLease}).value().claims.size();
  };
  EXPECT_FALSE(is_full());
  ASSERT_TRUE(other.set_max_waiting("default", 1));
  EXPECT_TRUE(is_full());
  ASSERT_TRUE(other.set_max_waiting("default", 2));
  EXPECT_FALSE(is_full());
  ASSERT_TRUE(other.pause("default"));
  EXPECT_EQ(claimed(store_), 0U);
  ASSERT_TRUE(other.resume("default"));
  EXPECT_EQ(claimed(store_), 1U);
  EXPECT_FALSE(is_full());
  EXPECT_TRUE(is_full());
  EXPECT_EQ(claimed(other), 1U) << "which counts for both";
  EXPECT_FALSE(is_full());
  ASSERT_TRUE(other.set_max_waiting("default", std::nullopt));
  ASSERT_TRUE(other.set_max_bytes(0));
  EXPECT_TRUE(is_full());
  ASSERT_TRUE(other.set_max_bytes(std::nullopt));
  EXPECT_FALSE(is_full());
}

}  // namespace
}  // namespace galley::store::sqlite
