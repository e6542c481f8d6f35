// An order and the job that ships it are written in one transaction; so are the parcel and the end of that job.
// Whatever crashes, and whenever: each order that is in the file is shipped once.

#include <sqlite3.h>

#include <galley/galley.hpp>
#include <galley/sqlite.hpp>
#include <iostream>
#include <memory>
#include <stdexcept>

struct Order {
  std::string item;
};
BOOST_DESCRIBE_STRUCT(Order, (), (item))

namespace {

void execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(db));
  }
}

/// A transaction that is rolled back unless it is committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* db) : db_(db) { execute(db, "BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { execute(db_, "COMMIT"); }

 private:
  sqlite3* db_;
};

using Connection = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Connection connect(const char* path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open(path, &db);
  Connection connection(db, sqlite3_close);
  if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
  sqlite3_busy_timeout(db, 30'000);          // another writer's transaction is waited for
  execute(db, "PRAGMA synchronous = FULL");  // what is committed survives power loss
  return connection;
}

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:shop.db").value();  // makes the file, if there is none
  const Connection connection = connect("shop.db");
  sqlite3* const db = connection.get();
  execute(db, "CREATE TABLE IF NOT EXISTS orders (item TEXT)");
  execute(db, "CREATE TABLE IF NOT EXISTS parcels (item TEXT)");
  galley::sqlite::Session session{store, db};

  for (const std::string item : {"kettle", "teapot"}) {
    Transaction tx(db);
    execute(db, "INSERT INTO orders VALUES ('" + item + "')");
    session.enqueue("default", "ship", Order{item}).value();
    tx.commit();
  }

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle<Order>("ship", [&](galley::Attempt& attempt, const Order& order) {
    Transaction tx(db);
    execute(db, "INSERT INTO parcels VALUES ('" + order.item + "')");
    session.complete(attempt).value();
    tx.commit();
  });
  const auto report = worker.pool("default", 1).run().value();  // one slot: one connection
  std::cout << "shipped " << report.completed << " orders\n";
  return report.completed == 2 ? 0 : 1;
}
