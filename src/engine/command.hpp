#pragma once
// The payload of a command job, as it is kept in the store: one JSON object
//   {"argv": ["convert", "cat.png"], "input": "text", "cwd": "/work", "env": {"LANG": "C"}}
// and, where they are said, "input_path" with "input_begin" and "input_end", "input_batch", "keep_output",
// "output_file". Absent members are empty. JSON is UTF-8 and an argument is any bytes: a member with a string that is
// not valid UTF-8 is written with "_base64" behind its name, and every value in it is base64 ("argv_base64": ["Y2F0"]).
//
// Thread-safety: pure.

#include <string_view>

#include "galley/error.hpp"
#include "galley/queue.hpp"
#include "job/job.hpp"

namespace galley::engine {

/// A job that runs `command`; queue and options are still the defaults. `kind` empty: the base name of argv[0].
/// Errors: InvalidInput naming what is wrong with the command. What job::validate checks is left to it.
[[nodiscard]] Result<job::NewJob> command_job(const Command& command, std::string_view kind);

/// Unknown members are ignored. Errors: InvalidInput naming the member.
[[nodiscard]] Result<Command> decode_command(std::string_view payload);

}  // namespace galley::engine
