#pragma once
// A job on its way into the store: the one place where options, middleware and checks meet.
//
// Thread-safety: any thread.

#include <string>
#include <string_view>

#include "galley/queue.hpp"
#include "job/job.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// Ready for `store`, whose middleware has seen it. Of Content::Json the payload is checked to be JSON, before the
/// middleware; what is no JSON behind it is kept as bytes. Errors: InvalidInput, and those of the middleware.
[[nodiscard]] Result<job::NewJob> new_job(const store::Store& store, const std::string& queue, std::string_view kind,
                                          job::Content content, std::string payload, const JobOptions& options);

/// The same of a command; `kind` empty: the base name of argv[0].
[[nodiscard]] Result<job::NewJob> new_command_job(const store::Store& store, const std::string& queue,
                                                  const Command& command, std::string_view kind,
                                                  const JobOptions& options);

}  // namespace galley::engine
