#pragma once
// All targets: one a parser, in the file of its name. What reads bytes or text from outside has one here; corpus/NAME/
// holds texts that it begins from, and every input that once broke it.

#include <span>
#include <string_view>

namespace galley::fuzz {

void alarm(std::string_view input);
void backoff(std::string_view input);
void card(std::string_view input);
void checkpoint(std::string_view input);
void command(std::string_view input);
void cron(std::string_view input);
void cursor(std::string_view input);
void duration(std::string_view input);
void flags(std::string_view input);
void histogram(std::string_view input);
void http_request(std::string_view input);
void job_source(std::string_view input);
void load(std::string_view input);
void notify(std::string_view input);
void payload(std::string_view input);
void pool(std::string_view input);
void prometheus(std::string_view input);
void settings(std::string_view input);
void split(std::string_view input);
void store_file(std::string_view input);
void store_url(std::string_view input);
void template_text(std::string_view input);
void terminal(std::string_view input);
void text(std::string_view input);
void zone_file(std::string_view input);
void zone_name(std::string_view input);

struct Target {
  const char* name;
  void (*run)(std::string_view input);
};
[[nodiscard]] std::span<const Target> targets() noexcept;

}  // namespace galley::fuzz
