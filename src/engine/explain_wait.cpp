#include "engine/explain_wait.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "engine/explain_rooms.hpp"
#include "engine/history.hpp"
#include "job/order.hpp"

namespace galley::engine {

namespace {

constexpr std::size_t kNamedWorkers = 3;

/// Of workers, a room a pool.
using RoomsOf = std::vector<std::vector<PoolRoom>>;

template <class Range, class Value>
bool has(const Range& range, const Value& value) {
  return std::find(range.begin(), range.end(), value) != range.end();
}

bool is_command(const job::JobRecord& job) { return job.content == job::Content::Command; }

bool handles(const store::WorkerCard& card, const job::JobRecord& job) {
  if (!is_command(job)) return has(card.kinds, job.kind);
  return card.any_command || has(card.programs, job.program);
}

/// Whether it may be able to run a kind of which only the name is known: a command's is its program's last part.
bool may_handle(const store::WorkerCard& card, const std::string& kind) {
  const auto names = [&](const std::string& program) { return program.substr(program.rfind('/') + 1) == kind; };
  return card.any_command || has(card.kinds, kind) || std::any_of(card.programs.begin(), card.programs.end(), names);
}

std::vector<const store::WorkerStats*> serving(const Facts& facts) {
  std::vector<const store::WorkerStats*> workers;
  for (const store::WorkerStats& worker : facts.workers) {
    if (has(worker.card.queues, facts.job.queue)) workers.push_back(&worker);
  }
  return workers;
}

std::string names_of(const std::vector<const store::WorkerStats*>& workers) {
  std::string names;
  for (std::size_t i = 0; i < std::min(workers.size(), kNamedWorkers); ++i) {
    names += (i == 0 ? "" : ", ") + base::quoted(workers[i]->card.name);
  }
  if (workers.size() > kNamedWorkers) names += " and " + std::to_string(workers.size() - kNamedWorkers) + " more";
  return names;
}

const store::QueueStats* queue_of(const Facts& facts, const std::string& name) {
  const auto same = [&](const store::QueueStats& queue) { return queue.queue == name; };
  const auto at = std::find_if(facts.queues.begin(), facts.queues.end(), same);
  return at == facts.queues.end() ? nullptr : &*at;
}

Reason no_handler(const Facts& facts, const std::vector<const store::WorkerStats*>& workers) {
  const job::JobRecord& job = facts.job;
  const bool one = workers.size() == 1;
  if (is_command(job)) {
    return {"no_handler",
            (one ? "worker " : "workers ") + names_of(workers) + (one ? " serves" : " serve") +
                " its queue, but may not run " + base::quoted(job.program),
            "start it with --allow-commands=" + job.program + ", or with --allow-commands for any program"};
  }
  return {"no_handler",
          (one ? "worker " : "workers ") + names_of(workers) + (one ? " serves" : " serve") +
              " its queue, but without a handler for the kind " + base::quoted(job.kind),
          "add worker.handle(\"" + job.kind + "\", ...) to its program, or start the worker that has it"};
}

/// The pools of a worker that take from the queue; a card whose pools cannot be read has none.
std::vector<job::PoolSpec> pools_for(const store::WorkerCard& card, const std::string& queue, bool& all) {
  CardPools read = pools_of(card);
  const auto takes = [&](const job::PoolSpec& pool) {
    return std::any_of(pool.queues.begin(), pool.queues.end(), [&](const auto& one) { return one.name == queue; });
  };
  const std::size_t others = std::erase_if(read.pools, [&](const job::PoolSpec& pool) { return !takes(pool); });
  if (others > 0 || !read.whole) all = false;
  return std::move(read.pools);
}

/// As the kinds of a room are called.
std::string kind_of(const job::JobRecord& job) { return is_command(job) ? measured_name(job.program) : job.kind; }

struct Slots {
  std::int64_t all = 0;
  std::int64_t busy = 0;
  std::int64_t kept = 0;  ///< for shorter kinds, beside all
  const Runs* longest = nullptr;
};

/// The pools of one worker that take the job, and what they keep.
struct OfWorker {
  std::vector<std::string> queues;
  std::int64_t slots = 0;  ///< that its kind may take
  std::int64_t kept = 0;   ///< that only shorter kinds may take
  const PoolRoom* room = nullptr;
};

OfWorker of_worker(const Facts& facts, const store::WorkerStats& worker, const std::vector<PoolRoom>& rooms,
                   const std::vector<job::PoolSpec>& pools) {
  OfWorker of;
  if (pools.empty()) return {worker.card.queues, worker.card.slots, 0, nullptr};
  for (const job::PoolSpec& pool : pools) {
    const auto room = std::find_if(rooms.begin(), rooms.end(), [&](const auto& one) { return one.pool == pool.name; });
    const int kept = room->kept_from(kind_of(facts.job));
    of.slots += room->slots() - kept;
    of.kept += kept;
    if (kept > 0) of.room = &*room;
    for (const job::PoolQueue& queue : pool.queues) of.queues.push_back(queue.name);
  }
  return of;
}

/// Slots that could take the job. Of a worker with other pools beside, those that run jobs of these pools' queues.
Slots slots_of(const Facts& facts, const std::vector<const store::WorkerStats*>& able, const RoomsOf& rooms) {
  Slots slots;
  for (std::size_t i = 0; i < able.size(); ++i) {
    const store::WorkerStats& worker = *able[i];
    bool all = true;
    const OfWorker of = of_worker(facts, worker, rooms[i], pools_for(worker.card, facts.job.queue, all));
    std::int64_t busy = 0;
    std::int64_t shorter = 0;  // these fill what is kept for them first
    for (const Runs& runs : facts.running) {
      if (runs.worker != worker.card.name || !has(of.queues, runs.queue)) continue;
      ++busy;
      if (of.room && of.room->kept_from(runs.kind) < of.room->kept_from(kind_of(facts.job))) ++shorter;
      if (!slots.longest || runs.started_at < slots.longest->started_at) slots.longest = &runs;
    }
    if (all) busy = worker.running;  // exact, however many run
    slots.all += of.slots;
    slots.kept += of.kept;
    slots.busy += std::min(busy - std::min(shorter, of.kept), of.slots);
  }
  return slots;
}

/// What the pools keep for short kinds, and what it means for this job: once for all that decide the same.
void explain_room(const Facts& facts, const std::vector<const store::WorkerStats*>& able, const RoomsOf& rooms,
                  Explanation& into) {
  std::vector<std::string> told;
  for (std::size_t i = 0; i < able.size(); ++i) {
    bool all = true;
    for (const job::PoolSpec& pool : pools_for(able[i]->card, facts.job.queue, all)) {
      for (const PoolRoom& room : rooms[i]) {
        if (room.pool != pool.name || room.kinds.size() < 2) continue;
        std::string text = meaning_of(room, kind_of(facts.job));
        if (told.size() == kNamedWorkers || has(told, text)) continue;
        told.push_back(text);
        into.notes.push_back({"room", std::move(text), ""});
      }
    }
  }
}

std::string job_text(const Runs& runs) {
  return "job " + std::to_string(runs.id) + (runs.kind.empty() ? "" : " of kind " + base::quoted(runs.kind));
}

void explain_busy(const Facts& facts, const Slots& slots, Explanation& into) {
  if (slots.busy < slots.all) return;
  std::string text =
      "all slots that could run it are busy (" + std::to_string(slots.busy) + " of " + std::to_string(slots.all) + ")";
  if (slots.kept > 0) text += ", beside " + std::to_string(slots.kept) + " kept for shorter kinds";
  if (slots.longest) {
    text += "; longest runs " + job_text(*slots.longest) + ", for " +
            base::format_duration(std::max(facts.now - slots.longest->started_at, Duration{0}));
  }
  into.reasons.push_back(
      {"slots_busy", text,
       "more slots (galley work --pool NAME=SLOTS:" + facts.job.queue + ") or another worker start it sooner"});
}

/// The rooms of all workers are looked at, because they share the load; those of the able ones come back.
RoomsOf rooms_of_able(const Facts& facts, const std::vector<const store::WorkerStats*>& able) {
  RoomsOf all = rooms_of(facts.workers, facts.minutes, facts.now);
  RoomsOf rooms;
  for (const store::WorkerStats* worker : able) {
    rooms.push_back(std::move(all[static_cast<std::size_t>(worker - facts.workers.data())]));
  }
  return rooms;
}

/// Ready jobs, by queue, that strict pools of all able workers take before this one; empty where a pool does not.
std::map<std::string, std::int64_t> queues_first(const Facts& facts,
                                                 const std::vector<const store::WorkerStats*>& able) {
  std::map<std::string, std::int64_t> all;
  for (const store::WorkerStats* worker : able) {
    bool every = true;
    for (const job::PoolSpec& pool : pools_for(worker->card, facts.job.queue, every)) {
      std::map<std::string, std::int64_t> before;
      for (const job::PoolQueue& queue : pool.queues) {
        if (queue.name == facts.job.queue) break;
        const store::QueueStats* stats = queue_of(facts, queue.name);
        if (queue.weight > 0 || (stats && stats->paused)) continue;
        for (const store::LaneStats& lane : facts.lanes) {
          const std::int64_t ready = lane.count[static_cast<std::size_t>(JobState::Ready)];
          if (lane.queue == queue.name && ready > 0 && may_handle(worker->card, lane.kind)) before[queue.name] += ready;
        }
      }
      if (before.empty()) return {};
      all.insert(before.begin(), before.end());
    }
  }
  return all;
}

std::string rate_text(const Facts& facts) {
  const double minutes = static_cast<double>(facts.ended_over.count()) / 60e6;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", minutes <= 0 ? 0.0 : static_cast<double>(facts.ended) / minutes);
  return text;
}

/// Ready jobs of its queue that the same workers can run.
std::int64_t other_kinds(const Facts& facts, const std::vector<const store::WorkerStats*>& able) {
  std::int64_t ready = 0;
  for (const store::LaneStats& lane : facts.lanes) {
    if (lane.queue != facts.job.queue || lane.kind == facts.job.kind) continue;
    const auto can = [&](const store::WorkerStats* worker) { return may_handle(worker->card, lane.kind); };
    if (std::any_of(able.begin(), able.end(), can)) ready += lane.count[static_cast<std::size_t>(JobState::Ready)];
  }
  return ready;
}

std::string limit_text(const store::FullLimit& full) {
  const auto& [scope, queue, name] = full.target;
  if (scope == store::LimitScope::Name) return "limit " + base::quoted(name);
  const std::string of = " of its " + std::string(store::name(scope));
  return "limit" + of + " " + base::quoted(full.key.empty() ? name : full.key);
}

/// What the first of its key does, for which it waits.
std::string first_text(const Facts& facts) {
  if (!facts.goes_first) return " goes first";
  const job::JobRecord& first = *facts.goes_first;
  switch (first.state) {
    case JobState::Running: return " goes first, and is running";
    case JobState::Ready: return " goes first, and is ready itself";
    case JobState::Scheduled: {
      const std::string until =
          first.due_at ? " in " + base::format_duration(std::max(*first.due_at - facts.now, Duration{0})) : "";
      const std::string what = first.counters.errors > 0 ? " for another try" : "";
      return " goes first, and waits" + what + until + ": its key waits with it";
    }
    default: return " went first, and has just ended";
  }
}

/// What keeps it from a slot that is free: limits, and the order within its key.
void explain_sharing(const Facts& facts, Explanation& into) {
  for (const store::FullLimit& full : facts.standing.full) {
    into.reasons.push_back(
        {"limit_full",
         "the " + limit_text(full) + " is full" +
             (full.until ? ": its rate lets the next one start in " + base::format_duration(*full.until)
                         : ": one that runs under it must end first"),
         "galley limits shows it; galley limits set raises it"});
  }
  if (facts.standing.behind == 0) return;
  const std::string other = "job " + std::to_string(facts.standing.behind);
  into.reasons.push_back(
      {"key_in_order",
       "it is one of the ordered jobs of its key " + base::quoted(facts.job.key) + ", and " + other + first_text(facts),
       "galley explain " + std::to_string(facts.standing.behind) + " says why it has not ended"});
}

void explain_line(const Facts& facts, const std::vector<const store::WorkerStats*>& able, Explanation& into) {
  const InLine line = *facts.in_line;
  const std::int64_t others = other_kinds(facts, able);
  const std::string priority = "galley jobs priority --to 5 " + std::to_string(facts.job.id) + " lets it overtake; ";
  const std::string advice = (facts.standing.behind == 0 ? priority : "") + "more slots or workers shorten the line";
  if (line.before == 0) {
    if (others == 0 || into.reasons.empty()) return;  // a free slot takes the others, too
    into.reasons.push_back(
        {"in_line",
         "it is the next of its kind, and shares its slots with " + std::to_string(others) +
             " ready jobs of other kinds in its queue; those of its priority that came first go first",
         advice});
    return;
  }
  std::string text = (line.at_least ? "at least " : "") + std::to_string(line.before) +
                     (line.before == 1 ? " job of its kind is" : " jobs of its kind are") + " in line before it";
  if (others > 0) text += ", and " + std::to_string(others) + " of other kinds in its queue are ready";
  if (const auto left = wait_left(facts)) {
    text += "; at the rate of the last five minutes (" + rate_text(facts) + " a minute) that takes " +
            (line.at_least ? "more than " : "about ") + base::format_duration(*left);
  } else {
    text += "; none of its kind has ended in the last five minutes, so there is no telling how long that takes";
  }
  into.reasons.push_back({"in_line", text, advice});
}

}  // namespace

std::optional<Duration> wait_left(const Facts& facts) {
  if (!facts.in_line || facts.ended <= 0 || facts.ended_over <= Duration{0}) return std::nullopt;
  const double each = static_cast<double>(facts.ended_over.count()) / static_cast<double>(facts.ended);
  const double total = each * static_cast<double>(facts.in_line->before);
  const auto most = static_cast<double>(Duration(limits::kMaxDelay).count());
  // To the second: what is shown is an estimate.
  return std::max(Duration(std::chrono::seconds(1)),
                  Duration(std::chrono::seconds(std::llround(std::min(total, most) / 1e6))));
}

bool explain_obstacles(const Facts& facts, Explanation& into) {
  const job::JobRecord& job = facts.job;
  const std::size_t before = into.reasons.size();
  const store::QueueStats* const queue = queue_of(facts, job.queue);
  if (queue && queue->paused) {
    into.reasons.push_back({"queue_paused",
                            "its queue " + base::quoted(job.queue) + " is paused: nothing of it is started",
                            "galley queues resume " + job.queue});
  }
  const auto workers = serving(facts);
  if (workers.empty()) {
    const bool none = facts.workers.empty();
    into.reasons.push_back({"no_worker",
                            none ? "no worker runs on this store"
                                 : "none of the " + std::to_string(facts.workers.size()) +
                                       " workers on this store serves its queue " + base::quoted(job.queue),
                            is_command(job) ? "galley work --queue " + job.queue + " --allow-commands starts one"
                                            : "start a program with a worker that serves " + job.queue +
                                                  " and handles " + base::quoted(job.kind)});
  } else if (std::none_of(workers.begin(), workers.end(), [&](const auto* one) { return handles(one->card, job); })) {
    into.reasons.push_back(no_handler(facts, workers));
  }
  return into.reasons.size() > before;
}

void explain_ready(const Facts& facts, Explanation& into) {
  const bool hindered = explain_obstacles(facts, into);
  auto able = serving(facts);
  std::erase_if(able, [&](const auto* worker) { return !handles(worker->card, facts.job); });
  if (!hindered) {
    const RoomsOf rooms = rooms_of_able(facts, able);
    explain_busy(facts, slots_of(facts, able, rooms), into);
    explain_room(facts, able, rooms, into);
    for (const auto& [queue, ready] : queues_first(facts, able)) {
      into.reasons.push_back({"queues_first",
                              "its workers take from the queue " + base::quoted(queue) + " first, where " +
                                  std::to_string(ready) + (ready == 1 ? " job is ready" : " jobs are ready"),
                              "a pool of its own (--pool NAME=SLOTS:" + facts.job.queue +
                                  "), or weights (--pool NAME=SLOTS:" + queue + "*3," + facts.job.queue + "*1)"});
    }
  }
  explain_sharing(facts, into);
  if (facts.in_line) explain_line(facts, able, into);
  if (into.reasons.empty()) {
    into.reasons.push_back({"about_to_start", "nothing is in its way: it is the next of its kind, and a slot is free",
                            "look again; if it stays so, see the log of worker " + names_of(able)});
  }
}

void explain_limits(const Facts& facts, Explanation& into) {
  const job::JobRecord& job = facts.job;
  const auto limit = [&](const char* code, const char* unless, Time at) {
    std::string text = "it expires in " + base::format_duration(std::max(at - facts.now, Duration{0})) + ", " + unless;
    const auto left = wait_left(facts);
    const bool sooner = (job.due_at && *job.due_at >= at) || (left && facts.now + *left >= at);
    if (sooner) text += "; that is before its turn comes";
    (sooner ? into.reasons : into.notes).push_back({code, text, ""});
  };
  if (job.expires_at && !job.started_at) limit("expires", "unless it has started", *job.expires_at);
  if (job.deadline_at) limit("deadline", "unless it has ended", *job.deadline_at);
  const store::QueueStats* const queue = queue_of(facts, job.queue);
  if (!queue || !queue->max_waiting) return;
  std::int64_t waiting = 0;
  for (const JobState state : {JobState::Scheduled, JobState::Ready, JobState::Blocked}) {
    waiting += queue->count[static_cast<std::size_t>(state)];
  }
  if (waiting < *queue->max_waiting) return;
  into.notes.push_back({"queue_full",
                        "its queue is full: " + std::to_string(waiting) + " wait, at most " +
                            std::to_string(*queue->max_waiting) + " may, so enqueues are refused",
                        "galley queues limit " + job.queue + " --max-waiting N changes the bound"});
}

}  // namespace galley::engine
