#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdio>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

namespace galley::base {

namespace {

constexpr std::array<std::string_view, 5> kLevels{"debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 5> kTextLevels{"DEBUG", "INFO", "WARN", "ERROR", "OFF"};

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), static_cast<std::size_t>(std::snprintf(buffer.data(), buffer.size(), "%.6g", value))};
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f) return false;
  }
  return is_utf8(text);
}

/// Quoted for a line of text; also good JSON, because quotes, backslashes and control characters are escaped alike.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : to_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string value_text(const Field& field, bool json) {
  if (const auto* integer = std::get_if<std::int64_t>(&field.value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&field.value)) return number_text(*real);
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

bool Logger::enabled(LogLevel level) const noexcept { return level >= sink_->level && sink_->logger != nullptr; }

void Logger::log(LogLevel level, std::string_view event, std::initializer_list<Field> fields) const {
  if (!enabled(level)) return;
  sink_->logger->info(sink_->format == LogFormat::Json ? json_line(level, event, fields) : text_line(level, event, fields));
}

namespace {
template <std::size_t N>
Result<std::size_t> choice(std::string_view field, std::string_view value, const std::array<std::string_view, N>& choices) {
  std::string allowed;
  for (std::size_t i = 0; i < N; ++i) {
    if (choices[i] == value) return i;
    allowed += (i > 0 ? ", " : "") + std::string(choices[i]);
  }
  return Error{Errc::InvalidInput, std::string(field) + ": " + quoted(value) + " is not allowed; allowed is " + allowed};
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
