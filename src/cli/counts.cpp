#include "cli/counts.hpp"

#include <numeric>

namespace galley::cli {

namespace {
std::string_view state_name(std::size_t i) { return name(static_cast<JobState>(i)); }
}  // namespace

std::vector<std::string> with_states(std::vector<std::string> before, const std::vector<std::string>& after) {
  for (std::size_t i = 0; i < kJobStates; ++i) {
    std::string title(state_name(i));
    for (char& c : title) c = static_cast<char>(c - 'a' + 'A');
    before.push_back(std::move(title));
  }
  before.insert(before.end(), after.begin(), after.end());
  return before;
}

std::vector<std::size_t> count_columns(std::size_t first) {
  std::vector<std::size_t> at(kJobStates);
  std::iota(at.begin(), at.end(), first);
  return at;
}

void add_counts(std::vector<std::string>& row, const Counts& counts) {
  for (const std::int64_t count : counts) row.push_back(std::to_string(count));
}

void add_counts(boost::json::object& object, const Counts& counts) {
  for (std::size_t i = 0; i < kJobStates; ++i) object[state_name(i)] = counts[i];
}

}  // namespace galley::cli
