#include "engine/command.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley::engine {
namespace {

namespace json = boost::json;

constexpr std::string_view kBase64 = "_base64";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Error invalid(std::string message) { return {Errc::InvalidInput, std::move(message)}; }

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < have ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= have ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

/// RFC 4648 with padding; nothing where it is anything else.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int have = 0;
  for (const char letter : text.substr(0, text.size() - padding)) {
    const std::size_t value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>(bits >> have));
  }
  if ((bits & ((1U << have) - 1)) != 0) return std::nullopt;
  return bytes;
}

// ---- writing ----------------------------------------------------------------------------------------------------

json::string text_of(std::string_view bytes, bool plain) {
  return plain ? json::string(bytes) : json::string(to_base64(bytes));
}

std::string member(std::string_view name, bool plain) {
  return plain ? std::string(name) : std::string(name) + std::string(kBase64);
}

std::string encode(const Command& command) {
  json::object all;
  bool plain = true;
  for (const std::string& argument : command.argv) plain = plain && base::is_utf8(argument);
  json::array argv;
  for (const std::string& argument : command.argv) argv.push_back(text_of(argument, plain));
  all[member("argv", plain)] = std::move(argv);
  for (const auto& [name, text] : {std::pair("input", &command.input), std::pair("cwd", &command.cwd)}) {
    if (!text->empty()) all[member(name, base::is_utf8(*text))] = text_of(*text, base::is_utf8(*text));
  }
  const FilePart& part = command.input_part;
  for (const auto& [name, text] :
       {std::pair("input_path", &part.path), std::pair("output_file", &command.output_file)}) {
    if (!text->empty()) all[member(name, base::is_utf8(*text))] = text_of(*text, base::is_utf8(*text));
  }
  if (!part.path.empty()) all["input_begin"] = part.begin, all["input_end"] = part.end;
  if (command.input_batch != 0) all["input_batch"] = command.input_batch;
  if (command.keep_output) all["keep_output"] = true;
  if (!command.env.empty()) {
    plain = true;
    for (const auto& [name, value] : command.env) plain = plain && base::is_utf8(value);
    json::object env;
    for (const auto& [name, value] : command.env) env[name] = text_of(value, plain);
    all[member("env", plain)] = std::move(env);
  }
  return json::serialize(all);
}

// ---- reading ----------------------------------------------------------------------------------------------------

/// A member under its plain name or with "_base64"; nothing: absent.
struct Member {
  std::string name;
  const json::value* value = nullptr;
  bool plain = true;
};

Result<Member> find(const json::object& all, std::string_view name) {
  Member plain{std::string(name), all.if_contains(name), true};
  Member coded{member(name, false), nullptr, false};
  coded.value = all.if_contains(coded.name);
  if (plain.value != nullptr && coded.value != nullptr) {
    return invalid("command: both " + plain.name + " and " + coded.name + " are given; give one");
  }
  return coded.value != nullptr ? coded : plain;
}

Result<std::string> read_text(const Member& member, const json::value& value) {
  const json::string* text = value.if_string();
  if (text == nullptr) return invalid("command: " + member.name + " must hold text");
  const std::string_view view(text->data(), text->size());
  if (member.plain) return std::string(view);
  auto bytes = from_base64(view);
  if (!bytes) return invalid("command: " + member.name + " must hold base64");
  return *std::move(bytes);
}

Result<void> read_argv(const json::object& all, Command& command) {
  const auto found = find(all, "argv");
  if (!found) return found.error();
  const json::array* list = found->value != nullptr ? found->value->if_array() : nullptr;
  if (list == nullptr) return invalid("command: argv must be an array of texts");
  for (const json::value& value : *list) {
    auto text = read_text(*found, value);
    if (!text) return text.error();
    command.argv.push_back(*std::move(text));
  }
  return {};
}

Result<void> read_env(const json::object& all, Command& command) {
  const auto found = find(all, "env");
  if (!found) return found.error();
  if (found->value == nullptr) return {};
  const json::object* env = found->value->if_object();
  if (env == nullptr) return invalid("command: " + found->name + " must be an object of texts");
  for (const auto& variable : *env) {
    auto text = read_text(*found, variable.value());
    if (!text) return text.error();
    command.env.emplace_back(std::string(variable.key()), *std::move(text));
  }
  return {};
}

Result<void> read_member(const json::object& all, std::string_view name, std::string& into) {
  const auto found = find(all, name);
  if (!found) return found.error();
  if (found->value == nullptr) return {};
  auto text = read_text(*found, *found->value);
  if (!text) return text.error();
  into = *std::move(text);
  return {};
}

Result<void> read_number(const json::object& all, std::string_view name, std::int64_t& into) {
  const json::value* value = all.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr) return {};
  const std::int64_t* number = value->if_int64();
  if (number == nullptr || *number < 0) return invalid("command: " + std::string(name) + " must be 0 or more");
  into = *number;
  return {};
}

