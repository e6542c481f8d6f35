#include "galley/resume.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace galley {

namespace resume_detail {

namespace {

namespace json = boost::json;

constexpr std::int64_t kForm = 1;  // of the checkpoint; a newer one is not guessed at
constexpr std::size_t kShown = 60;

Error cannot_read(std::string_view checkpoint, const std::string& why) {
  std::string shown(base::head_of(base::to_utf8(checkpoint), kShown));
  if (shown.size() < checkpoint.size()) shown += "...";
  return {Errc::InvalidInput, base::quoted(shown) + " " + why};
}

/// 1234567 as "1,234,567".
std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

/// One number and one unit; nobody knows it better.
std::string roughly(double seconds) {
  struct Unit {
    double below;  ///< seconds
    double size;
    const char* name;
  };
  constexpr std::array kUnits{Unit{90, 1, "s"}, Unit{90 * 60, 60, "min"}, Unit{36 * 3'600, 3'600, "h"}};
  const auto text = [seconds](double size, const char* name) {
    return std::to_string(std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds / size + 0.5))) + " " + name;
  };
  for (const Unit& unit : kUnits) {
    if (seconds < unit.below) return text(unit.size, unit.name);
  }
  constexpr double kMost = 100'000;  // days; what is more is no estimate
  constexpr double kDay = 86'400;
  return seconds / kDay > kMost ? "years" : text(kDay, "days");
}

/// "1,234 of 10,000, 12 %, about 3 min left"; without a total, "1,234 done".
std::string progress_text(std::int64_t done, std::optional<std::int64_t> total, Duration spent) {
  if (!total) return grouped(done) + " done";
  std::string text = grouped(done) + " of " + grouped(*total);
  if (*total <= 0) return text;
  const double part = static_cast<double>(done) / static_cast<double>(*total);
  text += ", " + std::to_string(std::clamp(static_cast<int>(part * 100), 0, 100)) + " %";
  if (done <= 0 || done >= *total || spent <= Duration{0}) return text;
  const double seconds = std::chrono::duration<double>(spent).count();
  return text + ", about " + roughly(seconds / part - seconds) + " left";
}

std::optional<std::int64_t> count_in(const json::object& all, std::string_view name) {
  const json::value* value = all.if_contains(json::string_view(name.data(), name.size()));
  const std::int64_t* number = value != nullptr ? value->if_int64() : nullptr;
  if (number == nullptr || *number < 0) return std::nullopt;
  return *number;
}

}  // namespace

Keeper::Keeper(Attempt& attempt, const ResumeOptions& options) : attempt_(attempt), options_(options) {}

Result<std::optional<std::string>> Keeper::begin() {
  const std::string& text = attempt_.checkpoint();
  if (text.empty()) return std::optional<std::string>();
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  const json::object* all = value.if_object();
  if (error || all == nullptr) return cannot_read(text, "is not a checkpoint of galley::resume");
  const auto form = count_in(*all, "galley");
  if (!form) return cannot_read(text, "is not a checkpoint of galley::resume");
  if (*form != kForm) {
    return cannot_read(text, "is of form " + std::to_string(*form) + "; this program reads form 1: upgrade it");
  }
  const json::value* at = all->if_contains("at");
  const auto done = count_in(*all, "done");
  const auto run_us = count_in(*all, "run_us");
  if (at == nullptr || !done || !run_us) return cannot_read(text, "lacks at, done or run_us");
  done_ = done_before_ = saved_ = *done;
  spent_before_ = Duration(*run_us);
  return std::optional(std::string(json::serialize(*at)));
}

Turn Keeper::turn(bool has_place) const {
  if (done_ > 0 && (total_ ? done_ >= *total_ : !has_place)) return Turn::GoOn;
  if (attempt_.stop_requested()) return Turn::Stop;
  if (attempt_.should_give_way()) return Turn::GiveWay;
  if (done_ == saved_ && done_ == done_before_) return Turn::GoOn;  // this attempt has done nothing yet
  const Duration now = attempt_.run_time();
  if (options_.slice > Duration{0} && now >= options_.slice) return Turn::GiveWay;
  if (options_.items > 0 && done_ - saved_ >= options_.items) return Turn::Save;
  return has_news() && now - saved_at_ >= options_.every ? Turn::Save : Turn::GoOn;
}

Result<void> Keeper::save(std::string_view cursor) {
  std::string text = R"({"galley":1,"at":)";
  text += cursor;
  text += R"(,"done":)" + std::to_string(done_) + R"(,"run_us":)" + std::to_string(spent().count()) + "}";
  if (auto saved = attempt_.save_checkpoint(std::move(text)); !saved) return saved;
  saved_ = done_;
  saved_at_ = attempt_.run_time();
  if (options_.progress) attempt_.progress(progress_text(done_, total_, spent()));
  return {};
}

Outcome unreadable(const Error& why) {
  return Outcome::fail(
      "the checkpoint of an earlier attempt cannot be read, and starting over is not for a worker to "
      "decide: " +
      why.message);
}

Error unwritable() {
  return {Errc::InvalidInput, "the place that it has come to cannot be saved: bytes must be UTF-8, numbers finite"};
}

Result<void> check_place(std::int64_t place, std::int64_t least, std::int64_t most) {
  if (place >= least && place <= most) return {};
  return Error{Errc::InvalidInput, "the place " + std::to_string(place) + " is not within " + std::to_string(least) +
                                       " and " + std::to_string(most) + ": what it goes through has changed"};
}

}  // namespace resume_detail

Result<void> IntegerRange::seek(Cursor to) {
  if (auto fine = resume_detail::check_place(to, first_, std::max(first_, last_)); !fine) return fine;
  next_ = to;
  return {};
}

}  // namespace galley
