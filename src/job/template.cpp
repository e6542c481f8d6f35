#include "job/template.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <limits>

#include "base/text.hpp"

namespace galley::job {

namespace {

constexpr std::array<std::string_view, 3> kBackoffNames{"exponential", "fixed", "list"};

std::string_view name(Backoff::Kind kind) noexcept { return kBackoffNames[static_cast<std::size_t>(kind)]; }

std::optional<Backoff::Kind> backoff_kind_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kBackoffNames.size(); ++i) {
    if (kBackoffNames[i] == text) return static_cast<Backoff::Kind>(i);
  }
  return std::nullopt;
}

/// A string of any bytes.
template <class Text>
struct Raw {
  Text& text;
};
template <class Text>
Raw(Text&) -> Raw<Text>;  // clang 14 deduces no aggregates
/// An enumeration and how its names are read.
template <class Enum, class From>
struct Named {
  Enum& value;
  From from;
};
template <class Enum, class From>
Named(Enum&, From) -> Named<Enum, From>;

/// Writing and reading go through this one list, so that neither can forget a field. `Job` is NewJob, const or not.
template <class Job, class Visit>
void each_member(Job& job, Visit& visit) {
  visit("queue", job.queue);
  visit("kind", job.kind);
  visit("key", job.key);
  visit("content", Named{job.content, content_from});
  visit("program", Raw{job.program});
  visit("priority", job.priority);
  visit("delay_us", job.delay);
  visit("at_us", job.at);
  visit("timeout_us", job.policy.timeout);
  visit("grace_us", job.policy.grace);
  visit("on_timeout", Named{job.policy.on_timeout, on_timeout_from});
  visit("max_attempts", job.policy.max_attempts);
  visit("max_pauses", job.policy.max_pauses);
  visit("max_crashes", job.policy.max_crashes);
  visit("backoff", Named{job.policy.backoff.kind, backoff_kind_from});
  visit("backoff_base_us", job.policy.backoff.base);
  visit("backoff_cap_us", job.policy.backoff.cap);
  visit("backoff_list_us", job.policy.backoff.list);
  visit("resumable", job.policy.resumable);
  visit("token", job.token);
  visit("unique_key", job.unique.key);
  visit("unique_until", Named{job.unique.until, unique_until_from});
  visit("unique_on_conflict", Named{job.unique.on_conflict, on_conflict_from});
  visit("group_key", job.group.key);
  visit("group_max_jobs", job.group.max_jobs);
  visit("group_max_bytes", job.group.max_bytes);
  visit("group_max_age_us", job.group.max_age);
  visit("expires_us", job.expires);
  visit("deadline_us", job.deadline);
  visit("tags", job.tags);
  visit("headers", job.headers);
  visit("redacted", job.redacted);
  visit("batch", job.batch);
  visit("awaits", job.awaits);
  visit("trigger", Named{job.trigger, trigger_from});
}

/// What version 1 did not have.
template <class Job, class Visit>
void each_newer_member(Job& job, Visit& visit) {
  visit("limits", job.limits);
  visit("ordered", job.ordered);
  visit("expect_us", job.expect);
}

class Writer {
 public:
  void operator()(std::string_view member, const std::string& value) { object_[member] = value; }
  void operator()(std::string_view member, bool value) { object_[member] = value; }
  void operator()(std::string_view member, int value) { object_[member] = value; }
  void operator()(std::string_view member, std::int64_t value) { object_[member] = value; }
  void operator()(std::string_view member, Duration value) { object_[member] = value.count(); }
  void operator()(std::string_view member, const std::optional<Time>& value) {
    object_[member] = nullptr;
    if (value) object_[member] = value->time_since_epoch().count();
  }
  void operator()(std::string_view member, const std::vector<Duration>& values) {
    boost::json::array array;
    for (const Duration one : values) array.emplace_back(one.count());
    object_[member] = std::move(array);
  }
  void operator()(std::string_view member, const std::vector<std::string>& values) {
    boost::json::array array;
    for (const std::string& one : values) array.emplace_back(one);
    object_[member] = std::move(array);
  }
  void operator()(std::string_view member, const std::vector<Header>& values) {
    boost::json::array array;
    for (const auto& [key, value] : values) array.push_back(boost::json::array{key, value});
    object_[member] = std::move(array);
  }
  void operator()(std::string_view member, Raw<const std::string> raw) {
    std::string utf8;
    for (const char c : raw.text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80U) {
        utf8 += c;
      } else {
        utf8 += static_cast<char>(0xC0U | byte >> 6U);
        utf8 += static_cast<char>(0x80U | (byte & 0x3FU));
      }
    }
    object_[member] = utf8;
  }
  template <class Enum, class From>
  void operator()(std::string_view member, Named<Enum, From> named) {
    object_[member] = name(named.value);
  }

  [[nodiscard]] std::string text() {
    object_["version"] = kTemplateVersion;
    return boost::json::serialize(object_);
  }

 private:
  boost::json::object object_;
};

/// Notes the first member that is not as it should be.
class Reader {
 public:
  explicit Reader(const boost::json::object& object) : object_(object) {}

