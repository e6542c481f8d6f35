#pragma once
// Logging: one line a change of state, on stderr: an event name, then key=value fields.
// A facade, so that spdlog's headers stay in one translation unit.
//
// Thread-safety: any thread. A Logger is cheap to copy and shares its sink.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "galley/error.hpp"

namespace galley::base {

enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error, Off };
enum class LogFormat : std::uint8_t { Text, Json };

/// One key=value of a line. Values are text, integers or floating point; payloads and secrets are never logged.
struct Field {
  std::string_view key;
  std::variant<std::int64_t, double, std::string_view> value;
};

class Logger {
 public:
  /// Writes to stderr.
  Logger(LogLevel level, LogFormat format);
  /// Says nothing (the library's default).
  [[nodiscard]] static Logger silent();

  [[nodiscard]] bool enabled(LogLevel level) const noexcept;
  void log(LogLevel level, std::string_view event, std::initializer_list<Field> fields = {}) const;

  void debug(std::string_view event, std::initializer_list<Field> fields = {}) const {
    log(LogLevel::Debug, event, fields);
  }
  void info(std::string_view event, std::initializer_list<Field> fields = {}) const {
    log(LogLevel::Info, event, fields);
  }
  void warn(std::string_view event, std::initializer_list<Field> fields = {}) const {
    log(LogLevel::Warn, event, fields);
  }
  void error(std::string_view event, std::initializer_list<Field> fields = {}) const {
    log(LogLevel::Error, event, fields);
  }

 private:
  struct Sink;
  std::shared_ptr<Sink> sink_;
};

/// "debug", "info", "warn", "error", "off" / "text", "json". Errors: InvalidInput naming the value and the choices.
[[nodiscard]] Result<LogLevel> log_level_from(std::string_view name);
[[nodiscard]] Result<LogFormat> log_format_from(std::string_view name);

}  // namespace galley::base
