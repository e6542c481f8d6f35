#pragma once
// Typed arguments: a struct described with BOOST_DESCRIBE_STRUCT becomes a job's payload, and back.
//
//   struct Thumbnail { std::string path; int width = 200; };
//   BOOST_DESCRIBE_STRUCT(Thumbnail, (), (path, width))
//
// The payload is a JSON object with the members' names. When it is read, members that the struct does not know are
// ignored and absent ones keep their default, so that two versions of a program can share a store. A member without
// which a job makes no sense is listed in the struct:
//   static constexpr std::array<std::string_view, 1> galley_required{"path"};
// Errors name the member ("job.sizes[2].width"), its value and what is allowed.
//
// Types of members: bool, integers, float and double, std::string, std::optional (null: none), std::vector, std::array,
// std::map<std::string, T>, std::chrono durations (a number in the type's own unit: 5 for 5 s in std::chrono::seconds),
// described enums (by name), described structs with their bases, boost::json::value. At most 32 levels deep.
// What JSON cannot say is written as the nearest that it can: a byte that is not part of valid UTF-8 as U+FFFD, a
// floating point number that is not finite as null.
//
// Thread-safety: pure functions.

#include <array>
#include <boost/describe.hpp>
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

inline constexpr int kMaxDepth = 32;  // as Boost.JSON's parser

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

/// With those of the bases.
template <class T>
using Members = describe::describe_members<T, describe::mod_public | describe::mod_inherited>;
template <class T>
using Bases = describe::describe_bases<T, describe::mod_any_access>;

// ---- writing ----------------------------------------------------------------------------------------------------

/// Every byte that is not part of a well-formed UTF-8 character becomes U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

inline json::value write_real(double from) { return std::isfinite(from) ? json::value(from) : json::value(nullptr); }

/// A program's own value may hold strings and numbers that JSON has no form for.
inline json::value write_any(const json::value& from) {
  if (const double* real = from.if_double()) return write_real(*real);
  if (const json::string* text = from.if_string()) return json::value(to_utf8({text->data(), text->size()}));
  if (const json::array* array = from.if_array()) {
    json::array to;
    for (const json::value& item : *array) to.push_back(write_any(item));
    return to;
  }
  if (const json::object* object = from.if_object()) {
    json::object to;
    for (const auto& item : *object) to[to_utf8({item.key().data(), item.key().size()})] = write_any(item.value());
    return to;
  }
  return from;
}

template <class T>
json::value write(const T& from) {
  if constexpr (std::is_same_v<T, json::value>) {
    return write_any(from);
  } else if constexpr (is_enum<T>) {
    const char* name = describe::enum_to_string(from, nullptr);
    return name != nullptr ? json::value(name) : write(static_cast<std::underlying_type_t<T>>(from));
  } else if constexpr (std::is_same_v<T, bool>) {
    return json::value(from);
  } else if constexpr (std::signed_integral<T>) {
    return json::value(static_cast<std::int64_t>(from));
  } else if constexpr (std::unsigned_integral<T>) {
    return json::value(static_cast<std::uint64_t>(from));
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return write_real(static_cast<double>(from));
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
    json::object object;
    boost::mp11::mp_for_each<Members<T>>([&](auto member) { object[member.name] = write(from.*member.pointer); });
    return object;
  } else {
    static_assert(unsupported<T>, "this type has no JSON form here; describe it with BOOST_DESCRIBE_STRUCT");
  }
}

// ---- reading ----------------------------------------------------------------------------------------------------

/// What is wrong, and where: the path grows from the inside out, so that a good payload pays nothing for it.
struct Fault {
  std::string path;
  std::string what;

  [[nodiscard]] Fault inside(std::string_view outer) && {
    const bool dot = !path.empty() && path.front() != '[';
    return {std::string(outer) + (dot ? "." : "") + path, std::move(what)};
  }
};
using Fine = std::optional<Fault>;  ///< nothing: fine

/// The text as Boost.JSON reads it, but with exact doubles.
[[nodiscard]] json::value parse(std::string_view text, boost::system::error_code& error);

[[nodiscard]] Fault wrong(const json::value& value, const std::string& allowed);
/// A member's name as a message may have it: short and printable.
[[nodiscard]] std::string shown(std::string_view name);

template <class T>
Fine read(const json::value& from, T& to, int depth);

template <class T>
bool is_required(std::string_view member) {
  if constexpr (requires { T::galley_required; }) {
    for (const std::string_view name : T::galley_required) {
      if (name == member) return true;
    }
  }
  bool required = false;
  boost::mp11::mp_for_each<Bases<T>>(
      [&](auto base) { required = required || is_required<typename decltype(base)::type>(member); });
  return required;
}

template <class T>
Fine read_struct(const json::value& from, T& to, int depth) {
  const json::object* object = from.if_object();
  if (object == nullptr) return wrong(from, "an object");
  Fine fault;
  boost::mp11::mp_for_each<Members<T>>([&](auto member) {
    if (fault) return;
    if (const json::value* value = object->if_contains(member.name)) {
      fault = read(*value, to.*member.pointer, depth + 1);
      if (fault) fault = std::move(*fault).inside(member.name);
    } else if (is_required<T>(member.name)) {
      fault = Fault{member.name, "is missing and has no default"};
    }
  });
  return fault;
}

