#include "engine/command.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

void command(std::string_view input) {
  const auto read = engine::decode_command(input);
  if (refused(read, "command")) return;
  require(!read->argv.empty() && !read->argv[0].empty(), "a command has a program");
  for (const std::string& argument : read->argv) {
    require(argument.find('\0') == std::string::npos, "no argument holds a NUL");
  }
  const auto job = engine::command_job(*read, "k");
  require(job.has_value() && job->program == read->argv[0], "what was read can be written");
  const auto again = engine::decode_command(job->payload);
  require(again.has_value() && again->argv == read->argv && again->env == read->env && again->input == read->input,
          "what was written reads the same", job->payload);
  const auto same = engine::command_job(*again, "k");
  require(same && same->payload == job->payload, "what reads the same is written the same", job->payload);
}

}  // namespace galley::fuzz
