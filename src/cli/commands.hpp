#pragma once
// The program's commands: each adds its options to the parser, and its action to the context. One file a command.

#include "cli/context.hpp"

namespace galley::cli {

void add_enqueue(CLI::App& app, Context& context);
void add_split(CLI::App& app, Context& context);
void add_work(CLI::App& app, Context& context);
void add_jobs(CLI::App& app, Context& context);
void add_queues(CLI::App& app, Context& context);
void add_limits(CLI::App& app, Context& context);
void add_batches(CLI::App& app, Context& context);
void add_schedules(CLI::App& app, Context& context);
void add_stats(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_backup(CLI::App& app, Context& context);
void add_store(CLI::App& app, Context& context);
void add_load(CLI::App& app, Context& context);
void add_demo(CLI::App& app, Context& context);

/// A count of 1 or more, or "none". Errors: InvalidInput naming the option.
[[nodiscard]] Result<std::optional<std::int64_t>> bound_from(std::string_view option, std::string_view text);

struct FilterFlags;
/// jobs retry|cancel|delete, below `jobs`. `filter` is shared with it, so that its options may stand before or behind
/// the verb; it must live as long as `jobs`.
void add_operations(CLI::App& jobs, Context& context, FilterFlags& filter);

/// In the order in which --help names them.
inline constexpr void (*kCommands[])(CLI::App&, Context&) = {
    add_enqueue, add_split, add_work,    add_jobs,   add_queues, add_limits, add_batches, add_schedules,
    add_stats,   add_top,   add_explain, add_doctor, add_backup, add_store,  add_load,    add_demo};

}  // namespace galley::cli
