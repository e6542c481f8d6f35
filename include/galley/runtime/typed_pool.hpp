#pragma once
// A pool of one type of job, all handled alike: a generator is called once for each dispatcher, and the handler that it
// gives is shared by that dispatcher's workers, so it may hold what is dear to have (a connection, a model, a buffer).
//
//   galley::TypedPool<int> pool{[](int dispatcher) {
//     auto connection = connect(dispatcher);
//     return [connection](int& number) -> galley::Result<void> { return connection->add(number); };
//   }};
//   if (pool.try_submit(7) == galley::Submitted::Full) return busy();
//
// What a handler returns as an Error or throws is kept in the bounded sink (take_errors); it ends nothing.
//
// Thread-safety: as of a WorkerPool. A handler is called by several workers of its dispatcher at once.

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "galley/runtime/worker_pool.hpp"

namespace galley {

template <class Job>
requires(std::is_nothrow_move_constructible_v<Job>&& std::is_move_assignable_v<Job>) class TypedPool {
 public:
  using Handler = std::function<Result<void>(Job&)>;
  /// Called once for each dispatcher, also for one that a resize or the scaling adds. What it throws: as of
  /// PoolOptions::make_state, whose place it takes.
  using HandlerGenerator = std::function<Handler(int dispatcher)>;

  /// Throws Exception: InvalidInput naming the option (also for an empty generator, or options that have a make_state),
  /// Unavailable where no thread can be started or the generator has thrown or has given no handler.
  explicit TypedPool(HandlerGenerator generator, PoolOptions options = {})
      : pool_(with(std::move(generator), std::move(options))) {}

  /// Never blocks. A job that is not accepted is not moved from; one that is given as a copy is simply gone.
  [[nodiscard]] Submitted try_submit(Job&& job, const TaskOptions& options = {}) {
    return given(std::move(job), [&](Task& task) { return pool_.try_submit(std::move(task), options); });
  }
  [[nodiscard]] Submitted try_submit(const Job& job, const TaskOptions& options = {}) {
    return try_submit(Job(job), options);
  }
  /// As WorkerPool::submit_for.
  [[nodiscard]] Submitted submit_for(Duration patience, Job&& job, const TaskOptions& options = {}) {
    return given(std::move(job), [&](Task& task) { return pool_.submit_for(patience, std::move(task), options); });
  }
  [[nodiscard]] Submitted submit_for(Duration patience, const Job& job, const TaskOptions& options = {}) {
    return submit_for(patience, Job(job), options);
  }
  /// For what takes a Task: galley::submission(pool.pool(), pool.task(job)) is awaited until there is room.
  [[nodiscard]] Task task(Job job) const { return Task(Call{std::move(job)}); }

  /// Resize, close, statistics and all else. Its other tasks may find the dispatcher's Handler as their state.
  [[nodiscard]] WorkerPool& pool() noexcept { return pool_; }

  [[nodiscard]] Result<void> resize(int dispatchers) { return pool_.resize(dispatchers); }
  [[nodiscard]] int size() const noexcept { return pool_.size(); }
  PoolClosed close(CloseMode mode, std::optional<Duration> deadline = std::nullopt) {
    return pool_.close(mode, deadline);
  }
  [[nodiscard]] bool closed() const noexcept { return pool_.closed(); }
  /// An Error that a handler has returned is there as an Exception. Oldest first; empties the sink.
  [[nodiscard]] std::vector<std::exception_ptr> take_errors() { return pool_.take_errors(); }
  [[nodiscard]] PoolStats stats() const { return pool_.stats(); }

 private:
  struct Call {
    Job job;
    void operator()(TaskContext& context) {
      if (auto done = (*static_cast<Handler*>(context.state()))(job); !done) throw Exception(done.error());
    }
  };

  template <class Submit>
  static Submitted given(Job&& job, const Submit& submit) {
    Task task(Call{std::move(job)});
    const Submitted answer = submit(task);
    if (answer != Submitted::Accepted) job = std::move(task.target<Call>()->job);
    return answer;
  }

  static PoolOptions with(HandlerGenerator generator, PoolOptions options) {
    if (!generator) throw Exception(Error{Errc::InvalidInput, "generator empty is not allowed: a function"});
    if (options.make_state) {
      throw Exception(Error{Errc::InvalidInput, "make_state is not allowed: the generator takes its place"});
    }
    options.make_state = [generator = std::move(generator)](int dispatcher) -> std::shared_ptr<void> {
      auto handler = std::make_shared<Handler>(generator(dispatcher));
      if (!*handler) throw Exception(Error{Errc::InvalidInput, "the generator has given no handler"});
      return handler;
    };
    return options;
  }

  WorkerPool pool_;
};

}  // namespace galley
