// The bare library's own limit: the row changes of docs/formats/sqlite.md, written against SQLite by hand, in one
// thread and without anything round them: no checks, no clock, no threads that talk to each other, no events, no
// handlers. The tables are those that Galley creates, so the two write the same bytes.

#include <sqlite3.h>  // lint: allow(include) because the bare library is what Galley is compared with

#include <algorithm>
#include <galley/store.hpp>
#include <mutex>
#include <stdexcept>

#include "bench/contender.hpp"

namespace bench {

namespace {

constexpr int kBatch = 10'000;                         // jobs in one transaction, as Galley's enqueue_json_all
constexpr std::int64_t kTime = 1'800'000'000'000'000;  // microseconds since 1970: numbers as wide as real ones

class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) fail();
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  template <class... Values>
  Statement& bind(const Values&... values) {
    reset();
    int at = 0;
    (bind_one(++at, values), ...);
    return *this;
  }
  bool row() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail();
    return code == SQLITE_ROW;
  }
  void run() {
    while (row()) {
    }
    reset();
  }
  void reset() { sqlite3_reset(statement_); }
  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::string bytes(int column) const {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return {static_cast<const char*>(sqlite3_column_blob(statement_, column)), size};
  }

 private:
  void bind_one(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  void bind_one(int at, const std::string& bytes) {
    sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  [[noreturn]] void fail() const { throw std::runtime_error(std::string("SQLite by hand: ") + sqlite3_errmsg(db_)); }

  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

struct CloseDb {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};

std::unique_ptr<sqlite3, CloseDb> open(const std::filesystem::path& path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<sqlite3, CloseDb> owned(db);
  if (code != SQLITE_OK) throw std::runtime_error("SQLite by hand: cannot open " + path.string());
  return owned;
}

struct Claim {
  std::int64_t rank = 0;
  std::int64_t id = 0;
  std::int64_t epoch = 0;
  std::string payload;
};

/// One connection and its statements. Galley's own settings of the library.
class Db {
 public:
  explicit Db(const std::filesystem::path& path) : db_(open(path)) {
    execute("PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;");
    execute("INSERT INTO galley_queues (id, name) VALUES (1, 'bench');");
    execute("INSERT INTO galley_lanes (id, queue, kind, program) VALUES (1, 1, 'noop', '');");
  }

  void execute(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(std::string("SQLite by hand: ") + sqlite3_errmsg(db_.get()));
    }
  }

  void begin() { begin_.bind().run(); }
  void commit(std::int64_t ready, std::int64_t running, std::int64_t completed) {
    counts_.bind(ready, running, completed).run();
    clock_.bind(next_id_, kTime + next_id_, next_epoch_).run();
    commit_.bind().run();
  }
  void enqueue(const std::string& payload) {
    const std::int64_t id = next_id_++;
    insert_job_.bind(id, kTime + id, payload, kTime + id).run();
    insert_ready_.bind(kTime + id, id).run();
  }
  void finish(const Claim& claim) {
    if (!take_running_.bind(claim.id, claim.epoch).row()) throw std::runtime_error("SQLite by hand: not running");
    take_running_.run();  // to its end, or the deletion is not done
    if (!place_.bind(claim.id).row()) throw std::runtime_error("SQLite by hand: no such job");
    place_.reset();  // a statement that is not over would keep its snapshot after the commit
    put_job_.bind(kTime + claim.epoch, kTime + claim.epoch, claim.epoch, claim.id).run();
    insert_ended_.bind(kTime + claim.epoch, claim.id).run();
  }
  std::vector<Claim> claim(int most) {
    std::vector<Claim> claims;
    for (head_.bind(std::int64_t{most}); head_.row();) claims.push_back({head_.integer(0), head_.integer(1), 0, {}});
    for (Claim& one : claims) {
      if (!find_job_.bind(one.id).row()) throw std::runtime_error("SQLite by hand: no such job");
      one.payload = find_job_.bytes(0);
      find_job_.reset();
      one.epoch = next_epoch_++;
      delete_ready_.bind(one.rank, one.id).run();
      insert_running_.bind(one.id, one.epoch, kTime + one.epoch, kTime + one.epoch).run();
    }
    return claims;
  }
  std::int64_t completed() {
    Statement count(db_.get(), "SELECT count(*) FROM galley_ended WHERE state = 'completed'");
    return count.bind().row() ? count.integer(0) : 0;
  }

 private:
  std::unique_ptr<sqlite3, CloseDb> db_;
  std::int64_t next_id_ = 1;
  std::int64_t next_epoch_ = 1;
  Statement begin_{db_.get(), "BEGIN IMMEDIATE"};
  Statement commit_{db_.get(), "COMMIT"};
  Statement counts_{db_.get(),
                    "UPDATE galley_lanes SET ready = ready + ?, running = running + ?, completed = completed + ?"
                    " WHERE id = 1"};
  Statement clock_{db_.get(), "UPDATE galley_clock SET next_job = ?, tick = ?, epoch = ? WHERE only = 1"};
  Statement insert_job_{db_.get(),
                        "INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us)"
                        " VALUES (?, 1, 'ready', ?, 'json', 0, ?, ?)"};
  Statement insert_ready_{db_.get(), "INSERT INTO galley_ready (lane, rank, id) VALUES (1, ?, ?)"};
  Statement head_{db_.get(), "SELECT rank, id FROM galley_ready WHERE lane = 1 ORDER BY rank, id LIMIT ?"};
  Statement find_job_{db_.get(), "SELECT payload, priority, attempts, enqueued_us FROM galley_jobs WHERE id = ?"};
  Statement delete_ready_{db_.get(), "DELETE FROM galley_ready WHERE lane = 1 AND rank = ? AND id = ?"};
  Statement insert_running_{db_.get(),
                            "INSERT INTO galley_running (id, epoch, worker, lane, lease_us, started_us)"
                            " VALUES (?, ?, 1, 1, ?, ?)"};
  Statement take_running_{db_.get(),
                          "DELETE FROM galley_running WHERE id = ? AND epoch = ? RETURNING lane, started_us, cancel"};
  Statement place_{db_.get(), "SELECT state, position, attempts, epoch, extras FROM galley_jobs WHERE id = ?"};
  Statement put_job_{db_.get(),
                     "UPDATE galley_jobs SET state = 'completed', position = ?, attempts = 1, started_us = ?,"
                     " epoch = ? WHERE id = ?"};
  Statement insert_ended_{db_.get(),
                          "INSERT INTO galley_ended (lane, state, ended_us, id) VALUES (1, 'completed', ?, ?)"};
};

class ByHand final : public Contender {
 public:
  explicit ByHand(Durability durability) : durability_(durability) {}

  void fresh(const std::filesystem::path& dir) override {
    stop();
    const auto path = dir / "by_hand.db";
    galley::open_store("sqlite:" + path.string()).value().reset();  // creates the tables
    db_ = std::make_unique<Db>(path);
    sync_enqueues(true);
  }

  void stop() override { db_.reset(); }

  double bulk(int jobs) override {
    std::vector<std::string> payloads;
    payloads.reserve(static_cast<std::size_t>(jobs));
    for (int i = 0; i < jobs; ++i) payloads.push_back(payload_of(i));
    const Stopwatch watch;
    for (int next = 0; next < jobs;) {
      const int end = std::min(jobs, next + kBatch);
      db_->begin();
      const int count = end - next;
      for (; next < end; ++next) db_->enqueue(payloads[static_cast<std::size_t>(next)]);
      db_->commit(count, 0, 0);
    }
    return static_cast<double>(jobs) / watch.seconds();
  }

  double singles(int threads, Nanos time) override {
    std::mutex mutex;
    const auto one = [this, &mutex] {
      const std::string payload = payload_of(1);
      const std::lock_guard lock(mutex);
      db_->begin();
      db_->enqueue(payload);
      db_->commit(1, 0, 0);
    };
    return calls_a_second(std::vector<std::function<void()>>(static_cast<std::size_t>(threads), one), time);
  }

  double drain(int slots, int jobs) override {
    (void)bulk(jobs);
    sync_enqueues(false);  // Galley does not wait for the disk here either: a lost finish is a repeat
    const Stopwatch watch;
    std::vector<Claim> claims;
    do {
      turn(slots, claims);
    } while (!claims.empty());
    const double seconds = watch.seconds();
    sync_enqueues(true);
    if (db_->completed() != jobs) throw std::runtime_error("SQLite by hand did not complete all jobs");
    return static_cast<double>(jobs) / seconds;
  }

  /// One thread does both, because one writes at a time anyway: it enqueues until all slots have something to do, and
  /// then runs that.
  double both(const Both& load) override {
    std::vector<std::string> payloads;
    for (int i = 0; i < load.at_once; ++i) payloads.push_back(payload_of(i));
    std::vector<Claim> claims;
    std::int64_t made = 0;
    std::int64_t waiting = 0;
    const Stopwatch watch;
    while (watch.elapsed() < load.time) {
      sync_enqueues(true);
      for (; waiting < load.slots; waiting += load.at_once, made += load.at_once) {
        db_->begin();
        for (const std::string& payload : payloads) db_->enqueue(payload);
        db_->commit(load.at_once, 0, 0);
      }
      sync_enqueues(false);
      for (; waiting >= load.slots; waiting -= static_cast<std::int64_t>(claims.size())) turn(load.slots, claims);
    }
    do {
      turn(load.slots, claims);
    } while (!claims.empty());
    const double seconds = watch.seconds();
    sync_enqueues(true);
    if (db_->completed() != made) throw std::runtime_error("SQLite by hand did not complete all jobs");
    return static_cast<double>(made) / seconds;
  }

 private:
  /// Finishes these, and claims as many as there are slots.
  void turn(int slots, std::vector<Claim>& claims) {
    db_->begin();
    for (const Claim& claim : claims) db_->finish(claim);
    const auto finished = static_cast<std::int64_t>(claims.size());
    claims = db_->claim(slots);
    const auto claimed = static_cast<std::int64_t>(claims.size());
    db_->commit(-claimed, claimed - finished, finished);
  }

  void sync_enqueues(bool on) {
    const bool full = on && durability_ == Durability::Full;
    db_->execute(full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  }

  const Durability durability_;
  std::unique_ptr<Db> db_;
};

}  // namespace

std::unique_ptr<Contender> make_by_hand(Durability durability) { return std::make_unique<ByHand>(durability); }

std::string sqlite_version() { return sqlite3_libversion(); }

}  // namespace bench
