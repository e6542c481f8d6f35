#include <set>

#include "base/clock.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/state.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace galley::fuzz {

namespace {

constexpr std::size_t kJobs = 30;

/// A store of each kind with the same few jobs: opened by the first input, and only read.
class Stores {
 public:
  Stores() : memory_(store::open_memory(clock_)) {
    store::SqliteOptions options;
    options.path = scratch_.file("cursor.db");
    options.durability = store::Durability::Normal;
    options.clock = &clock_;
    sqlite_ = store::open_sqlite(options).value();
    for (store::Store* store : {memory_.get(), sqlite_.get()}) fill(*store);
  }
  [[nodiscard]] store::Store& memory() { return *memory_; }
  [[nodiscard]] store::Store& sqlite() { return *sqlite_; }

 private:
  static void fill(store::Store& store) {
    std::vector<job::NewJob> jobs(kJobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].queue = i % 3 == 0 ? "mail" : "default";
      jobs[i].kind = i % 2 == 0 ? "even" : "odd";
      jobs[i].payload = "{}";
      if (i % 4 == 0) jobs[i].delay = std::chrono::hours(i + 1);
      if (i % 5 == 0) jobs[i].tags = {"red"};
    }
    require(store.enqueue(jobs).has_value(), "jobs can be enqueued");
    const std::vector<JobId> some = {2, 3, 5};
    require(store.cancel(some).has_value(), "jobs can be cancelled");
  }

  Scratch scratch_;
  base::ManualClock clock_;
  std::unique_ptr<store::Store> memory_;
  std::unique_ptr<store::Store> sqlite_;
};

store::Filter filter_of(std::uint8_t choice) {
  store::Filter filter;
  if ((choice & 1U) != 0) filter.queue = "mail";
  if ((choice & 2U) != 0) filter.tag = "red";
  if ((choice & 4U) != 0) filter.state = JobState::Ready;
  if ((choice & 8U) != 0) filter.state = JobState::Cancelled;
  if ((choice & 16U) != 0) filter.state = JobState::Scheduled;
  if ((choice & 32U) != 0) filter.kind = "odd";
  return filter;
}

void check_pages(store::Store& store, const store::Filter& filter, std::string cursor, std::size_t limit) {
  std::set<JobId> seen;
  for (std::size_t pages = 0;; ++pages) {
    require(pages <= 2 * kJobs + 10, "a list ends", cursor);
    const auto page = store.list(filter, cursor, limit);
    const auto ids = store.select(filter, cursor, limit);
    require(page.has_value() == ids.has_value(), "both lists take the same cursors", cursor);
    if (refused(page, "cursor")) return require(pages == 0, "a page's own cursor is taken", cursor);
    require(page->jobs.size() <= limit && page->next == ids->next, "both lists give the same pages", cursor);
    for (const job::JobRecord& job : page->jobs) {
      require(!filter.queue || job.queue == *filter.queue, "a listed job fits the filter");
      require(!filter.state || job.state == *filter.state, "a listed job fits the filter");
      require(!filter.kind || job.kind == *filter.kind, "a listed job fits the filter");
      require(seen.insert(job.id).second, "a job is listed once", cursor);
    }
    if (page->next.empty()) return;
    cursor = page->next;
  }
}

}  // namespace

/// A byte for the filter, one for the size of a page, then the cursor.
void cursor(std::string_view input) {
  static Stores stores;
  Bytes bytes(input);
  const store::Filter filter = filter_of(bytes.byte());
  const std::size_t limit = 1 + bytes.byte() % 12U;
  check_pages(stores.memory(), filter, std::string(bytes.rest()), limit);
  check_pages(stores.sqlite(), filter, std::string(bytes.rest()), limit);
}

}  // namespace galley::fuzz
