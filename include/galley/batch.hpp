#pragma once
// Running something when many jobs are done.
//
//   galley::Batch batch{store, "nightly"};
//   for (const auto& image : images) batch.add(fast, "resize", image);
//   batch.on_success(slow, "publish", Album{"2026-01-01"});
//   batch.on_failure(fast, "mail", Mail{"ann@example.com"});
//   galley::BatchId id = batch.enqueue().value();
//
// A callback is a job like any other. It stands blocked until its trigger comes true, which each does once: success
// when all jobs have completed, failure with the first one that ends otherwise (dead, cancelled, discarded, expired),
// finished when all have ended, well or not. A job that failed may be retried by a person: when all have completed
// then, success comes true after all. A callback whose trigger can never come true any more is cancelled, and its error
// says why.
//
// A running handler adds jobs to its own batch with the option galley::batch(attempt.batch()).
//
// Thread-safety: a Batch is used from one thread at a time.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/queue.hpp"
#include "galley/store.hpp"

namespace galley {

/// Nothing more comes of a batch: its callbacks and its waiting jobs are cancelled, running ones are asked to stop, and
/// it is sealed. Thread-safety: any thread. Errors: NotFound, and the store's; it may be repeated.
[[nodiscard]] Result<void> cancel_batch(const StorePtr& store, BatchId batch);

class Batch {
 public:
  /// `name`: 1..128 bytes of text for people; names need not be unique. `token`: at most 64 bytes, enqueueing it twice
  /// gives the same batch, so that with a token on each job too a repetition is harmless; empty: none.
  Batch(StorePtr store, std::string name, std::string token = {});
  /// One that has written jobs and was neither enqueued nor cancelled leaves them in a batch that stays open: they run,
  /// and `galley batches` shows and seals it.
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  /// Adds a job of `queue`, typed or a command, with options as for Queue::enqueue. Written when enough are together
  /// for a transaction (10,000 jobs or 16 MiB), so that memory stays bounded; they may run from then on. The first
  /// error ends the batch: what is added behind it is dropped, and enqueue() returns it.
  template <class Args, class... Set>
  Batch& add(const Queue& queue, std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    return put(Part::Job, queue, kind, Codec<Args>::encode(args), options(set...));
  }
  template <class... Set>
  Batch& add(const Queue& queue, const Command& command, const JobOption<Set>&... set) {
    return put(Part::Job, queue, command, options(set...));
  }
  /// The payload is JSON text already (checked).
  Batch& add_json(const Queue& queue, std::string_view kind, std::string json, const JobOptions& options = {}) {
    return put(Part::Job, queue, kind, std::move(json), options);
  }

  /// Callbacks: at most 100, without a delay or an absolute time. Their option `batch` is of another one: a callback
  /// may be a job of that.
  template <class Args, class... Set>
  Batch& on_success(const Queue& queue, std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    return put(Part::OnSuccess, queue, kind, Codec<Args>::encode(args), options(set...));
  }
  template <class... Set>
  Batch& on_success(const Queue& queue, const Command& command, const JobOption<Set>&... set) {
    return put(Part::OnSuccess, queue, command, options(set...));
  }
  template <class Args, class... Set>
  Batch& on_failure(const Queue& queue, std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    return put(Part::OnFailure, queue, kind, Codec<Args>::encode(args), options(set...));
  }
  template <class... Set>
  Batch& on_failure(const Queue& queue, const Command& command, const JobOption<Set>&... set) {
    return put(Part::OnFailure, queue, command, options(set...));
  }
  template <class Args, class... Set>
  Batch& on_finished(const Queue& queue, std::string_view kind, const Args& args, const JobOption<Set>&... set) {
    return put(Part::OnFinished, queue, kind, Codec<Args>::encode(args), options(set...));
  }
  template <class... Set>
  Batch& on_finished(const Queue& queue, const Command& command, const JobOption<Set>&... set) {
    return put(Part::OnFinished, queue, command, options(set...));
  }

  /// Writes what is left, and seals the batch; returns after it is durable. A batch without jobs succeeds at once.
  /// Repeating it gives the same id. Errors: those of add(), and the store's. After one, what was written is there
  /// still, in an open batch: cancel() ends it.
  [[nodiscard]] Result<BatchId> enqueue();

  /// As galley::cancel_batch, of what has been written; what has not is dropped. Errors: the store's; it may be
  /// repeated.
  [[nodiscard]] Result<void> cancel();

  /// Its id once something was written; 0 before.
  [[nodiscard]] BatchId id() const noexcept;

 private:
  enum class Part : std::uint8_t { OnSuccess, OnFailure, OnFinished, Job };
  struct State;

  template <class... Set>
  [[nodiscard]] static JobOptions options(const JobOption<Set>&... set) {
    JobOptions options;
    (set.set(options), ...);
    return options;
  }
  Batch& put(Part part, const Queue& queue, std::string_view kind, std::string json, const JobOptions& options);
  Batch& put(Part part, const Queue& queue, const Command& command, const JobOptions& options);

  std::unique_ptr<State> state_;
};

}  // namespace galley
