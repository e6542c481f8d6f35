#pragma once
// Typed arguments: a struct described with BOOST_DESCRIBE_STRUCT becomes a job's payload, and back.
//
//   struct Thumbnail { std::string path; int width = 200; };
//   BOOST_DESCRIBE_STRUCT(Thumbnail, (), (path, width))
//
// The payload is a JSON object with the members' names. When it is read, members that the struct does not know are
// ignored and members that are absent keep their default, so that two versions of a program can share a store. A member is
// required if its name stands in
//   static constexpr std::array galley_required{"path"};
// of the struct. Errors name the member, its value and what is allowed.
//
// Types of members: bool, integers, floating point, std::string (must be UTF-8; other bytes become U+FFFD when written),
// std::optional (null: none), std::vector, std::array, std::map<std::string, T>, std::chrono durations (the number of the
// type's own unit), described enums (by name), described structs with bases, boost::json::value.
//
// Thread-safety: pure functions.

#include <array>
#include <boost/describe.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>
#include <chrono>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "galley/error.hpp"
#include "galley/queue.hpp"

namespace galley {

namespace payload_detail {

namespace json = boost::json;
namespace describe = boost::describe;

inline constexpr int kMaxDepth = 32;

template <class T>
inline constexpr bool is_struct = describe::has_describe_members<T>::value && !std::is_enum_v<T>;
template <class T>
inline constexpr bool is_enum = describe::has_describe_enumerators<T>::value;

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_a<Template<Args...>, Template> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;
template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool unsupported = false;

template <class T>
using Members = describe::describe_members<T, describe::mod_public | describe::mod_inherited>;

/// The first `most` bytes of the value as JSON, for a message.
inline std::string shown(const json::value& value) {
  std::string text = json::serialize(value);
  if (text.size() > 100) text = text.substr(0, 100) + "...";
  return text;
}

inline Error wrong(const std::string& path, const json::value& value, std::string_view allowed) {
  return {Errc::InvalidInput, (path.empty() ? "arguments" : path) + ": " + shown(value) + " is not allowed; allowed is " +
                                  std::string(allowed)};
}

/// Every byte that is not part of a well-formed UTF-8 character becomes U+FFFD, because JSON has no other bytes.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

template <class T>
json::value write(const T& from);

template <class T>
json::value write_struct(const T& from) {
  json::object object;
  boost::mp11::mp_for_each<Members<T>>([&](auto member) { object[member.name] = write(from.*member.pointer); });
  return object;
}

template <class T>
json::value write(const T& from) {
  if constexpr (std::is_same_v<T, json::value>) {
    return from;
  } else if constexpr (is_enum<T>) {
    return json::value(describe::enum_to_string(from, "?"));
  } else if constexpr (std::is_same_v<T, bool>) {
    return json::value(from);
  } else if constexpr (std::signed_integral<T>) {
    return json::value(static_cast<std::int64_t>(from));
  } else if constexpr (std::unsigned_integral<T>) {
    return json::value(static_cast<std::uint64_t>(from));
  } else if constexpr (std::floating_point<T>) {
    return std::isfinite(from) ? json::value(static_cast<double>(from)) : json::value(nullptr);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json::value(to_utf8(from));
  } else if constexpr (is_duration<T>) {
    return write(from.count());
  } else if constexpr (is_a<T, std::optional>) {
    return from ? write(*from) : json::value(nullptr);
  } else if constexpr (is_a<T, std::vector> || is_array<T>) {
    json::array array;
    for (const auto& item : from) array.push_back(write<typename T::value_type>(item));
    return array;
  } else if constexpr (is_a<T, std::map>) {
    json::object object;
    for (const auto& [key, item] : from) object[to_utf8(key)] = write(item);
    return object;
  } else if constexpr (is_struct<T>) {
    return write_struct(from);
  } else {
    static_assert(unsupported<T>, "this type has no JSON form here; describe it with BOOST_DESCRIBE_STRUCT");
  }
}

template <class T>
Result<void> read(const json::value& from, T& to, const std::string& path, int depth);

template <class T>
bool is_required(std::string_view member) {
  if constexpr (requires { T::galley_required; }) {
    for (const std::string_view name : T::galley_required) {
      if (name == member) return true;
    }
  }
  return false;
}

template <class T>
Result<void> read_struct(const json::value& from, T& to, const std::string& path, int depth) {
  const json::object* object = from.if_object();
  if (object == nullptr) return wrong(path, from, "an object");
  Result<void> answer;
  boost::mp11::mp_for_each<Members<T>>([&](auto member) {
    if (!answer) return;
    const std::string inner = (path.empty() ? "" : path + ".") + member.name;
    if (const json::value* value = object->if_contains(member.name)) {
      answer = read(*value, to.*member.pointer, inner, depth + 1);
    } else if (is_required<T>(member.name)) {
      answer = Error{Errc::InvalidInput, inner + ": is missing and has no default"};
    }
  });
  return answer;
}

template <class T>
Result<void> read_integer(const json::value& from, T& to, const std::string& path) {
  constexpr auto kLeast = std::numeric_limits<T>::min();
  constexpr auto kMost = std::numeric_limits<T>::max();
  const auto allowed = [&] { return "an integer from " + std::to_string(kLeast) + " to " + std::to_string(kMost); };
  if (from.is_int64() && std::in_range<T>(from.get_int64())) {
    to = static_cast<T>(from.get_int64());
  } else if (from.is_uint64() && std::in_range<T>(from.get_uint64())) {
    to = static_cast<T>(from.get_uint64());
  } else if (const double* number = from.if_double();  // 3.0 is an integer too, as far as a double can tell them apart
             number != nullptr && std::trunc(*number) == *number && std::abs(*number) <= 9007199254740992.0 &&
             *number >= static_cast<double>(kLeast) && *number <= static_cast<double>(kMost)) {
    to = static_cast<T>(*number);
  } else {
    return wrong(path, from, allowed());
  }
  return {};
}

template <class T>
Result<void> read_enum(const json::value& from, T& to, const std::string& path) {
  const json::string* text = from.if_string();
  if (text != nullptr && describe::enum_from_string(text->c_str(), to)) return {};
  std::string names = "one of ";
  boost::mp11::mp_for_each<describe::describe_enumerators<T>>([&](auto one) { names += std::string(one.name) + " "; });
  names.pop_back();
  return wrong(path, from, names);
}

template <class T>
Result<void> read_items(const json::value& from, T& to, const std::string& path, int depth) {
  const json::array* array = from.if_array();
  if (array == nullptr) return wrong(path, from, "an array");
  if constexpr (is_array<T>) {
    if (array->size() != to.size()) return wrong(path, from, "an array of " + std::to_string(to.size()));
  } else {
    to.clear();
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    typename T::value_type item{};
    if (auto fine = read(array->at(i), item, path + "[" + std::to_string(i) + "]", depth + 1); !fine) return fine;
    if constexpr (is_array<T>) {
      to[i] = std::move(item);
    } else {
      to.push_back(std::move(item));
    }
  }
  return {};
}

template <class T>
Result<void> read_map(const json::value& from, T& to, const std::string& path, int depth) {
  const json::object* object = from.if_object();
  if (object == nullptr) return wrong(path, from, "an object");
  to.clear();
  for (const auto& item : *object) {
    const std::string key(item.key());
    if (auto fine = read(item.value(), to[key], path + "." + key, depth + 1); !fine) return fine;
  }
  return {};
}

template <class T>
Result<void> read(const json::value& from, T& to, const std::string& path, int depth) {
  if (depth > kMaxDepth) return Error{Errc::InvalidInput, path + ": is nested deeper than 32"};
  if constexpr (std::is_same_v<T, json::value>) {
    to = from;
    return {};
  } else if constexpr (is_enum<T>) {
    return read_enum(from, to, path);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) return wrong(path, from, "true or false");
    to = from.get_bool();
    return {};
  } else if constexpr (std::integral<T>) {
    return read_integer(from, to, path);
  } else if constexpr (std::floating_point<T>) {
    if (!from.is_number()) return wrong(path, from, "a number");
    to = static_cast<T>(from.to_number<double>());
    return {};
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) return wrong(path, from, "a string");
    to.assign(from.get_string().data(), from.get_string().size());
    return {};
  } else if constexpr (is_duration<T>) {
    typename T::rep count{};
    if (auto fine = read(from, count, path, depth); !fine) return fine;
    to = T(count);
    return {};
  } else if constexpr (is_a<T, std::optional>) {
    if (from.is_null()) {
      to.reset();
      return {};
    }
    return read(from, to.emplace(), path, depth);
  } else if constexpr (is_a<T, std::vector> || is_array<T>) {
    return read_items(from, to, path, depth);
  } else if constexpr (is_a<T, std::map>) {
    return read_map(from, to, path, depth);
  } else if constexpr (is_struct<T>) {
    return read_struct(from, to, path, depth);
  } else {
    static_assert(unsupported<T>, "this type has no JSON form here; describe it with BOOST_DESCRIBE_STRUCT");
  }
}

}  // namespace payload_detail

template <class T>
struct Codec {
  /// The arguments as JSON text.
  [[nodiscard]] static std::string encode(const T& args) {
    return boost::json::serialize(payload_detail::write(args));
  }

  /// Errors: InvalidInput, if the text is not JSON or a member has no allowed value.
  [[nodiscard]] static Result<T> decode(std::string_view payload) {
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(boost::json::string_view(payload.data(), payload.size()), error);
    if (error) return Error{Errc::InvalidInput, "arguments: not JSON: " + error.message()};
    T args{};
    if (auto fine = payload_detail::read(value, args, "", 0); !fine) return fine.error();
    return args;
  }
};

}  // namespace galley
