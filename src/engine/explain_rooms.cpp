#include "engine/explain_rooms.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "engine/history.hpp"

namespace galley::engine {

namespace {

constexpr std::string_view kReserveWord = "reserve=";
constexpr std::size_t kNamedKinds = 6;
/// Loads are of so many whole minutes and the present one.
constexpr Duration kLoadOver = std::chrono::minutes(5);

struct Seen {
  telemetry::Histogram run;
  double load = 0;  ///< slots of all workers that it keeps busy
  std::set<std::string> queues;
};
using History = std::map<std::string, Seen>;

History history_of(std::span<const store::Minute> minutes, Time now) {
  History history;
  const Time since = std::chrono::floor<std::chrono::minutes>(now) - kLoadOver;
  std::optional<Time> first;
  for (const store::Minute& minute : minutes) {
    Seen& seen = history[minute.measured.kind];
    seen.run.merge(minute.measured.run);
    seen.queues.insert(minute.measured.queue);
    if (minute.minute < since) continue;
    if (!first) first = minute.minute;
    seen.load += static_cast<double>(minute.measured.run.sum().count());
  }
  const auto over = std::max(now - first.value_or(now), Duration(std::chrono::seconds(1)));
  for (auto& [kind, seen] : history) seen.load /= static_cast<double>(over.count());
  return history;
}

/// As Rooms numbers them; where any program is allowed, those that ran from its queues.
std::vector<std::string> kinds_of(const store::WorkerCard& card, const History& history) {
  std::vector<std::string> kinds = card.kinds;
  const auto add = [&kinds](const std::string& kind) {
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  };
  if (!card.any_command) {
    for (const std::string& program : card.programs) add(measured_name(program));
    return kinds;
  }
  for (const auto& [kind, seen] : history) {
    const auto from = [&queues = seen.queues](const std::string& queue) { return queues.contains(queue); };
    if (!seen.run.empty() && std::any_of(card.queues.begin(), card.queues.end(), from)) add(kind);
  }
  return kinds;
}

bool same(const store::WorkerCard& a, const store::WorkerCard& b) {
  return a.pools == b.pools && a.queues == b.queues && a.kinds == b.kinds && a.any_command == b.any_command &&
         a.programs == b.programs;
}

/// `slots`: of all workers that run the kind. Each slot is taken to have the same share of its load.
std::vector<PoolRoom> rooms_of(const store::WorkerCard& card, const History& history,
                               const std::map<std::string, int>& slots) {
  const CardPools read = pools_of(card);
  const std::vector<std::string> kinds = kinds_of(card, history);
  std::vector<job::RunTimes> times(kinds.size());
  std::vector<double> slot_load(kinds.size(), 0);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto seen = history.find(kinds[i]);
    if (seen == history.end()) continue;
    take_over(seen->second.run, times[i]);
    slot_load[i] = seen->second.load / std::max(1, slots.at(kinds[i]));
  }
  std::vector<PoolRoom> rooms;
  for (const job::PoolSpec& pool : read.pools) {
    job::Reservation reservation(read.reserve, pool.slots, kinds);
    const base::Mono start{};
    // Its loads are those of runs that ended just now.
    const auto memory = static_cast<double>(job::ReservationRule{}.load_over.count());
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const double run = slot_load[i] * pool.slots * memory;
      reservation.ended(static_cast<int>(i), Duration(static_cast<std::int64_t>(run)), start);
    }
    reservation.consider(times, {}, start);
    rooms.push_back({pool.name, read.reserve, kinds, reservation.decision()});
    if (kinds.size() == 1 && read.reserve != job::Reserve::Off) {
      rooms.back().decision.why = "its worker runs one kind only";
    }
  }
  return rooms;
}