Result<void> read_streams(const json::object& all, Command& command) {
  if (const auto read = read_member(all, "input", command.input); !read) return read;
  if (const auto read = read_member(all, "input_path", command.input_part.path); !read) return read;
  if (const auto read = read_member(all, "output_file", command.output_file); !read) return read;
  if (const auto read = read_number(all, "input_begin", command.input_part.begin); !read) return read;
  if (const auto read = read_number(all, "input_end", command.input_part.end); !read) return read;
  if (const auto read = read_number(all, "input_batch", command.input_batch); !read) return read;
  if (const json::value* keep = all.if_contains("keep_output"); keep != nullptr) {
    if (!keep->is_bool()) return invalid("command: keep_output must be true or false");
    command.keep_output = keep->get_bool();
  }
  return {};
}

// ---- checking ---------------------------------------------------------------------------------------------------

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<void> check_env(const Command& command) {
  if (command.env.size() > limits::kMaxVariables) {
    return invalid("command: env has " + std::to_string(command.env.size()) + " variables; at most " +
                   std::to_string(limits::kMaxVariables) + " are allowed");
  }
  std::set<std::string_view> seen;
  for (const auto& [name, value] : command.env) {
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || !base::is_utf8(name)) {
      return invalid("command: " + base::quoted(name) + " is no name of an environment variable");
    }
    if (has_nul(value))
      return invalid("command: the value of variable " + base::quoted(name) + " must not hold a NUL byte");
    if (!seen.insert(name).second) return invalid("command: variable " + base::quoted(name) + " is given twice");
  }
  return {};
}

Result<void> check_streams(const Command& command) {
  const FilePart& part = command.input_part;
  const int inputs = (command.input.empty() ? 0 : 1) + (part.path.empty() ? 0 : 1) + (command.input_batch == 0 ? 0 : 1);
  if (inputs > 1) return invalid("command: input, input_part and input_batch exclude each other; give one");
  if (command.keep_output && !command.output_file.empty()) {
    return invalid("command: keep_output and output_file exclude each other; give one");
  }
  for (const auto& [name, path] :
       {std::pair("input_part", &part.path), std::pair("output_file", &command.output_file)}) {
    if (!path->empty() && ((*path)[0] != '/' || has_nul(*path))) {
      return invalid("command: " + std::string(name) + " " + base::quoted(*path) + " must be an absolute path");
    }
  }
  if (part.begin < 0 || part.end < part.begin)
    return invalid("command: input_part must begin at 0 or more, and end later");
  if (static_cast<std::size_t>(part.end - part.begin) > limits::kMaxInputBytes) {
    return invalid("command: input_part has " + std::to_string(part.end - part.begin) + " bytes; at most " +
                   std::to_string(limits::kMaxInputBytes) + " are allowed");
  }
  return {};
}

Result<void> check(const Command& command) {
  if (command.argv.empty() || command.argv[0].empty()) return invalid("command: argv[0], the program, is missing");
  if (command.argv.size() > limits::kMaxArguments) {
    return invalid("command: argv has " + std::to_string(command.argv.size()) + " entries; at most " +
                   std::to_string(limits::kMaxArguments) + " are allowed");
  }
  for (std::size_t i = 0; i < command.argv.size(); ++i) {
    if (has_nul(command.argv[i])) return invalid("command: argv[" + std::to_string(i) + "] must not hold a NUL byte");
  }
  if (!command.cwd.empty() && (command.cwd[0] != '/' || has_nul(command.cwd))) {
    return invalid("command: cwd " + base::quoted(command.cwd) + " must be an absolute path");
  }
  if (const auto checked = check_streams(command); !checked) return checked;
  return check_env(command);
}

}  // namespace

Result<job::NewJob> command_job(const Command& command, std::string_view kind) {
  if (const auto checked = check(command); !checked) return checked.error();
  job::NewJob job;
  job.content = job::Content::Command;
  job.program = command.argv[0];
  job.kind = kind;
  if (kind.empty()) job.kind = job.program.substr(job.program.rfind('/') + 1);  // npos + 1 is 0
  if (job.kind.empty()) return invalid("command: argv[0] " + base::quoted(job.program) + " is a directory");
  job.payload = encode(command);
  return job;
}

Result<Command> decode_command(std::string_view payload) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(payload.data(), payload.size()), error);
  if (error) return invalid("command: the payload is not JSON: " + error.message());
  const json::object* all = value.if_object();
  if (all == nullptr) return invalid("command: the payload must be a JSON object");
  Command command;
  if (const auto read = read_argv(*all, command); !read) return read.error();
  if (const auto read = read_streams(*all, command); !read) return read.error();
  if (const auto read = read_member(*all, "cwd", command.cwd); !read) return read.error();
  if (const auto read = read_env(*all, command); !read) return read.error();
  if (const auto checked = check(command); !checked) return checked.error();
  return command;
}

}  // namespace galley::engine
