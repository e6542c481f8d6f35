#pragma once
// Counts by state, as columns and as members. Pure.

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "galley/job.hpp"

namespace galley::cli {

using Counts = std::int64_t[kJobStates];

/// A table's header: `before`, a column a state, `after`.
[[nodiscard]] std::vector<std::string> with_states(std::vector<std::string> before,
                                                   const std::vector<std::string>& after = {});
/// The columns of the counts, where `first` others stand before them.
[[nodiscard]] std::vector<std::size_t> count_columns(std::size_t first);
void add_counts(std::vector<std::string>& row, const Counts& counts);
void add_counts(boost::json::object& object, const Counts& counts);

}  // namespace galley::cli
