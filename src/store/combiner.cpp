#include "store/combiner.hpp"

#include <exception>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "base/ticks.hpp"

namespace galley::store {

/// Where the callers of a batch wait. Shared, because the last of them may be gone before it has opened for all.
struct Combiner::Gate {
  std::atomic<std::uint32_t> open = 0;
};

/// One caller in the line; lives on its stack until it is answered.
struct Combiner::Caller {
  std::vector<job::NewJob> jobs;
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::uint64_t came = 0;              ///< after so many batches had been sent
  std::shared_ptr<Gate> gate;          ///< nothing: it waits to lead
  std::atomic<bool> answered = false;  ///< after `answer`; then the caller may be gone at once
  std::optional<Result<std::vector<Enqueued>>> answer;
};

namespace {

// So many batches of one thread alone mean that it is the only one that enqueues, and has nobody to wait for.
constexpr int kAlone = 16;

constexpr std::int64_t kLookOutNs = 50'000;  // about a commit without a sync

std::size_t payload_bytes(const std::vector<job::NewJob>& jobs) noexcept {
  std::size_t bytes = 0;
  for (const job::NewJob& job : jobs) bytes += job.payload.size();
  return bytes;
}

/// The error that one caller's jobs can bring on all: nothing was written, and the others may well be accepted. What a
/// single item is refused for (QueueFull, Conflict) is no error but its answer.
bool concerns_one_caller(const Error& error) noexcept {
  return error.written == Written::Nothing && error.code == Errc::InvalidInput;
}

}  // namespace

Combiner::Combiner(Store& store) : store_(store), gate_(std::make_shared<Gate>()) {}

Result<std::vector<Enqueued>> Combiner::enqueue(std::vector<job::NewJob> jobs) {
  Caller me;
  me.count = jobs.size();
  me.bytes = payload_bytes(jobs);
  me.jobs = std::move(jobs);

  std::unique_lock lock(mutex_);
  me.came = batches_;
  ++outside_;
  room_.wait(lock, [&] { return unreachable_ > me.came || has_room(me.count, me.bytes); });
  --outside_;
  if (unreachable_ > me.came) return why_;
  line_.push_back(&me);
  jobs_ += me.count;
  bytes_ += me.bytes;
  while (!me.answered.load(std::memory_order_acquire)) {
    if (under_way_ == 0 && line_.front() == &me) {
      lead(lock, me);
    } else {
      wait(lock, me);
    }
  }
  return std::move(*me.answer);
}

/// Without the lock. Whether the wait is over.
template <class Over>
bool Combiner::look_for(const Over& over) noexcept {
  if (!patience_.looks()) return false;
  const std::int64_t until = base::mono_ns() + kLookOutNs;
  do {
    std::this_thread::yield();
    if (over()) return patience_.paid(), true;
  } while (base::mono_ns() < until);
  patience_.was_in_vain();
  return false;
}

/// Returns with the lock where `me` is not answered yet: it may lead, or has to wait again.
void Combiner::wait(std::unique_lock<std::mutex>& lock, Caller& me) {
  const bool leads_next = under_way_ < line_.size() && line_[under_way_] == &me;
  me.gate = leads_next ? nullptr : gate_;
  const std::shared_ptr<Gate> gate = me.gate;
  const std::uint32_t done = done_.load(std::memory_order_relaxed);
  lock.unlock();
  const auto over = [&] {
    return gate ? gate->open.load(std::memory_order_acquire) != 0 : done_.load(std::memory_order_acquire) != done;
  };
  if (!look_for(over)) {
    if (gate) {
      gate->open.wait(0, std::memory_order_acquire);
    } else {
      done_.wait(done, std::memory_order_acquire);
    }
  }
  if (!me.answered.load(std::memory_order_acquire)) lock.lock();
}

/// Returns without the lock, `me` answered. A lack of memory ends the program, as in carry_out.
void Combiner::lead(std::unique_lock<std::mutex>& lock, const Caller& me) noexcept {
  if (alone_ < kAlone) {
    lock.unlock();
    std::this_thread::yield();  // those who are about to come stand behind us when we look
    lock.lock();
  }
  const Batch batch = next_batch();
  const bool same = std::exchange(last_leader_, std::this_thread::get_id()) == std::this_thread::get_id();
  alone_ = same && batch.size() == 1 ? alone_ + 1 : 0;
  const std::uint64_t number = ++batches_;
  under_way_ = batch.size();
  if (gate_.use_count() > 1) gate_ = std::make_shared<Gate>();
  lock.unlock();
  carry_out(batch);
  std::optional<Error> unreachable;
  if (me.answer->has_error() && me.answer->error().code == Errc::Unavailable) unreachable = me.answer->error();

  Gates gates;
  lock.lock();
  line_.erase(line_.begin(), line_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  under_way_ = 0;
  for (Caller* caller : batch) dismiss(*caller, gates);
  if (unreachable) dismiss_all_before(number, *unreachable, gates);
  // One that the batch had no room for may be first now, and waits at a gate as the others do.
  if (!line_.empty() && line_.front()->gate) gates.push_back(line_.front()->gate);
  done_.fetch_add(1, std::memory_order_release);
  room_.notify_all();
  lock.unlock();
  done_.notify_one();
  for (const auto& gate : gates) {
    gate->open.store(1, std::memory_order_release);
    gate->open.notify_all();
  }
}

/// Under the lock: the caller may be gone right after it. The gates are opened without it.
void Combiner::dismiss(Caller& caller, Gates& gates) {
  jobs_ -= caller.count;
  bytes_ -= caller.bytes;
  if (caller.gate && (gates.empty() || gates.back() != caller.gate)) gates.push_back(caller.gate);
  caller.answered.store(true, std::memory_order_release);
}

void Combiner::dismiss_all_before(std::uint64_t batch, const Error& error, Gates& gates) {
  unreachable_ = batch;
  why_ = error;
  std::erase_if(line_, [&](Caller* caller) {
    if (caller->came >= batch) return false;
    caller->answer.emplace(error);
    dismiss(*caller, gates);
    return true;
  });
}

std::size_t Combiner::waiting() const {
  const std::lock_guard lock(mutex_);
  return line_.size();
}

std::size_t Combiner::waiting_outside() const {
  const std::lock_guard lock(mutex_);
  return outside_;
}

bool Combiner::has_room(std::size_t jobs, std::size_t bytes) const noexcept {
  return line_.empty() || (jobs_ + jobs <= limits::kMaxMergeJobs && bytes_ + bytes <= limits::kMaxMergeBytes);
}

Combiner::Batch Combiner::next_batch() const {
  Batch batch;
  std::size_t jobs = 0;
  std::size_t bytes = 0;
  for (Caller* caller : line_) {
    jobs += caller->count;
    bytes += caller->bytes;
    if (!batch.empty() && (jobs > limits::kMaxEnqueueBatch || bytes > limits::kMaxEnqueueBytes)) break;
    batch.push_back(caller);
  }
  return batch;
}

/// Called without the lock: the callers of the batch wait and do not touch their jobs or answers meanwhile. They all
/// hang on its coming back, so a lack of memory for the merged batch ends the program rather than their hope.
void Combiner::carry_out(const Batch& batch) const noexcept {
  if (batch.size() == 1) {
    batch.front()->answer.emplace(send(batch.front()->jobs));
    return;
  }
  std::vector<job::NewJob> all;
  for (Caller* caller : batch) {
    all.insert(all.end(), std::make_move_iterator(caller->jobs.begin()), std::make_move_iterator(caller->jobs.end()));
  }
  auto answer = send(all);
  const bool one_by_one = !answer && concerns_one_caller(answer.error());
  std::size_t first = 0;
  for (Caller* caller : batch) {
    const std::span<const job::NewJob> part(all.data() + first, caller->count);
    if (one_by_one) {
      caller->answer.emplace(send(part));
    } else if (!answer) {
      caller->answer.emplace(answer.error());
    } else {
      const auto begin = answer->begin() + static_cast<std::ptrdiff_t>(first);
      caller->answer.emplace(std::vector(begin, begin + static_cast<std::ptrdiff_t>(caller->count)));
    }
    first += caller->count;
  }
}

/// Nobody in the line may be left without an answer, so an exception (memory) becomes an error here.
Result<std::vector<Enqueued>> Combiner::send(std::span<const job::NewJob> jobs) const {
  try {
    return store_.enqueue(jobs);
  } catch (const std::exception& failure) {
    return Error{Errc::Io, std::string("the enqueue failed: ") + failure.what(), Written::Unknown};
  }
}

}  // namespace galley::store
