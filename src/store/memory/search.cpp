// Pages of jobs: all that the filter lets through, put in order.

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

/// Where a job stands in a list: its state's turn, then as much of queue, kind and number as its state is ordered by.
/// In a list by id all turns are kById.
using Place = std::tuple<int, std::string, std::string, std::int64_t, JobId>;
constexpr int kById = kJobStates;

int turn(JobState state) {
  constexpr std::array kTurns{JobState::Running, JobState::Ready, JobState::Scheduled, JobState::Blocked};
  const auto* const at = std::find(kTurns.begin(), kTurns.end(), state);
  return at == kTurns.end() ? static_cast<int>(state) : static_cast<int>(at - kTurns.begin());
}

bool is_by_id(const Filter& filter) {
  return filter.key || filter.tag || filter.error_class || filter.batch || filter.since || filter.until;
}

Place place(const Entry& job, const Filter& filter) {
  const auto& record = job.record;
  if (is_by_id(filter)) return {kById, "", "", 0, record.id};
  const auto count = [](const std::optional<Time>& time) { return time->time_since_epoch().count(); };
  const int first = turn(record.state);
  switch (record.state) {
    case JobState::Running:
    case JobState::Blocked: return {first, "", "", 0, record.id};
    case JobState::Scheduled: return {first, record.queue, "", count(record.due_at), record.id};
    case JobState::Ready: return {first, record.queue, record.kind, job.rank, record.id};
    default: return {first, record.queue, record.kind, count(record.finished_at), record.id};
  }
}

/// "TURN qQUEUE kKIND NUMBER ID"; neither name holds a blank.
std::string to_cursor(const Place& at) {
  return std::to_string(std::get<0>(at)) + " q" + std::get<1>(at) + " k" + std::get<2>(at) + " " +
         std::to_string(std::get<3>(at)) + " " + std::to_string(std::get<4>(at));
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Place> from_cursor(std::string_view cursor, const Filter& filter) {
  std::vector<std::string_view> words;
  for (std::size_t from = 0; from <= cursor.size();) {
    const std::size_t end = std::min(cursor.find(' ', from), cursor.size());
    words.push_back(cursor.substr(from, end - from));
    from = end + 1;
  }
  if (words.size() != 5 || !words[1].starts_with('q') || !words[2].starts_with('k')) return std::nullopt;
  const auto first = number(words[0]), third = number(words[3]), id = number(words[4]);
  if (!first || !third || !id || *first < 0 || *first > kById) return std::nullopt;
  if ((*first == kById) != is_by_id(filter)) return std::nullopt;
  return Place{static_cast<int>(*first), words[1].substr(1), words[2].substr(1), *third, *id};
}

/// What is asked for, if anything, is what there is.
template <class T>
bool is(const std::optional<T>& asked, const T& value) {
  return !asked || *asked == value;
}

bool is_within(const std::optional<Time>& since, const std::optional<Time>& until, const std::optional<Time>& time) {
  if (!since && !until) return true;
  return time && (!since || *time >= *since) && (!until || *time < *until);
}

bool fits(const job::JobRecord& record, const Filter& filter) {
  const auto& tags = record.tags;
  if (filter.tag && std::find(tags.begin(), tags.end(), *filter.tag) == tags.end()) return false;
  // No key, no error class and no batch are nothing that a job is found by.
  if (filter.key && record.key.empty()) return false;
  if (filter.error_class && record.error_class.empty()) return false;
  if (filter.batch && record.batch == 0) return false;
  return is(filter.queue, record.queue) && is(filter.kind, record.kind) && is(filter.state, record.state) &&
         is(filter.key, record.key) && is(filter.error_class, record.error_class) && is(filter.batch, record.batch) &&
         is_within(filter.since, filter.until, record.enqueued_at) &&
         is_within(filter.ended_since, filter.ended_until, record.finished_at);
}

std::size_t bytes_of(const job::JobRecord& record) {
  return record.payload.size() + record.result.size() + record.checkpoint.size();
}

}  // namespace

Result<Page> MemoryStore::list(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto fine = check_limit(limit, limits::kMaxPage); !fine) return fine.error();
  const auto after = from_cursor(cursor, filter);
  if (!cursor.empty() && !after)
    return Error{Errc::InvalidInput, "cursor is not one that a page with this filter gave"};
  const std::scoped_lock lock(mutex_);
  std::map<Place, const job::JobRecord*> found;
  for (const auto& [id, job] : jobs_) {
    if (!fits(job.record, filter)) continue;
    Place at = place(job, filter);
    if (!after || at > *after) found.emplace(std::move(at), &job.record);
  }
  Page page;
  std::size_t bytes = 0;
  for (const auto& [at, record] : found) {
    page.jobs.push_back(*record);
    bytes += bytes_of(*record);
    if (page.jobs.size() < limit && bytes < limits::kMaxPageBytes) continue;
    if (found.size() > page.jobs.size()) page.next = to_cursor(at);
    break;
  }
  return page;
}

Result<IdPage> MemoryStore::select(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto fine = check_limit(limit, limits::kMaxPage); !fine) return fine.error();
  const auto after = from_cursor(cursor, filter);
  if (!cursor.empty() && !after)
    return Error{Errc::InvalidInput, "cursor is not one that a page with this filter gave"};
  const std::scoped_lock lock(mutex_);
  std::set<Place> found;
  for (const auto& [id, job] : jobs_) {
    const Place at = place(job, filter);
    if (fits(job.record, filter) && (!after || at > *after)) found.insert(at);
  }
  IdPage page;
  for (const Place& at : found) {
    page.ids.push_back(std::get<4>(at));
    if (page.ids.size() < limit) continue;
    if (found.size() > limit) page.next = to_cursor(at);
    break;
  }
  return page;
}

}  // namespace galley::store::memory
