#include "galley/batch.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "engine/new_job.hpp"
#include "job/validate.hpp"
#include "store/combiner.hpp"
#include "store/store.hpp"

namespace galley {

namespace {

/// Of callbacks until their batch is open, so that they are checked as such from the start.
constexpr BatchId kNotYet = std::numeric_limits<BatchId>::max();

Error over(std::string_view what) {
  return {Errc::WrongState, "the batch has been " + std::string(what) + "; nothing can be added to it here"};
}

}  // namespace

struct Batch::State {
  StorePtr store;
  std::string name;
  std::string token;
  BatchId id = 0;
  std::vector<job::NewJob> jobs;  ///< not yet written
  std::size_t bytes = 0;          ///< of their payloads
  std::size_t written = 0;
  std::vector<job::NewJob> callbacks;
  std::optional<Error> error;  ///< the first one
  bool sealed = false;
  bool cancelled = false;

  [[nodiscard]] bool has_room(std::size_t more, std::size_t more_bytes) const {
    return jobs.size() + more <= limits::kMaxEnqueueBatch && bytes + more_bytes <= limits::kMaxEnqueueBytes;
  }
  void fail(Error why) {
    if (!error) error = std::move(why);
  }

  /// What keeps it from taking more.
  [[nodiscard]] bool is_over() {
    if (cancelled) fail(over("cancelled"));
    if (sealed) fail(over("enqueued"));
    return error.has_value();
  }

  void take(Part part, Result<job::NewJob> made) {
    if (!made) return fail(made.error());
    if (part == Part::Job) return take_job(*std::move(made));
    made->awaits = kNotYet;
    made->trigger = static_cast<job::Trigger>(part);
    if (auto checked = job::validate(*made); !checked) return fail(checked.error());
    if (callbacks.size() == limits::kMaxBatchCallbacks) {
      return fail({Errc::InvalidInput, "a batch has at most " + std::to_string(callbacks.size()) + " callbacks"});
    }
    callbacks.push_back(*std::move(made));
  }

  void take_job(job::NewJob job) {
    if (job.batch != 0) return fail({Errc::InvalidInput, "batch: a job that is added to a batch cannot name another"});
    if (!job.group.key.empty()) return fail({Errc::InvalidInput, "group: a grouped job cannot have a batch"});
    if (!has_room(1, job.payload.size())) flush();
    if (error) return;
    bytes += job.payload.size();
    jobs.push_back(std::move(job));
    if (jobs.size() == limits::kMaxEnqueueBatch) flush();
  }

  void open() {
    if (id != 0) return;
    auto opened = store->open_batch(name, token);
    if (!opened) return fail(opened.error());
    id = *opened;
  }

  void flush() {
    open();
    if (error || jobs.empty()) return;
    for (job::NewJob& job : jobs) {
      if (job.awaits == 0) job.batch = id;
    }
    auto answer = store->combiner().enqueue(std::exchange(jobs, {}));
    bytes = 0;
    if (!answer) return fail_after(answer.error());
    const auto refused = std::find_if(answer->begin(), answer->end(), [](const auto& one) { return one.refused; });
    if (refused != answer->end()) {
      written += static_cast<std::size_t>(refused - answer->begin());
      return fail_after({*refused->refused, refused->reason});
    }
    written += answer->size();
  }

  void fail_after(Error why) {
    if (written > 0) {
      why.message =
          "after the first " + std::to_string(written) + " of batch " + std::to_string(id) + ": " + why.message;
      why.written = Written::Unknown;
    }
    fail(std::move(why));
  }

  void put_callbacks() {
    std::size_t more = 0;
    for (job::NewJob& callback : callbacks) {
      callback.awaits = id;
      more += callback.payload.size();
    }
    if (!has_room(callbacks.size(), more)) flush();
    if (error) return;
    while (!callbacks.empty()) {  // a hundred large ones may still be too many for one transaction
      if (!jobs.empty() && !has_room(1, callbacks.front().payload.size())) flush();
      bytes += callbacks.front().payload.size();
      jobs.push_back(std::move(callbacks.front()));
      callbacks.erase(callbacks.begin());
    }
    flush();
  }
};

Batch::Batch(StorePtr store, std::string name, std::string token) : state_(std::make_unique<State>()) {
  state_->store = std::move(store);
  state_->name = std::move(name);
  state_->token = std::move(token);
}

Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

BatchId Batch::id() const noexcept { return state_->id; }

Batch& Batch::put(Part part, const Queue& queue, std::string_view kind, std::string json, const JobOptions& options) {
  if (state_->is_over()) return *this;
  state_->take(part, engine::new_job(*state_->store, queue.name(), kind, job::Content::Json, std::move(json), options));
  return *this;
}

Batch& Batch::put(Part part, const Queue& queue, const Command& command, const JobOptions& options) {
  if (state_->is_over()) return *this;
  state_->take(part, engine::new_command_job(*state_->store, queue.name(), command, {}, options));
  return *this;
}

Result<BatchId> Batch::enqueue() {
  State& state = *state_;
  if (state.cancelled) state.fail(over("cancelled"));
  if (!state.error && !state.sealed) {
    state.open();
    if (!state.error) state.put_callbacks();
    if (!state.error) {
      const auto sealed = state.store->seal_batch(state.id);
      if (!sealed) state.fail_after(sealed.error());
      state.sealed = sealed.has_value();
    }
  }
  if (state.error) return *state.error;
  return state.id;
}

Result<void> Batch::cancel() {
  State& state = *state_;
  state.cancelled = true;
  state.jobs.clear();
  state.callbacks.clear();
  return state.id == 0 ? Result<void>() : cancel_batch(state.store, state.id);
}

Result<void> cancel_batch(const StorePtr& store, BatchId id) {
  const auto batch = store->find_batch(id);
  if (!batch) return batch.error();
  if (!batch->callbacks.empty()) {
    if (const auto done = store->cancel(batch->callbacks); !done) return done.error();
  }
  store::Filter members;
  members.batch = id;
  std::string cursor;
  do {
    const auto page = store->select(members, cursor, limits::kMaxPage);
    if (!page) return page.error();
    if (!page->ids.empty()) {
      if (const auto done = store->cancel(page->ids); !done) return done.error();
    }
    cursor = page->next;
  } while (!cursor.empty());
  return store->seal_batch(id);
}

}  // namespace galley
