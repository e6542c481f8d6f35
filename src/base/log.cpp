#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

namespace galley::base {

namespace {

constexpr std::array<std::string_view, 5> kLevels{"debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 5> kTextLevels{"DEBUG", "INFO", "WARN", "ERROR", "OFF"};

std::string number_text(double value, bool json) {
  if (json && !std::isfinite(value)) return "null";  // JSON has no other word for them
  std::array<char, 32> buffer{};
  return {buffer.data(), static_cast<std::size_t>(std::snprintf(buffer.data(), buffer.size(), "%.6g", value))};
}

bool is_plain(std::string_view text) {
  return !text.empty() && is_printable(text) && text.find_first_of(" \"\\=") == std::string_view::npos;
}

/// Quoted for a line of text; also good JSON, because quotes, backslashes and control characters are escaped alike.
/// No value can begin a new line or drive a terminal.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  const std::string valid = to_utf8(text);
  for (std::string_view rest = valid; !rest.empty();) {
    const std::string_view character = rest.substr(0, utf8_length(rest));
    if (character == "\"" || character == "\\") {
      out += '\\';
      out += character;
    } else if (character == "\n") {
      out += "\\n";
    } else if (is_printable(character)) {
      out += character;
    } else {  // a control character: its last byte is its code point, also of U+0080..U+009F
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned char>(character.back()));
      out += escape.data();
    }
    rest.remove_prefix(character.size());
  }
  return out + '"';
}

std::string value_text(const Field& field, bool json) {
  if (const auto* integer = std::get_if<std::int64_t>(&field.value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&field.value)) return number_text(*real, json);
  const std::string_view text = std::get<std::string_view>(field.value);
  return json || !is_plain(text) ? in_quotes(text) : std::string(text);
}

std::string text_line(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = format_time(SystemClock().wall());
  line += ' ';
  line += kTextLevels[static_cast<std::size_t>(level)];
  line += ' ';
  line += event;
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += value_text(field, false);
  }
  return line;
}

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = "{\"time\":\"" + format_time(SystemClock().wall()) + "\",\"level\":\"";
  line += kLevels[static_cast<std::size_t>(level)];
  line += "\",\"event\":";
  line += in_quotes(event);
  for (const Field& field : fields) {
    line += ',';
    line += in_quotes(field.key);
    line += ':';
    line += value_text(field, true);
  }
  return line + '}';
}

}  // namespace

struct Logger::Sink {
  LogLevel level = LogLevel::Off;
  LogFormat format = LogFormat::Text;
  std::unique_ptr<spdlog::logger> logger;
};

Logger::Logger(LogLevel level, LogFormat format) : sink_(std::make_shared<Sink>()) {
  sink_->level = level;
  sink_->format = format;
  if (level == LogLevel::Off) return;
  sink_->logger = std::make_unique<spdlog::logger>("galley", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  sink_->logger->set_pattern("%v");
  sink_->logger->set_level(spdlog::level::trace);
  sink_->logger->flush_on(spdlog::level::trace);
}

Logger Logger::silent() { return {LogLevel::Off, LogFormat::Text}; }

bool Logger::enabled(LogLevel level) const noexcept { return level >= sink_->level && level < LogLevel::Off; }

void Logger::log(LogLevel level, std::string_view event, std::initializer_list<Field> fields) const {
  if (!enabled(level)) return;
  const bool json = sink_->format == LogFormat::Json;
  const std::string line = json ? json_line(level, event, fields) : text_line(level, event, fields);
  sink_->logger->info(line);  // no format string: braces in a line stay as they are
}

namespace {
template <std::size_t N>
Result<std::size_t> choice(std::string_view field, std::string_view value,
                           const std::array<std::string_view, N>& choices) {
  std::string allowed;
  for (std::size_t i = 0; i < N; ++i) {
    if (choices[i] == value) return i;
    allowed += (i > 0 ? ", " : "") + std::string(choices[i]);
  }
  return Error{Errc::InvalidInput,
               std::string(field) + ": " + quoted(value) + " is not allowed; allowed is " + allowed};
}
}  // namespace

Result<LogLevel> log_level_from(std::string_view name) {
  const auto at = choice("log level", name, kLevels);
  if (!at) return at.error();
  return static_cast<LogLevel>(*at);
}

Result<LogFormat> log_format_from(std::string_view name) {
  const auto at = choice("log format", name, std::array<std::string_view, 2>{"text", "json"});
  if (!at) return at.error();
  return static_cast<LogFormat>(*at);
}

}  // namespace galley::base
