// An SQLite file that another program has made becomes a store where that is asked for.

#include <gtest/gtest.h>

#include "galley/galley.hpp"
#include "galley/sqlite.hpp"
#include "store/app_connection.hpp"
#include "store/store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store {
namespace {

using test::AppConnection;

TEST(Adopting, AFileOfAnotherProgramGetsGalleysTablesOnlyWhenItIsAskedFor) {
  const test::TempDir dir;
  const std::string path = dir.file("shop.db");
  const AppConnection app(path, 0, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  app.execute("CREATE TABLE orders (item TEXT); INSERT INTO orders VALUES ('kettle')");
  const auto refused = open_store("sqlite:" + path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::NotAStore);
  EXPECT_NE(refused.error().message.find("adopt=1"), std::string::npos) << refused.error().message;
  const auto store = open_store("sqlite:" + path + "?adopt=1").value();
  galley::sqlite::Session session{store, app.raw()};
  app.execute("BEGIN IMMEDIATE");
  const JobId id = session.enqueue("q", "k", 1).value();
  app.execute("COMMIT");
  EXPECT_TRUE(store->find(id));
  EXPECT_EQ(app.number("SELECT count(*) FROM orders"), 1);
  const auto findings = store->examine(false).value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].code, "unserved") << "there is no worker here";
  EXPECT_TRUE(open_store("sqlite:" + path)) << "it is a store from now on";
}

TEST(Adopting, AFileWithItsTextsInUtf16IsRefused) {
  const test::TempDir dir;
  const AppConnection app(dir.file("shop.db"), 0, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  app.execute("PRAGMA encoding = 'UTF-16'; CREATE TABLE orders (item TEXT)");
  EXPECT_EQ(open_store("sqlite:" + dir.file("shop.db") + "?adopt=1").error().code, Errc::NotAStore);
  EXPECT_EQ(app.number("SELECT count(*) FROM sqlite_schema"), 1);
}

}  // namespace
}  // namespace galley::store
