#include "history/event.hpp"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstddef>

namespace galley::history {

namespace {

constexpr std::array<std::string_view, 16> kNames{
    "call",    "finishing", "renewing", "operating", "leaving", "enqueued", "claimed", "finished",
    "renewed", "operated",  "answered", "failed",    "kill",    "died",     "kept",    "close"};

/// The one list of an event's members: `visit(name, member)` for each but `what`.
template <class E, class Visit>
void each_member(E& event, Visit visit) {
  visit("at", event.at);
  visit("by", event.by);
  visit("call", event.call);
  visit("verb", event.verb);
  visit("job", event.job);
  visit("epoch", event.epoch);
  visit("attempt", event.attempt);
  visit("worker", event.worker);
  visit("lease", event.lease);
  visit("delay", event.delay);
  visit("queue", event.queue);
  visit("kind", event.kind);
  visit("key", event.key);
  visit("token", event.token);
  visit("unique", event.unique);
  visit("until_start", event.until_start);
  visit("expires", event.expires);
  visit("priority", event.priority);
  visit("max_attempts", event.max_attempts);
  visit("max_crashes", event.max_crashes);
  visit("say", event.say);
  visit("outcome", event.outcome);
  visit("name", event.name);
  visit("flag", event.flag);
}

void read(const boost::json::value& value, std::string& member) { member = value.as_string(); }
void read(const boost::json::value& value, bool& member) { member = value.as_bool(); }
template <class Number>
void read(const boost::json::value& value, Number& member) {
  member = value.to_number<Number>();
}

}  // namespace

std::string_view name(What what) noexcept { return kNames[static_cast<std::size_t>(what)]; }

std::string to_line(const Event& event) {
  boost::json::object line;
  each_member(event, [&](const char* member, const auto& value) {
    if (value != std::remove_cvref_t<decltype(value)>{}) line[member] = value;
  });
  line["what"] = name(event.what);
  return boost::json::serialize(line);
}

std::optional<Event> from_line(std::string_view line) {
  boost::json::error_code fault;
  const boost::json::value value = boost::json::parse(line, fault);
  if (fault || !value.is_object()) return std::nullopt;
  const boost::json::object& members = value.get_object();
  Event event;
  try {
    const std::string_view what = members.at("what").as_string();
    std::size_t at = 0;
    while (at < kNames.size() && kNames[at] != what) ++at;
    if (at == kNames.size()) return std::nullopt;
    event.what = static_cast<What>(at);
    each_member(event, [&](const char* member, auto& into) {
      if (const auto* found = members.if_contains(member)) read(*found, into);
    });
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return event;
}

bool is_asked(What what) noexcept {
  return what == What::Call || what == What::Finishing || what == What::Renewing || what == What::Operating ||
         what == What::Leaving || what == What::Kill;
}

}  // namespace galley::history
