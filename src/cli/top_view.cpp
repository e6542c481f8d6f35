#include "cli/top_view.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/duration.hpp"
#include "cli/rates.hpp"
#include "cli/text.hpp"

namespace galley::cli::top {

namespace {

constexpr Duration kPaceTime = std::chrono::seconds(10);  // twice the time between two reports of a worker
constexpr std::size_t kNameColumns = 24;
constexpr std::size_t kPoolsColumns = 60;
constexpr std::size_t kWhyColumns = 300;
constexpr std::size_t kProgressColumns = 80;
constexpr std::string_view kKeys = "q quit  p pause  up/down/PgUp/PgDn scroll  space look now";

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate < 10 ? "%.1f" : "%.0f", rate);
  return text;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

/// How far the minutes of a look reach back.
double seconds_seen(const Snapshot& seen) { return minutes_looked_at(seen.now) * 60; }

void add(Totals& totals, const store::Minute& minute) {
  totals.enqueued += minute.enqueued;
  totals.completed += minute.measured.completed;
  totals.failed += minute.measured.failed;
}

PerSecond over(const Totals& totals, double seconds) {
  if (seconds <= 0) return {};
  const auto rate = [seconds](std::int64_t count) { return static_cast<double>(count) / seconds; };
  return {rate(totals.enqueued), rate(totals.completed), rate(totals.failed)};
}

/// Rows below a title. Columns that are too many for the screen's width go, the one with the largest `drop` first.
struct Section {
  struct Column {
    std::string title;
    int drop = 0;  ///< 0: stays
    bool number = false;
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
  std::string none;  ///< what stands in the place of rows

  [[nodiscard]] std::size_t height() const { return rows.empty() ? 1 : rows.size(); }
};

std::vector<std::size_t> widths_of(const Section& section) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < section.columns.size(); ++i) {
    std::size_t width = section.columns[i].title.size();
    for (const auto& row : section.rows) width = std::max(width, columns(row[i]));
    widths.push_back(width);
  }
  return widths;
}

/// The columns that there is room for, in order.
std::vector<std::size_t> kept_columns(const Section& section, const std::vector<std::size_t>& widths,
                                      std::size_t most) {
  std::vector<std::size_t> kept(section.columns.size());
  std::iota(kept.begin(), kept.end(), 0U);
  const auto total = [&] {
    std::size_t sum = 0;
    for (const std::size_t i : kept) sum += widths[i] + 2;
    return sum - 2;
  };
  while (most > 0 && total() > most) {
    const auto worst = std::max_element(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) {
      return section.columns[a].drop < section.columns[b].drop;
    });
    if (section.columns[*worst].drop == 0) break;
    kept.erase(worst);
  }
  return kept;
}

std::string cut(const std::string& text, std::size_t most) { return most == 0 ? text : to_cell(text, most); }

void print(const Section& section, std::size_t room, const Look& look, Size size, std::vector<Line>& into) {
  const auto widths = widths_of(section);
  const auto kept = kept_columns(section, widths, size.columns);
  const auto laid_out = [&](const auto& cell_of) {
    std::string text;
    for (const std::size_t i : kept) {
      const std::string cell = cell_of(i);
      const std::string blank(widths[i] - std::min(widths[i], columns(cell)), ' ');
      text += (text.empty() ? "" : "  ") + (section.columns[i].number ? blank + cell : cell + blank);
    }
    while (text.ends_with(' ')) text.pop_back();
    return cut(text, size.columns);
  };
  into.push_back({laid_out([&](std::size_t i) { return section.columns[i].title; }), true});
  if (room == 0) return;
  if (section.rows.empty()) {
    into.push_back({cut(section.none, size.columns)});
    return;
  }
  const std::size_t count = section.rows.size();
  const std::size_t shown = count <= room ? count : room - 1;
  const std::size_t first = std::min(look.scrolled, count - shown);
  for (std::size_t row = first; row < first + shown; ++row) {
    into.push_back({laid_out([&](std::size_t i) { return section.rows[row][i]; })});
  }
  if (shown < count) into.push_back({cut("and " + std::to_string(count - shown) + " more", size.columns)});
}

