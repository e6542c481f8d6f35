#pragma once
// The part of engine/explain.hpp that is about waiting: for whom, and for how long. Pure.

#include "engine/explain.hpp"

namespace galley::engine {

/// What would keep it from being started even if it were next: a paused queue, no worker, no handler.
/// True: there is something.
bool explain_obstacles(const Facts& facts, Explanation& into);

/// Of a ready job: obstacles, or the line that it stands in.
void explain_ready(const Facts& facts, Explanation& into);

/// Of a waiting job: its expiry and deadline, the bound of its queue.
void explain_limits(const Facts& facts, Explanation& into);

/// When its turn comes, by the rate at which its kind ended lately; nothing: there is no telling.
[[nodiscard]] std::optional<Duration> wait_left(const Facts& facts);

}  // namespace galley::engine