std::string counted(int count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

CardPools pools_of(const store::WorkerCard& card) {
  CardPools read;
  std::istringstream words(card.pools);
  for (std::string word; words >> word;) {
    auto pool = job::pool_spec_from(word);
    const auto reserve =
        word.starts_with(kReserveWord) ? job::reserve_named(word.substr(kReserveWord.size())) : std::nullopt;
    if (reserve) {
      read.reserve = *reserve;
    } else if (pool) {
      read.pools.push_back(*std::move(pool));
    } else {
      read.whole = false;
    }
  }
  return read;
}

std::string text_of(const std::vector<job::PoolSpec>& pools, job::Reserve reserve) {
  std::string text;
  for (const job::PoolSpec& pool : pools) {
    text += (text.empty() ? "" : " ") + pool.name + "=" + std::to_string(pool.slots) + ":";
    for (const job::PoolQueue& queue : pool.queues) {
      if (&queue != &pool.queues.front()) text += ",";
      text += queue.name;
      if (queue.weight > 0) text += "*" + std::to_string(queue.weight);
    }
  }
  if (reserve != job::Reserve::Auto) text += " " + std::string(kReserveWord) + std::string(job::name(reserve));
  return text;
}

const job::Decision::Kind* PoolRoom::find(const std::string& kind) const {
  const auto at = std::find(kinds.begin(), kinds.end(), kind);
  return at == kinds.end() ? nullptr : &decision.kinds[static_cast<std::size_t>(at - kinds.begin())];
}

int PoolRoom::kept_from(const std::string& kind) const {
  const job::Decision::Kind* const of = find(kind);
  const auto groups = static_cast<std::ptrdiff_t>(decision.reserved.size());
  const auto shorter = of ? std::min<std::ptrdiff_t>(of->group, groups) : groups;
  return std::accumulate(decision.reserved.begin(), decision.reserved.begin() + shorter, 0);
}

std::vector<std::vector<PoolRoom>> rooms_of(std::span<const store::WorkerStats> workers,
                                            std::span<const store::Minute> minutes, Time now) {
  const History history = history_of(minutes, now);
  std::map<std::string, int> slots;  // of all workers, by kind
  for (const store::WorkerStats& worker : workers) {
    for (const std::string& kind : kinds_of(worker.card, history)) slots[kind] += worker.card.slots;
  }
  std::vector<std::vector<PoolRoom>> rooms;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const auto like = std::find_if(workers.begin(), workers.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const store::WorkerStats& other) { return same(other.card, workers[i].card); });
    const auto known = static_cast<std::size_t>(like - workers.begin());
    rooms.push_back(known < i ? std::vector(rooms[known]) : rooms_of(workers[i].card, history, slots));
  }
  return rooms;
}

std::string figures_of(const PoolRoom& room) {
  std::vector<std::size_t> known;
  for (std::size_t i = 0; i < room.kinds.size(); ++i) {
    if (room.decision.kinds[i].kind_class != job::KindClass::Unknown) known.push_back(i);
  }
  std::stable_sort(known.begin(), known.end(), [&](std::size_t a, std::size_t b) {
    return room.decision.kinds[a].mean < room.decision.kinds[b].mean;
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(known.size(), kNamedKinds); ++i) {
    const job::Decision::Kind& of = room.decision.kinds[known[i]];
    text += (text.empty() ? "" : "; ") + room.kinds[known[i]] + ": mean " + base::format_duration(of.mean) + ", p99 " +
            base::format_duration(of.p99);
  }
  if (known.size() > kNamedKinds) text += "; and " + std::to_string(known.size() - kNamedKinds) + " more";
  return text;
}

std::string meaning_of(const PoolRoom& room, const std::string& kind) {
  const job::Decision& decision = room.decision;
  const std::string pool = "pool " + base::quoted(room.pool);
  const std::string figures = figures_of(room);
  const std::string why = decision.why + (figures.empty() ? "" : " (" + figures + ")");
  if (decision.reserved.empty()) return pool + " keeps no room for short kinds: " + why;
  const job::Decision::Kind* const of = room.find(kind);
  const job::KindClass kind_class = of ? of->kind_class : job::KindClass::Unknown;
  std::string text = "its kind " + base::quoted(kind);
  if (kind_class == job::KindClass::Unknown) {
    text += " is not known yet, after " + std::to_string(of ? of->runs : 0) + " of " +
            counted(static_cast<int>(job::RunTimes::kKnown), "run") + ", and stands with the long ones";
  } else {
    text += kind_class == job::KindClass::Short ? " counts as short" : " counts as long";
  }
  const int all = room.slots();
  const int may = all - room.kept_from(kind);
  text += may == all ? ": it may take all " + counted(all, "slot")
                     : ": it may take " + std::to_string(may) + " of the " + counted(all, "slot");
  text += " of " + pool + ", which keeps " + why;
  if (!of || kind_class != job::KindClass::Unknown || decision.extra == 0) return text;
  return text + "; while long jobs hold all others, one job of an unknown kind may be tried in the express slot";
}

}  // namespace galley::engine
