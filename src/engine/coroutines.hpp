#pragma once
// Where a worker's coroutine handlers run: one thread with an event loop, whatever their number. A stop request becomes
// a cancellation on that thread. What has ended is handed back there too, so whoever takes it must not block.
//
// No store is called on that thread: ends go to the core, and to the store by the dispatcher, as all others.

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "engine/attempt.hpp"
#include "galley/middleware.hpp"
#include "runtime/stack_taker.hpp"

namespace galley::engine {

/// What an attempt of a coroutine handler goes through. Both are borrowed.
struct CoroutineChain {
  CoroutineHandler* handler = nullptr;
  std::span<const std::shared_ptr<Middleware>> middleware;  ///< outermost first; each is a CoroutineMiddleware
};

/// Errors: InvalidInput where a middleware cannot stand round the coroutines of this kind.
[[nodiscard]] Result<void> check_middleware(std::string_view kind,
                                            std::span<const std::shared_ptr<Middleware>> middleware);

/// The same in the calling thread, with a loop of its own: blocks until it has ended.
[[nodiscard]] AttemptEnd run_here(const CoroutineChain& chain, const std::shared_ptr<RunningAttempt>& attempt,
                                  const base::Clock& clock);

class CoroutineLoop {
 public:
  /// `clock` is borrowed.
  CoroutineLoop(const base::Clock& clock, base::Logger logger);
  CoroutineLoop(const CoroutineLoop&) = delete;
  CoroutineLoop& operator=(const CoroutineLoop&) = delete;
  /// Waits until everything that was started has ended.
  ~CoroutineLoop();

  /// Starts the thread. Errors: Unavailable.
  [[nodiscard]] Result<void> open();
  /// Any thread, once it is open. `ended` is called once, by the loop's thread. No more may be under way at once than
  /// the worker has slots.
  void start(CoroutineChain chain, std::shared_ptr<RunningAttempt> attempt, std::function<void(AttemptEnd)> ended);
  /// The stack of the loop's thread: of the attempt that holds it up, which it names, if one does.
  [[nodiscard]] std::string stack(runtime::StackTaker& taker);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley::engine
