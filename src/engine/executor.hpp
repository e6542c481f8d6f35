#pragma once
// Runs one attempt from its payload to its end: the one pipeline that every job goes through,
//   the middleware, outermost first -> find the handler or the program -> run it -> put its end into words
// and the one place where a handler's exception is caught. Settling the end is the core's (engine/ending.hpp).
//
// Thread-safety: immutable; execute() is called by all slots at once.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "engine/attempt.hpp"
#include "engine/programs.hpp"
#include "galley/middleware.hpp"
#include "galley/worker.hpp"

namespace galley::engine {

using Handlers = std::map<std::string, Handler, std::less<>>;

class Executor {
 public:
  /// `store`: where commands find the results of a batch; it outlives the executor. nullptr: nowhere.
  Executor(Handlers handlers, AllowedPrograms programs, const base::Clock& clock,
           std::vector<std::shared_ptr<Middleware>> middleware = {}, store::Store* store = nullptr);

  /// Blocks until the handler has returned or the command is gone.
  [[nodiscard]] AttemptEnd execute(RunningAttempt& attempt) const;

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
  std::vector<std::shared_ptr<Middleware>> middleware_;
  AllowedPrograms programs_;
  std::vector<std::string> claimable_;
  const base::Clock& clock_;
  store::Store* store_;
};

}  // namespace galley::engine
