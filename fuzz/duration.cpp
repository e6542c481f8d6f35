#include "base/duration.hpp"

#include "base/limits.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

void check_duration(std::string_view input) {
  const auto read = base::parse_duration("delay", input);
  if (refused(read, "delay")) return;
  require(*read >= Duration{0} && *read <= Duration(limits::kMaxDelay), "a duration is within its bounds", input);
  const std::string exact = base::format_duration_exactly(*read);
  const auto again = base::parse_duration("delay", exact);
  require(again && *again == *read, "a printed duration reads the same", exact);
  const std::string shown = base::format_duration(*read);
  require(!shown.empty() && shown.size() < 32, "a shown duration is short", shown);
}

void check_time(std::string_view input) {
  const auto read = base::parse_time("at", input);
  if (refused(read, "at")) return;
  require(*read >= Time{} && *read <= base::kMaxTime, "a time is within its bounds", input);
  const std::string text = base::format_time(*read);
  const auto again = base::parse_time("at", text);
  require(again && *again == std::chrono::floor<std::chrono::milliseconds>(*read), "a printed time reads the same",
          text);
}

}  // namespace

void duration(std::string_view input) {
  check_duration(input);
  check_time(input);
}

}  // namespace galley::fuzz