std::int64_t count_of(const store::QueueStats& queue, JobState state) {
  return queue.count[static_cast<std::size_t>(state)];
}

struct QueueMeasures {
  Totals totals;
  telemetry::Histogram wait;
  telemetry::Histogram run;
};

Section queues_section(const Snapshot& seen) {
  Section section;
  section.columns = {{"QUEUE"},
                     {"PAUSED", 1},
                     {"SCHEDULED", 5, true},
                     {"READY", 0, true},
                     {"RUNNING", 0, true},
                     {"DEAD", 0, true},
                     {"OLDEST", 0, true},
                     {"IN/S", 4, true},
                     {"OUT/S", 2, true},
                     {"FAIL/S", 8, true},
                     {"WAIT P50", 7, true},
                     {"P99", 3, true},
                     {"RUN P50", 9, true},
                     {"P99", 6, true}};
  section.none = "there are no queues yet";
  std::map<std::string, QueueMeasures> measures;
  for (const Rates& kind : rates_of(seen.minutes)) {
    QueueMeasures& of = measures[kind.queue];
    of.totals.enqueued += kind.enqueued;
    of.totals.completed += kind.completed;
    of.totals.failed += kind.failed;
    of.wait.merge(kind.wait);
    of.run.merge(kind.run);
  }
  std::vector<const store::QueueStats*> queues;
  for (const store::QueueStats& queue : seen.queues) queues.push_back(&queue);
  const auto load = [](const store::QueueStats* queue) {
    return count_of(*queue, JobState::Ready) + count_of(*queue, JobState::Running);
  };
  std::stable_sort(queues.begin(), queues.end(), [&](const auto* a, const auto* b) { return load(a) > load(b); });
  for (const store::QueueStats* queue : queues) {
    const QueueMeasures& of = measures[queue->queue];
    const PerSecond rates = over(of.totals, seconds_seen(seen));
    std::vector<std::string> row{to_cell(queue->queue, kNameColumns), queue->paused ? "paused" : "-"};
    for (const JobState state : {JobState::Scheduled, JobState::Ready, JobState::Running, JobState::Dead}) {
      row.push_back(std::to_string(count_of(*queue, state)));
    }
    row.push_back(queue->oldest_ready ? base::format_duration(*queue->oldest_ready) : "-");
    for (const double rate : {rates.enqueued, rates.completed, rates.failed}) row.push_back(rate_text(rate));
    for (const telemetry::Histogram* histogram : {&of.wait, &of.run}) {
      for (const double q : {0.5, 0.99}) {
        row.push_back(histogram->empty() ? "-" : base::format_duration(histogram->quantile(q)));
      }
    }
    section.rows.push_back(std::move(row));
  }
  return section;
}

Section workers_section(const Snapshot& seen) {
  Section section;
  section.columns = {{"WORKER"},         {"SLOTS", 0, true}, {"BUSY", 0, true},
                     {"STUCK", 3, true}, {"UP", 1, true},    {"POOLS", 2}};
  section.none = "no worker runs on this store";
  for (const store::WorkerStats& worker : seen.workers) {
    const auto stuck = std::count_if(seen.running.begin(), seen.running.end(), [&](const RunningJob& job) {
      return job.stuck && job.worker == worker.card.name;
    });
    section.rows.push_back({to_cell(worker.card.name, kNameColumns), std::to_string(worker.card.slots),
                            std::to_string(worker.running), std::to_string(stuck),
                            base::format_duration(std::max(seen.now - worker.started_at, Duration{0})),
                            to_cell(worker.card.pools, kPoolsColumns)});
  }
  return section;
}

/// Pools that decide the same stand in one row.
Section rooms_section(const Snapshot& seen) {
  Section section;
  section.columns = {{"POOL"}, {"WORKERS", 1, true}, {"SLOTS", 0, true}, {"ROOM FOR SHORT KINDS"}};
  std::map<std::vector<std::string>, int> workers;
  for (const auto& pools : seen.rooms) {
    for (const engine::PoolRoom& room : pools) {
      const job::Decision& decision = room.decision;
      const std::string figures = engine::figures_of(room);
      std::string text = (decision.reserved.empty() ? "none: " : "") + decision.why;
      if (!figures.empty()) text += " (" + figures + ")";
      std::string slots = std::to_string(decision.slots);
      if (decision.extra > 0) slots += "+" + std::to_string(decision.extra);
      ++workers[{room.pool, std::move(slots), std::move(text)}];
    }
  }
  for (const auto& [row, count] : workers) {
    section.rows.push_back(
        {to_cell(row[0], kNameColumns), std::to_string(count), row[1], to_cell(row[2], kWhyColumns)});
  }
  return section;
}

