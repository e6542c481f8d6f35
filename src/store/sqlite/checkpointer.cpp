#include "store/sqlite/checkpointer.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

namespace galley::store::sqlite {

namespace {
// For the writers' lock and then for those who read, while all writers wait. Our own reads take a few milliseconds.
constexpr std::chrono::milliseconds kPatience{500};
}  // namespace

Checkpointer::Checkpointer(Database& db, LogBounds bounds) : db_(db), bounds_(bounds) {
  sqlite3_wal_hook(db_.raw(), on_commit, this);
}

Checkpointer::~Checkpointer() {
  sqlite3_wal_hook(db_.raw(), nullptr, nullptr);
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

int Checkpointer::on_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<Checkpointer*>(self)->grown(pages);
  return SQLITE_OK;  // the commit is done, whatever becomes of the log
}

void Checkpointer::grown(int pages) noexcept {
  if (pages < bounds_.begin) return due_at(bounds_.begin);  // it has begun anew
  if (pages < due_) return;
  const int asked = asked_;
  if (asked == 0) {
    if (!ask(pages)) due_at(take_over_at_once(db_, pages));
  } else if (pages - asked >= bounds_.behind) {
    wait_for_thread();
  }
}

void Checkpointer::due_at(int pages) noexcept {
  if (due_ != pages) due_ = pages;
}

/// False: there is no thread for it; the next time it is tried again.
bool Checkpointer::ask(int pages) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(failed_, false)) {
    thread_.join();
    return false;
  }
  try {
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { run(); });
      pthread_setname_np(thread_.native_handle(), "galley-log");
    }
  } catch (const std::system_error&) {
    return false;
  }
  asked_ = pages;
  changed_.notify_all();
  return true;
}

/// For as long as the disk needs: what it does waits for locks no longer than kPatience.
void Checkpointer::wait_for_thread() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return asked_ == 0; });
}

void Checkpointer::run() noexcept {
  try {
    Database db(db_.file(), false);
    db.execute("PRAGMA cache_size = 0; SELECT count(*) FROM sqlite_schema");  // the first read opens the log
    work(db);
  } catch (const std::exception&) {  // no descriptor, no memory
    const std::lock_guard lock(mutex_);
    failed_ = true;
    asked_ = 0;
    changed_.notify_all();
  }
}

void Checkpointer::work(Database& db) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || asked_ != 0; });
    if (asked_ == 0) return;
    lock.unlock();
    const int due = take_over(db);
    lock.lock();
    due_at(due);
    asked_ = 0;
    changed_.notify_all();
  }
}

/// Returns at how many pages there is something to do again. The second round leaves only what was written during it,
/// so that the last, which holds up the writers, has little to do.
int Checkpointer::take_over(Database& db) {
  LogState log;
  for (int round = 0; round < 2; ++round) {
    log = checkpoint_after_others(db);
    if (log.code != SQLITE_OK) return asked_ + bounds_.begin / 4;
    if (log.pages < bounds_.anew) return bounds_.anew;
  }
  return begin_anew(db, log.pages);
}

/// One at a time can be at the log. Whoever finds another at it waits for that one, so that commits of this process,
/// too, wait for a log that outruns everybody; but not for one that was stopped in the middle of it.
LogState Checkpointer::checkpoint_after_others(Database& db) {
  constexpr std::chrono::milliseconds kPause{5};
  const base::Mono end = clock_.mono() + kPatience;
  for (;;) {
    const LogState log = db.checkpoint(SQLITE_CHECKPOINT_PASSIVE, Duration{0});
    if (log.code != SQLITE_BUSY || clock_.mono() >= end) return log;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kPause, [this] { return stop_; })) return log;
  }
}

int Checkpointer::take_over_at_once(Database& db, int pages) const {
  if (pages >= bounds_.anew) return begin_anew(db, pages);
  const LogState log = db.checkpoint(SQLITE_CHECKPOINT_PASSIVE, Duration{0});
  return log.code == SQLITE_OK ? bounds_.begin : pages + bounds_.begin / 4;
}

/// Where somebody reads for longer than our patience it is in vain: then the log may double before the next time.
int Checkpointer::begin_anew(Database& db, int pages) const {
  const base::Mono began = clock_.mono();
  const LogState log = db.checkpoint(SQLITE_CHECKPOINT_RESTART, kPatience);
  if (log.code == SQLITE_OK) return bounds_.begin;
  return clock_.mono() - began >= kPatience ? 2 * pages : pages + bounds_.begin / 4;
}

}  // namespace galley::store::sqlite
