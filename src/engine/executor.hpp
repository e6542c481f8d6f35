#pragma once
// Runs one attempt from its payload to its end: the one pipeline that every job goes through,
//   the middleware, outermost first -> find the handler or the program -> run it -> put its end into words
// and the one place where a plain handler's exception is caught. Coroutine handlers go through engine/coroutines.hpp
// instead. Settling the end is the core's (engine/ending.hpp).
//
// Thread-safety: immutable; execute() is called by all slots at once.

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "engine/attempt.hpp"
#include "engine/coroutines.hpp"
#include "engine/programs.hpp"
#include "galley/middleware.hpp"
#include "galley/worker.hpp"

namespace galley::engine {

using Handlers = std::map<std::string, Handler, std::less<>>;
using CoroutineHandlers = std::map<std::string, std::shared_ptr<CoroutineHandler>, std::less<>>;

/// What a handler has thrown becomes its attempt's failure.
void put_thrown(const std::exception_ptr& thrown, AttemptEnd& end);

class Executor {
 public:
  /// `store`: where commands find the results of a batch; it outlives the executor. nullptr: nowhere.
  Executor(Handlers handlers, AllowedPrograms programs, const base::Clock& clock,
           std::vector<std::shared_ptr<Middleware>> middleware = {}, store::Store* store = nullptr,
           CoroutineHandlers coroutines = {});

  /// Blocks until the handler has returned or the command is gone.
  [[nodiscard]] AttemptEnd execute(RunningAttempt& attempt) const;

  /// Some handler is a coroutine.
  [[nodiscard]] bool has_coroutines() const noexcept { return !coroutines_.empty(); }
  /// What this claim's attempt goes through on a loop; nothing: it is none for a coroutine, execute() runs it.
  [[nodiscard]] std::optional<CoroutineChain> coroutine(const job::Claim& claim) const;

  /// Whether execute() would find something to run for this job.
  [[nodiscard]] bool serves(const job::JobRecord& job) const;

 private:
  /// The rest of the middleware, from `at` on, and then `run`.
  [[nodiscard]] std::optional<Outcome> through(std::size_t at, RunningAttempt& attempt, std::string_view payload,
                                               const Next& run) const;
  [[nodiscard]] std::optional<Outcome> run_handler(RunningAttempt& attempt, std::string_view payload,
                                                   AttemptEnd& end) const;
  [[nodiscard]] std::optional<Outcome> run_command(RunningAttempt& attempt, std::string_view payload,
                                                   AttemptEnd& end) const;

  Handlers handlers_;
  CoroutineHandlers coroutines_;
  std::vector<std::shared_ptr<Middleware>> middleware_;
  AllowedPrograms programs_;
  std::vector<std::string> claimable_;
  const base::Clock& clock_;
  store::Store* store_;
};

}  // namespace galley::engine
