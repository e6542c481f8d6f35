#include "cli/job_source.hpp"

#include <boost/json/stream_parser.hpp>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley::cli {

namespace {

constexpr std::string_view kHole = "{}";

std::string replaced(std::string_view argument, std::string_view line) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t hole = argument.find(kHole, at);
    out += argument.substr(at, hole - at);
    if (hole == std::string_view::npos) return out;
    out += line;
    at = hole + kHole.size();
  }
}

std::size_t holes(std::string_view argument) noexcept {
  std::size_t count = 0;
  for (std::size_t at = argument.find(kHole); at != std::string_view::npos; at = argument.find(kHole, at + 2)) ++count;
  return count;
}

}  // namespace

Result<Command> with_line(const Command& pattern, std::string_view line) {
  std::size_t bytes = 0;
  for (const std::string& argument : pattern.argv) {
    bytes += argument.size() + holes(argument) * line.size();
    if (bytes > limits::kMaxPayloadBytes) {
      return Error{Errc::InvalidInput, "the command with the line in it is longer than the " +
                                           std::to_string(limits::kMaxPayloadBytes) + " bytes that are allowed"};
    }
  }
  Command command = pattern;
  for (std::string& argument : command.argv) argument = replaced(argument, line);
  return command;
}

Result<job::NewJob> json_job(const std::string& kind, std::string json) {
  boost::json::error_code fault;
  boost::json::stream_parser parser;
  const std::size_t read = parser.write_some(json, fault);
  if (!fault && json.find_first_not_of(" \t\r\n", read) != std::string::npos) {
    fault = boost::json::make_error_code(boost::json::error::extra_data);
  }
  if (!fault) parser.finish(fault);
  if (fault) {
    return Error{Errc::InvalidInput,
                 "the payload is not JSON: " + fault.message() + " at byte " + std::to_string(read + 1)};
  }
  job::NewJob job;
  job.kind = kind;
  job.content = job::Content::Json;
  job.payload = std::move(json);
  return job;
}

Result<std::vector<std::pair<std::string, std::string>>> environment_of(const std::vector<std::string>& texts,
                                                                        const char* (*lookup)(const char*)) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (name.empty())
      return Error{Errc::InvalidInput, "--env " + base::quoted(text) + " has no name; use NAME or NAME=VALUE"};
    if (equals != std::string::npos) {
      variables.emplace_back(name, text.substr(equals + 1));
      continue;
    }
    const char* value = lookup(name.c_str());
    if (value == nullptr) {
      return Error{Errc::InvalidInput,
                   "--env " + base::quoted(name) + ": the variable is not set here; --env NAME=VALUE gives it a value"};
    }
    variables.emplace_back(name, value);
  }
  return variables;
}

}  // namespace galley::cli
