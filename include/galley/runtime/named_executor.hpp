#pragma once
// Names for coroutines, so that a report can say which one blocks a loop, or where an error came from.

#include <boost/asio/any_io_executor.hpp>
#include <boost/assert/source_location.hpp>
#include <string>

namespace galley {

/// As `executor`, and whatever runs on it is the current task (galley/runtime/current_task.hpp) of that name meanwhile:
/// a coroutine that is spawned on it is so at each of its resumptions, also when it waited for something of another
/// executor, and so are those that it starts on its own executor. TaskGroup::spawn does this for its tasks.
///
/// Costs an atomic count each time that the executor is copied.
[[nodiscard]] boost::asio::any_io_executor named_executor(
    const boost::asio::any_io_executor& executor, std::string name,
    const boost::source_location& spawned_at = BOOST_CURRENT_LOCATION);

}  // namespace galley