/// Those that tell how far they are, and those that should have ended.
Section running_section(const Snapshot& seen) {
  Section section;
  section.columns = {{"RUNNING JOB", 0, true}, {"KIND"}, {"QUEUE", 2}, {"WORKER", 1}, {"FOR", 0, true}, {"PROGRESS"}};
  std::vector<const RunningJob*> jobs;
  for (const RunningJob& job : seen.running) {
    if (job.stuck || !job.progress.empty()) jobs.push_back(&job);
  }
  const auto longer = [](const RunningJob* a, const RunningJob* b) { return a->since > b->since; };
  std::stable_sort(jobs.begin(), jobs.end(), longer);
  for (const RunningJob* job : jobs) {
    const std::string progress = to_cell(job->progress, kProgressColumns);
    section.rows.push_back({std::to_string(job->id), to_cell(job->kind, kNameColumns),
                            to_cell(job->queue, kNameColumns), to_cell(job->worker, kNameColumns),
                            base::format_duration(job->since),
                            job->stuck ? "stuck" + (progress.empty() ? "" : ": " + progress) : progress});
  }
  return section;
}

Section failing_section(const Look& look) {
  Section section;
  section.columns = {{"FAILING KIND"}, {"QUEUE", 1}, {"FAILED/MIN", 0, true}, {"DEAD", 0, true}, {"ERROR"}};
  for (const Failing& one : failing(look.seen)) {
    const auto error = look.errors.find({one.queue, one.kind});
    section.rows.push_back({to_cell(one.kind, kNameColumns), to_cell(one.queue, kNameColumns),
                            rate_text(one.per_minute), std::to_string(one.dead),
                            error == look.errors.end() ? "-" : to_cell(error->second, kNameColumns)});
  }
  return section;
}

std::string rates_text(const PerSecond& rates) {
  return "enqueued " + rate_text(rates.enqueued) + ", completed " + rate_text(rates.completed) + ", failed " +
         rate_text(rates.failed);
}

void print_header(const Look& look, Size size, std::vector<Line>& into) {
  const Snapshot& seen = look.seen;
  const store::StoreInfo& info = seen.info;
  std::string place = info.location.empty() ? info.backend : info.backend + ":" + to_cell(info.location, 60);
  std::string bytes = bytes_text(info.bytes) + (info.max_bytes ? " of " + bytes_text(*info.max_bytes) : "");
  into.push_back({cut(base::format_time(seen.now) + "  " + place + "  " + bytes, size.columns)});
  std::int64_t slots = 0;
  std::int64_t busy = 0;
  for (const store::WorkerStats& worker : seen.workers) {
    slots += worker.card.slots;
    busy += worker.running;
  }
  const std::size_t workers = seen.workers.size();
  into.push_back(
      {cut(std::to_string(workers) + (workers == 1 ? " worker, " : " workers, ") + std::to_string(busy) + " of " +
               std::to_string(slots) + " slots busy" + (look.pace ? "; a second: " + rates_text(*look.pace) : ""),
           size.columns)});
  Totals totals;
  for (const store::Minute& minute : seen.minutes) add(totals, minute);
  into.push_back({cut("a second over five minutes: " + rates_text(over(totals, seconds_seen(seen))), size.columns)});
  if (!look.trouble.empty()) {
    into.push_back({cut("the store does not answer: " + to_cell(look.trouble, 200), size.columns), true});
  } else if (look.paused) {
    into.push_back({cut("paused; p goes on", size.columns), true});
  } else {
    into.push_back({""});
  }
}

