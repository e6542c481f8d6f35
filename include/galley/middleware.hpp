#pragma once
// What is done with every job of a process, in one place: before it is enqueued, and round each of its attempts.
// Tracing, measuring, checks, tenants, encryption of payloads.
//
//   galley::use(store, std::make_shared<Tracing>());    // before the queues and workers of this store are used
//
// The first one used is the outermost. A worker takes the ones that are there when run() is called.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/store.hpp"
#include "galley/worker.hpp"

namespace galley {

/// A job on its way into the store. What a middleware changes is what is enqueued, and is checked after it.
struct Draft {
  std::string queue;
  std::string kind;
  /// JSON text, bytes, or an encoded command; if JSON has become other bytes, it is kept as bytes.
  std::string payload;
  bool command = false;  ///< the payload is an encoded command; what a worker may run is still matched by its program
  JobOptions options;
};

/// Runs the rest: the next middleware, at last the handler or the command, on this payload. Throws what a handler
/// throws.
using Next = std::function<std::optional<Outcome>(std::string_view payload)>;

/// Thread-safety: its functions are called from all threads that enqueue or run jobs, at once.
class Middleware {
 public:
  virtual ~Middleware() = default;
  /// Before the enqueue. An error refuses the job. Must not throw.
  [[nodiscard]] virtual Result<void> on_enqueue(Draft& draft) {
    (void)draft;
    return {};
  }
  /// Round an attempt: calls `next` once, and returns what it returned, or something else. What it throws is the
  /// attempt's failure, as if the handler had thrown it. Round coroutine handlers: see galley/coroutine.hpp.
  virtual std::optional<Outcome> on_attempt(Attempt& attempt, std::string_view payload, const Next& next) {
    (void)attempt;
    return next(payload);
  }
};

/// Adds to the chain of this store in this process. At most 32; one more, or an empty one, throws Exception
/// (InvalidInput). Thread-safety: any thread.
void use(const StorePtr& store, std::shared_ptr<Middleware> middleware);

}  // namespace galley