  void operator()(std::string_view member, std::string& value) {
    const boost::json::value* const json = find(member);
    if (json == nullptr) return;
    if (!json->is_string()) return wrong(member);
    value = json->get_string();
  }
  void operator()(std::string_view member, bool& value) {
    const boost::json::value* const json = find(member);
    if (json == nullptr) return;
    if (!json->is_bool()) return wrong(member);
    value = json->get_bool();
  }
  void operator()(std::string_view member, int& value) {
    const std::int64_t wide = integer(member, find(member));
    if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) return wrong(member);
    value = static_cast<int>(wide);
  }
  void operator()(std::string_view member, std::int64_t& value) { value = integer(member, find(member)); }
  void operator()(std::string_view member, Duration& value) { value = Duration(integer(member, find(member))); }
  void operator()(std::string_view member, std::optional<Time>& value) {
    const boost::json::value* const json = find(member);
    if (json != nullptr && !json->is_null()) value = Time(Duration(integer(member, json)));
  }
  void operator()(std::string_view member, std::vector<Duration>& values) {
    for (const auto& one : array(member, find(member))) values.emplace_back(integer(member, &one));
  }
  void operator()(std::string_view member, std::vector<std::string>& values) {
    for (const auto& one : array(member, find(member))) values.push_back(string(member, one));
  }
  void operator()(std::string_view member, std::vector<Header>& values) {
    for (const auto& one : array(member, find(member))) {
      const auto& pair = array(member, &one);
      if (pair.size() != 2) return wrong(member);
      values.emplace_back(string(member, pair[0]), string(member, pair[1]));
    }
  }
  void operator()(std::string_view member, Raw<std::string> raw) {
    std::string utf8;
    (*this)(member, utf8);
    for (std::size_t i = 0; i < utf8.size(); ++i) {
      const auto first = static_cast<unsigned char>(utf8[i]);
      if (first < 0x80U) {
        raw.text += utf8[i];
      } else if (first <= 0xC3U) {  // the parser lets only whole characters through
        raw.text += static_cast<char>((first & 3U) << 6U | (static_cast<unsigned char>(utf8[++i]) & 0x3FU));
      } else {
        return wrong(member);
      }
    }
  }
  template <class Enum, class From>
  void operator()(std::string_view member, Named<Enum, From> named) {
    std::string text;
    (*this)(member, text);
    if (const auto value = named.from(text)) {
      named.value = *value;
    } else {
      wrong(member);
    }
  }

  /// After all members: the first fault, or a member that nobody asked for. Empty: none.
  [[nodiscard]] std::string fault() const {
    if (!fault_.empty() || found_ == object_.size()) return fault_;
    return "it has members that are unknown here";
  }

 private:
  const boost::json::value* find(std::string_view member) {
    const boost::json::value* const json = object_.if_contains(member);
    if (json == nullptr) wrong(member);
    found_ += json != nullptr ? 1 : 0;
    return json;
  }
  void wrong(std::string_view member) {
    if (fault_.empty()) fault_ = "its member " + base::quoted(member) + " is missing or not as it should be";
  }
  std::int64_t integer(std::string_view member, const boost::json::value* json) {
    if (json == nullptr) return 0;
    if (!json->is_int64()) return wrong(member), 0;
    return json->get_int64();
  }
  std::string string(std::string_view member, const boost::json::value& json) {
    if (!json.is_string()) return wrong(member), std::string();
    return std::string(json.get_string());
  }
  const boost::json::array& array(std::string_view member, const boost::json::value* json) {
    static const boost::json::array kNone;
    if (json == nullptr) return kNone;
    if (!json->is_array()) return wrong(member), kNone;
    return json->get_array();
  }

  const boost::json::object& object_;
  std::size_t found_ = 1;  // "version"
  std::string fault_;
};

Error unreadable(const std::string& why) { return {Errc::Io, "a kept job cannot be read: " + why}; }

}  // namespace

std::string template_text(const NewJob& job) {
  Writer writer;
  each_member(job, writer);
  each_newer_member(job, writer);
  return writer.text();
}

Result<NewJob> template_from(std::string_view text, std::string payload) {
  boost::system::error_code failure;
  const boost::json::value parsed = boost::json::parse({text.data(), text.size()}, failure);
  if (failure) return unreadable("it is not JSON: " + failure.message());
  const boost::json::object* const object = parsed.if_object();
  const boost::json::value* const version = object != nullptr ? object->if_contains("version") : nullptr;
  if (version == nullptr || !version->is_int64()) return unreadable("it has no version");
  if (version->get_int64() < 1 || version->get_int64() > kTemplateVersion) {
    return Error{Errc::NewerSchema, "a kept job was written by a newer Galley (version " +
                                        std::to_string(version->get_int64()) + ", this program knows " +
                                        std::to_string(kTemplateVersion) + "); upgrade this program"};
  }
  NewJob job;
  Reader reader(*object);
  each_member(job, reader);
  if (version->get_int64() > 1) each_newer_member(job, reader);
  if (std::string fault = reader.fault(); !fault.empty()) return unreadable(fault);
  job.payload = std::move(payload);
  return job;
}

}  // namespace galley::job