/// Rows for each section, one by one, until all are there or the room is used up.
std::vector<std::size_t> shares(const std::vector<Section>& sections, std::size_t room) {
  std::vector<std::size_t> rows(sections.size(), 0);
  for (bool more = true; more && room > 0;) {
    more = false;
    for (std::size_t i = 0; i < sections.size() && room > 0; ++i) {
      if (rows[i] >= sections[i].height()) continue;
      ++rows[i];
      --room;
      more = true;
    }
  }
  return rows;
}

}  // namespace

Totals change(const std::vector<store::Minute>& before, const std::vector<store::Minute>& after) {
  using At = std::tuple<Time, std::string_view, std::string_view>;
  const auto at = [](const store::Minute& minute) {
    return At{minute.minute, minute.measured.queue, minute.measured.kind};
  };
  std::map<At, Totals> known;
  for (const store::Minute& minute : before) add(known[at(minute)], minute);
  Totals totals;
  for (const store::Minute& minute : after) {
    const Totals& old = known[at(minute)];
    totals.enqueued += minute.enqueued - old.enqueued;
    totals.completed += minute.measured.completed - old.completed;
    totals.failed += minute.measured.failed - old.failed;
  }
  return totals;
}

void Pace::look(base::Mono at, const std::vector<store::Minute>& minutes) {
  Totals totals = looks_.empty() ? Totals{} : looks_.back().totals;
  if (!looks_.empty()) {
    const Totals more = change(minutes_, minutes);
    totals.enqueued += more.enqueued;
    totals.completed += more.completed;
    totals.failed += more.failed;
  }
  looks_.push_back({at, totals});
  minutes_ = minutes;
  // The last one that is old enough stays, so that the time between the first and the last is never too short.
  while (looks_.size() > 2 && at - looks_[1].at >= kPaceTime) looks_.erase(looks_.begin());
}

std::optional<PerSecond> Pace::rates() const {
  if (looks_.size() < 2) return std::nullopt;
  const Totals& first = looks_.front().totals;
  const Totals& last = looks_.back().totals;
  const double seconds = static_cast<double>((looks_.back().at - looks_.front().at).count()) / 1e6;
  return over({last.enqueued - first.enqueued, last.completed - first.completed, last.failed - first.failed}, seconds);
}

std::vector<Failing> failing(const Snapshot& seen) {
  std::vector<Failing> all;
  for (const Rates& kind : rates_of(seen.minutes)) {
    if (kind.failed == 0) continue;
    Failing& one = all.emplace_back();
    one.queue = kind.queue;
    one.kind = kind.kind;
    one.per_minute = static_cast<double>(kind.failed) / minutes_looked_at(seen.now);
    for (const store::LaneStats& lane : seen.lanes) {
      if (lane.queue == one.queue && lane.kind == one.kind) {
        one.dead += lane.count[static_cast<std::size_t>(JobState::Dead)];
      }
    }
  }
  const auto more = [](const Failing& a, const Failing& b) { return a.per_minute > b.per_minute; };
  std::stable_sort(all.begin(), all.end(), more);
  return all;
}

std::vector<Line> screen(const Look& look, Size size) {
  std::vector<Line> lines;
  print_header(look, size, lines);
  std::vector<Section> sections{queues_section(look.seen), workers_section(look.seen)};
  // These are there only where they have rows.
  std::vector<Section> more{rooms_section(look.seen), running_section(look.seen), failing_section(look)};
  for (Section& section : more) {
    if (!section.rows.empty()) sections.push_back(std::move(section));
  }
  // Beside the rows: a title a section, an empty line between two, and the keys.
  const std::size_t taken = lines.size() + 2 * sections.size() - 1 + (look.keys ? 1 : 0);
  std::size_t room = 0;
  if (size.lines > taken) room = size.lines - taken;
  if (size.lines == 0) {
    for (const Section& section : sections) room += section.height();
  }
  const auto rows = shares(sections, room);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (i > 0) lines.push_back({""});
    print(sections[i], rows[i], look, size, lines);
  }
  if (look.keys) {
    while (lines.size() + 1 < size.lines) lines.push_back({""});
    lines.push_back({cut(std::string(kKeys), size.columns)});
  }
  if (size.lines > 0 && lines.size() > size.lines) lines.resize(size.lines);
  return lines;
}

}  // namespace galley::cli::top
