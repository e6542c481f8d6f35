// The words of a command line that are not just text: which jobs, and how they are to run.

#include "cli/commands.hpp"
#include "cli/filter.hpp"
#include "cli/job_flags.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/template.hpp"
#include "job/validate.hpp"

namespace galley::fuzz {

namespace {

class Words {
 public:
  explicit Words(std::string_view input) : words_(lines_of(input)) {}
  /// Empty where there are no more.
  std::string next() { return at_ < words_.size() ? words_[at_++] : std::string(); }
  /// Empty where it is none of those that `read` knows: CLI11 lets no other through.
  template <class Read>
  std::string known(Read read) {
    std::string word = next();
    return read(word) ? word : std::string();
  }
  std::optional<std::string> maybe() {
    std::string word = next();
    return word.empty() ? std::nullopt : std::optional(std::move(word));
  }

 private:
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

void check_filter(Words words) {
  cli::FilterFlags flags;
  if (std::string state = words.known(job_state_from); !state.empty()) flags.state = std::move(state);
  for (auto* flag : {&flags.since, &flags.until, &flags.ended_since, &flags.ended_until, &flags.queue, &flags.kind,
                     &flags.key, &flags.tag, &flags.error_class}) {
    *flag = words.maybe();
  }
  const Time now{std::chrono::seconds(1'800'000'000)};
  const auto filter = cli::filter_from(flags, now);
  if (refused(filter)) return;
  require(filter->since.has_value() == flags.since.has_value(), "what was said is in the filter");
  require(filter->state.has_value() == flags.state.has_value(), "what was said is in the filter");
  require(filter->queue == flags.queue && filter->key == flags.key, "what was said is in the filter");
}

void check_options(Words words) {
  cli::JobFlags flags;
  flags.on_timeout = words.known(on_timeout_from);
  flags.until = words.known(unique_until_from);
  flags.on_conflict = words.known(on_conflict_from);
  for (auto* flag : {&flags.timeout, &flags.grace, &flags.backoff, &flags.expires, &flags.deadline, &flags.key}) {
    *flag = words.next();
  }
  flags.unique = words.maybe();
  flags.tags = {words.next()};
  flags.headers = {words.next()};
  cli::OnceFlags once;
  for (auto* flag : {&once.delay, &once.at, &once.debounce, &once.group_age, &once.wait_for_room}) {
    *flag = words.next();
  }
  once.group = words.maybe();
  once.token = words.maybe();

  auto options = cli::options_of(flags, 10);
  if (refused(options)) return;
  if (refused(cli::read_once(once, *options))) return;
  job::NewJob job;
  job.kind = "k";
  job.payload = "{}";
  if (refused(job::apply(*options, job)) || refused(job::validate(job))) return;
  const std::string text = job::template_text(job);
  const auto again = job::template_from(text, job.payload);
  require(again && job::template_text(*again) == text, "a valid job can be kept for a schedule", text);
}

}  // namespace

/// A line for each.
void flags(std::string_view input) {
  check_filter(Words(input));
  check_options(Words(input));
  const auto bound = cli::bound_from("--max-waiting", input.substr(0, input.find('\n')));
  if (!refused(bound, "--max-waiting") && *bound) require(**bound >= 1, "a bound is 1 or more");
}

}  // namespace galley::fuzz
