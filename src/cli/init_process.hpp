#pragma once
// Being process 1, of a container. The kernel gives it every orphan, which stays a zombie until it is waited for, and
// drops the signals that it does not expect. A worker that waited for any child would take the ends of its own children
// (the guardians) away from the threads that wait for those. So process 1 keeps to that alone, and the worker is its
// child: it passes signals on, reaps whatever ends, and ends as the worker does. When it ends, the kernel kills what is
// left in the container.

#include <optional>

#include "galley/error.hpp"

namespace galley::cli {

/// Call it before the first thread. Returns nothing where the caller is to be the worker: at once where this is not
/// process 1, else in a new child. In process 1 it returns when the worker has ended, with its exit code (128 + n where
/// it died of signal n). Errors: Unavailable, where no process can be started.
[[nodiscard]] Result<std::optional<int>> split_from_init();

}  // namespace galley::cli
