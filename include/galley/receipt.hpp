#pragma once
// What an enqueue answers: the job's id or an error, and a way to wait for the job's end.
//
//   auto result = queue.enqueue("resize", Image{"cat.png"}).wait(30s);
//
// Thread-safety: plain values; wait() may be called from any thread, and blocks it.

#include <string>
#include <string_view>
#include <utility>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/store.hpp"

namespace galley {

/// Turns arguments into a payload and back; galley/payload.hpp defines it for described structs.
template <class T>
struct Codec;

/// How a job ended.
struct JobResult {
  JobId id = 0;
  JobState state = JobState::Completed;  ///< one of the ended ones
  std::string result;                    ///< what the handler gave to Attempt::result
  std::string error;                     ///< why it did not complete

  [[nodiscard]] bool completed() const noexcept { return state == JobState::Completed; }
  /// The typed result (galley/payload.hpp), of a handler that gave `attempt.result(Codec<T>::encode(value))`.
  template <class T>
  [[nodiscard]] Result<T> as() const {
    return Codec<T>::decode(result);
  }
};

/// Blocks until the job has ended, by whatever process, or `timeout` is over. It looks when the store's bell rings, so
/// that it wakes within milliseconds. Errors: TimedOut (the job goes on), NotFound (it is not there, or not any more:
/// completed jobs are kept for an hour), Unavailable, Io.
[[nodiscard]] Result<JobResult> wait(const StorePtr& store, JobId job, Duration timeout);

/// As a Result<JobId>, which it turns into, with wait().
class [[nodiscard]] Receipt {
 public:
  Receipt(StorePtr store, JobId id, bool existed) : store_(std::move(store)), id_(id), existed_(existed) {}
  Receipt(Error error) : id_(std::move(error)) {}  // NOLINT: errors are returned as they are

  [[nodiscard]] bool has_value() const noexcept { return id_.has_value(); }
  [[nodiscard]] explicit operator bool() const noexcept { return id_.has_value(); }
  [[nodiscard]] bool operator!() const noexcept { return !id_.has_value(); }
  [[nodiscard]] bool has_error() const noexcept { return id_.has_error(); }
  /// The job's id. Throws Exception where it was not enqueued.
  JobId value() const { return id_.value(); }
  [[nodiscard]] JobId operator*() const noexcept { return *id_; }
  [[nodiscard]] Error error() const { return id_.error(); }
  operator Result<JobId>() const { return id_; }  // NOLINT: it is one

  /// Nothing was added: the job was there already (its token, its unique key), or it joined a group.
  [[nodiscard]] bool existed() const noexcept { return existed_; }

  /// See galley::wait. The enqueue's own error where it was not enqueued.
  [[nodiscard]] Result<JobResult> wait(Duration timeout) const {
    if (!id_) return id_.error();
    return galley::wait(store_, *id_, timeout);
  }

 private:
  StorePtr store_;
  Result<JobId> id_;
  bool existed_ = false;
};

}  // namespace galley
