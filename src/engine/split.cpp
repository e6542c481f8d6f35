#include "engine/split.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits.hpp"
#include "engine/new_job.hpp"
#include "engine/room.hpp"
#include "galley/batch.hpp"
#include "job/validate.hpp"
#include "store/combiner.hpp"

namespace galley {

namespace engine {

namespace {

constexpr std::size_t kBatchJobs = 1'000;
constexpr std::size_t kBatchBytes = limits::kMaxEnqueueBytes / 2;
constexpr std::size_t kMaxSplitToken = 48;  // "/99999" and "/join" stand behind it, within a token's 64 bytes

Error too_many(std::int64_t parts) {
  return {Errc::InvalidInput, "a split has at most " + std::to_string(limits::kMaxSplit) + " parts, not " +
                                  std::to_string(parts) + "; make them larger"};
}

/// Writes jobs as they come, in transactions of a bounded size.
class Writer {
 public:
  Writer(store::Store& store, Duration patience) : store_(store), patience_(patience) {}

  Result<void> add(job::NewJob job) {
    bytes_ += job.payload.size();
    jobs_.push_back(std::move(job));
    return jobs_.size() >= kBatchJobs || bytes_ >= kBatchBytes ? flush() : Result<void>();
  }

  Result<void> flush() {
    if (jobs_.empty()) return {};
    std::vector<job::NewJob> kept = patience_ > Duration{0} ? jobs_ : std::vector<job::NewJob>();
    auto answers = store_.combiner().enqueue(std::exchange(jobs_, {}));
    bytes_ = 0;
    if (!answers) return answers.error();
    if (!kept.empty()) {
      RoomWait room(store_);
      for (std::size_t i = 0; i < kept.size(); ++i) {
        if ((*answers)[i].refused == Errc::QueueFull) room.add(i, std::move(kept[i]), patience_);
      }
      if (auto waited = room.run(*answers); !waited) return waited;
    }
    for (const store::Enqueued& one : *answers) {
      if (one.refused) return Error{*one.refused, one.reason};
      last_ = one.id;
      ++written_;
    }
    return {};
  }

  [[nodiscard]] JobId last() const noexcept { return last_; }
  [[nodiscard]] std::int64_t written() const noexcept { return written_; }

