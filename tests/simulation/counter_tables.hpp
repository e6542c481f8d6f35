#pragma once
// The simulated part of docs/counter.md, as Markdown.

#include <cstdint>
#include <string>

namespace galley::simulation {

/// Over the shapes of the first `seeds` seeds.
[[nodiscard]] std::string counter_tables(std::uint64_t seeds);

}  // namespace galley::simulation