template <class T>
Fine read_integer(const json::value& from, T& to) {
  // std::in_range refuses the character types.
  using Plain = std::conditional_t<std::is_signed_v<T>, std::make_signed_t<T>, std::make_unsigned_t<T>>;
  constexpr Plain kLeast = std::numeric_limits<Plain>::min();
  constexpr Plain kMost = std::numeric_limits<Plain>::max();
  constexpr double kExact = 0x1.0p53;  // up to here a double tells neighbours apart, so 3.0 is an integer too
  if (const std::int64_t* number = from.if_int64(); number != nullptr && std::in_range<Plain>(*number)) {
    to = static_cast<T>(*number);
    return {};
  }
  if (const std::uint64_t* number = from.if_uint64(); number != nullptr && std::in_range<Plain>(*number)) {
    to = static_cast<T>(*number);
    return {};
  }
  if (const double* number = from.if_double(); number != nullptr && std::trunc(*number) == *number &&
                                               std::abs(*number) <= kExact &&
                                               std::in_range<Plain>(static_cast<std::int64_t>(*number))) {
    to = static_cast<T>(*number);
    return {};
  }
  return wrong(from, "an integer from " + std::to_string(kLeast) + " to " + std::to_string(kMost));
}

template <class T>
Fine read_real(const json::value& from, T& to) {
  const double number = from.is_number() ? from.to_number<double>() : std::numeric_limits<double>::infinity();
  if (!(std::abs(number) <= static_cast<double>(std::numeric_limits<T>::max()))) {
    return wrong(from, std::is_same_v<T, float> ? "a number that a float can hold" : "a number that a double can hold");
  }
  to = static_cast<T>(number);
  return {};
}

template <class T>
Fine read_enum(const json::value& from, T& to) {
  const json::string* text = from.if_string();
  bool found = false;
  std::string names;
  boost::mp11::mp_for_each<describe::describe_enumerators<T>>([&](auto one) {
    if (text != nullptr && std::string_view(text->data(), text->size()) == one.name) {
      to = one.value;
      found = true;
    }
    names += (names.empty() ? "\"" : ", \"") + std::string(one.name) + '"';
  });
  if (found) return {};
  return wrong(from, "one of " + names);
}

template <class T>
Fine read_items(const json::value& from, T& to, int depth) {
  const json::array* array = from.if_array();
  if (array == nullptr) return wrong(from, "an array");
  if constexpr (is_array<T>) {
    if (array->size() != to.size()) return wrong(from, "an array of " + std::to_string(to.size()));
  } else {
    to.clear();
    to.reserve(array->size());
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    typename T::value_type item{};
    if (Fine fault = read((*array)[i], item, depth + 1)) {
      return std::move(*fault).inside("[" + std::to_string(i) + "]");
    }
    if constexpr (is_array<T>) {
      to[i] = std::move(item);
    } else {
      to.push_back(std::move(item));
    }
  }
  return {};
}

template <class T>
Fine read_map(const json::value& from, T& to, int depth) {
  const json::object* object = from.if_object();
  if (object == nullptr) return wrong(from, "an object");
  to.clear();
  for (const auto& item : *object) {
    const std::string key(item.key().data(), item.key().size());
    if (Fine fault = read(item.value(), to[key], depth + 1)) return std::move(*fault).inside(shown(key));
  }
  return {};
}

template <class T>
Fine read(const json::value& from, T& to, int depth) {
  if (depth > kMaxDepth) return Fault{{}, "is nested deeper than " + std::to_string(kMaxDepth) + " levels"};
  if constexpr (std::is_same_v<T, json::value>) {
    to = from;
    return {};
  } else if constexpr (is_enum<T>) {
    return read_enum(from, to);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) return wrong(from, "true or false");
    to = from.get_bool();
    return {};
  } else if constexpr (std::integral<T>) {
    return read_integer(from, to);
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return read_real(from, to);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) return wrong(from, "a string");
    to.assign(from.get_string().data(), from.get_string().size());
    return {};
  } else if constexpr (is_duration<T>) {
    typename T::rep count{};
    if (Fine fault = read(from, count, depth)) return fault;
    to = T(count);
    return {};
  } else if constexpr (is_a<T, std::optional>) {
    to.reset();
    return from.is_null() ? Fine{} : read(from, to.emplace(), depth);
  } else if constexpr (is_a<T, std::vector> || is_array<T>) {
    return read_items(from, to, depth);
  } else if constexpr (is_a<T, std::map>) {
    return read_map(from, to, depth);
  } else if constexpr (is_struct<T>) {
    return read_struct(from, to, depth);
  } else {
    static_assert(unsupported<T>, "this type has no JSON form here; describe it with BOOST_DESCRIBE_STRUCT");
  }
}

}  // namespace payload_detail

template <class T>
struct Codec {
  /// The arguments as JSON text.
  [[nodiscard]] static std::string encode(const T& args) { return boost::json::serialize(payload_detail::write(args)); }

  /// Errors: InvalidInput, if the text is not JSON or a member has no allowed value.
  [[nodiscard]] static Result<T> decode(std::string_view payload) {
    boost::system::error_code error;
    const boost::json::value value = payload_detail::parse(payload, error);
    if (error) return Error{Errc::InvalidInput, "arguments: not JSON: " + error.message()};
    T args{};
    if (auto fault = payload_detail::read(value, args, 0)) {
      return Error{Errc::InvalidInput, (fault->path.empty() ? "arguments" : fault->path) + ": " + fault->what};
    }
    return args;
  }
};

}  // namespace galley