 private:
  store::Store& store_;
  Duration patience_;
  std::vector<job::NewJob> jobs_;
  std::size_t bytes_ = 0;
  JobId last_ = 0;
  std::int64_t written_ = 0;
};

std::string token_of(const SplitPlan& plan, const std::string& part) {
  return plan.token.empty() ? std::string() : plan.token + "/" + part;
}

Result<void> write_parts(const SplitPlan& plan, BatchId batch, Writer& writer) {
  const std::string key = plan.key.empty() ? "split:" + std::to_string(batch) : plan.key;
  for (std::int64_t i = 0; i < plan.parts; ++i) {
    auto job = plan.part(i);
    if (!job) return Error{job.error().code, "part " + std::to_string(i) + ": " + job.error().message};
    job->batch = batch;
    job->key = key;
    job->token = token_of(plan, std::to_string(i));
    if (auto added = writer.add(*std::move(job)); !added) return added;
  }
  return writer.flush();
}

Result<JobId> write_join(const SplitPlan& plan, BatchId batch, Writer& writer) {
  if (!plan.join) return JobId{0};
  auto job = plan.join(batch);
  if (!job) return Error{job.error().code, "the join: " + job.error().message};
  job->awaits = batch;
  job->trigger = job::Trigger::Success;
  job->token = token_of(plan, "join");
  if (auto added = writer.add(*std::move(job)); !added) return added.error();
  if (auto done = writer.flush(); !done) return done.error();
  return writer.last();
}

Result<SplitAnswer> write(const StorePtr& store, const SplitPlan& plan, BatchId batch, Writer& writer) {
  // The join first: a batch whose parts have all ended takes no callback any more that waits for its success.
  auto join = write_join(plan, batch, writer);
  if (!join) return join.error();
  if (auto written = write_parts(plan, batch, writer); !written) return written.error();
  if (auto sealed = store->seal_batch(batch); !sealed) return sealed.error();
  return SplitAnswer{batch, *join, plan.parts};
}

}  // namespace

Result<SplitAnswer> enqueue_split(const StorePtr& store, const SplitPlan& plan) {
  if (plan.parts > limits::kMaxSplit) return too_many(plan.parts);
  if (plan.token.size() > kMaxSplitToken) {
    return Error{Errc::InvalidInput, "the token of a split has " + std::to_string(plan.token.size()) +
                                         " bytes; at most " + std::to_string(kMaxSplitToken) + " are allowed"};
  }
  // What is wrong with one part is mostly wrong with all of them: found before anything is written.
  if (plan.parts > 0) {
    if (auto probe = plan.part(0); !probe) return Error{probe.error().code, "part 0: " + probe.error().message};
  }
  auto batch = store->open_batch(plan.name, plan.token);
  if (!batch) return batch.error();
  Writer writer(*store, plan.wait_for_room);
  auto answer = write(store, plan, *batch, writer);
  if (answer) return answer;
  Error why = answer.error();
  if (plan.token.empty()) {
    (void)cancel_batch(store, *batch);  // the first failure is what is told
    why.message += "; the split is cancelled";
    return why;
  }
  why.message += "; " + std::to_string(writer.written()) + " jobs of batch " + std::to_string(*batch) +
                 " are enqueued; repeat the split with its token to go on";
  why.written = Written::Unknown;
  return why;
}

}  // namespace engine

namespace split_detail {

Result<std::int64_t> count(std::int64_t all, std::int64_t size) {
  if (size < 1) {
    return Error{Errc::InvalidInput, "a part of " + std::to_string(size) + " is not allowed; allowed is 1 or more"};
  }
  const std::int64_t parts = all <= 0 ? 0 : (all - 1) / size + 1;
  if (parts > limits::kMaxSplit) return engine::too_many(parts);
  return parts;
}

}  // namespace split_detail

// ---- what is divided --------------------------------------------------------------------------------------------

Parts ranges(std::int64_t first, std::int64_t last, std::int64_t size) {
  Parts parts;
  std::int64_t all = 0;
  if (last > first && __builtin_sub_overflow(last, first, &all)) {
    parts.count = Error{Errc::InvalidInput,
                        "the range from " + std::to_string(first) + " to " + std::to_string(last) + " is too long"};
    return parts;
  }
  parts.count = split_detail::count(all, size);
  parts.payload = [first, last, size](std::int64_t index) {
    const std::int64_t begin = first + index * size;
    return Codec<RangePart>::encode({begin, last - begin < size ? last : begin + size});
  };
  return parts;
}

namespace {

Parts of_files(Result<std::vector<FilePart>> found) {
  Parts parts;
  if (!found) {
    parts.count = found.error();
    return parts;
  }
  parts.count = static_cast<std::int64_t>(found->size());
  parts.payload = [all = *std::move(found)](std::int64_t index) {
    return Codec<FilePart>::encode(all[static_cast<std::size_t>(index)]);
  };
  return parts;
}

}  // namespace

Parts file_lines(const std::string& path, std::int64_t lines) { return of_files(engine::split_by_lines(path, lines)); }
Parts file_bytes(const std::string& path, std::int64_t bytes) { return of_files(engine::split_by_bytes(path, bytes)); }

// ---- the split --------------------------------------------------------------------------------------------------

struct Split::State {
  Queue queue;
  std::string kind;
  Parts parts;
  JobOptions options;
  std::function<Result<job::NewJob>(BatchId)> join;
};

Split::Split(const Queue& queue, std::string_view kind, Parts parts, JobOptions options)
    : state_(std::make_unique<State>(State{queue, std::string(kind), std::move(parts), std::move(options), {}})) {}
Split::~Split() = default;
Split::Split(Split&&) noexcept = default;
Split& Split::operator=(Split&&) noexcept = default;

Split& Split::join_json(const Queue& queue, std::string_view kind, std::string json, const JobOptions& options) {
  state_->join = [queue, kind = std::string(kind), json = std::move(json),
                  options](BatchId batch) -> Result<job::NewJob> {
    JobOptions all = options;
    all.headers.emplace_back(engine::kBatchHeader, std::to_string(batch));
    return engine::new_job(*queue.store(), queue.name(), kind, job::Content::Json, json, all);
  };
  return *this;
}

Result<SplitAnswer> Split::enqueue() {
  const State& state = *state_;
  if (!state.parts.count) return state.parts.count.error();
  engine::SplitPlan plan;
  plan.name = state.kind;
  plan.token = state.options.token;
  plan.key = state.options.key;
  plan.parts = *state.parts.count;
  plan.wait_for_room = state.options.wait_for_room;
  plan.part = [&state](std::int64_t index) {
    JobOptions options = state.options;
    options.token.clear();
    return engine::new_job(*state.queue.store(), state.queue.name(), state.kind, job::Content::Json,
                           state.parts.payload(index), options);
  };
  plan.join = state.join;
  return engine::enqueue_split(state.queue.store(), plan);
}

// ---- results ----------------------------------------------------------------------------------------------------

struct Results::State {
  StorePtr store;
  BatchId batch = 0;
  bool begun = false;
  std::int64_t total = 0;
  std::int64_t given = 0;
  std::string cursor;
  std::vector<job::JobRecord> page;
  std::size_t at = 0;
  bool last_page = false;

  /// True: the page has something.
  Result<bool> fill() {
    while (at == page.size() && !last_page) {
      store::Filter members;
      members.batch = batch;
      auto next = store->list(members, cursor, limits::kMaxPage);
      if (!next) return next.error();
      page = std::move(next->jobs);
      at = 0;
      cursor = std::move(next->next);
      last_page = cursor.empty();
    }
    return at < page.size();
  }
};

Results::Results(StorePtr store, BatchId batch) : state_(std::make_shared<State>()) {
  state_->store = std::move(store);
  state_->batch = batch;
}

Result<std::optional<JobResult>> Results::next() {
  State& state = *state_;
  const std::string name = "batch " + std::to_string(state.batch);
  if (!std::exchange(state.begun, true)) {
    const auto batch = state.store->find_batch(state.batch);
    if (!batch) return batch.error();
    state.total = batch->total + batch->lost;
  }
  const auto more = state.fill();
  if (!more) return more.error();
  if (!*more) {
    if (state.given >= state.total) return std::optional<JobResult>();
    return Error{Errc::NotFound, std::to_string(state.total - state.given) + " of the " + std::to_string(state.total) +
                                     " jobs of " + name + " are not kept any more, nor are their results"};
  }
  job::JobRecord& record = state.page[state.at++];
  if (record.state != JobState::Completed) {
    return Error{Errc::WrongState, "job " + std::to_string(record.id) + " of " + name + " is " +
                                       std::string(galley::name(record.state)) + ", and has given no result"};
  }
  ++state.given;
  return std::optional(JobResult{record.id, record.state, std::move(record.result), std::move(record.error)});
}

Results results(StorePtr store, BatchId batch) { return {std::move(store), batch}; }

Results results(StorePtr store, const Attempt& attempt) {
  const std::string_view text = attempt.header(engine::kBatchHeader);
  BatchId batch = 0;
  std::from_chars(text.data(), text.data() + text.size(), batch);  // what is no number stays 0, which is no batch
  return {std::move(store), batch};
}

}  // namespace galley
