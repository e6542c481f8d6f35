#pragma once
// The program's commands: each adds its options to the parser, and its action to the context. One file a command.

#include "cli/context.hpp"

namespace galley::cli {

void add_enqueue(CLI::App& app, Context& context);
void add_work(CLI::App& app, Context& context);
void add_jobs(CLI::App& app, Context& context);
void add_queues(CLI::App& app, Context& context);
void add_stats(CLI::App& app, Context& context);
void add_demo(CLI::App& app, Context& context);

struct FilterFlags;
/// jobs retry|cancel|delete, below `jobs`. `filter` is shared with it, so that its options may stand before or behind
/// the verb; it must live as long as `jobs`.
void add_operations(CLI::App& jobs, Context& context, FilterFlags& filter);

/// In the order in which --help names them.
inline constexpr void (*kCommands[])(CLI::App&, Context&) = {add_enqueue, add_work,  add_jobs,
                                                             add_queues,  add_stats, add_demo};

}  // namespace galley::cli
