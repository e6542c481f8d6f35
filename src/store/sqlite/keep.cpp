// What the store says of itself: its size, what is wrong with it, and whether somebody serves what waits.

#include <algorithm>

#include "store/sqlite/backend.hpp"
#include "store/sqlite/card.hpp"
#include "store/sqlite/doctor.hpp"
#include "store/sqlite/schema.hpp"

namespace galley::store::sqlite {

namespace {

constexpr std::int64_t kOverdueUs = 300'000'000;  // steps come every 5 s: this late says that nobody takes them
constexpr int kMaxSteps = 10'000;                 // of a repair: ten million jobs

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool serves(const WorkerCard& card, const std::string& queue, const Lane& lane) {
  if (!has(card.queues, queue)) return false;
  if (lane.program.empty()) return has(card.kinds, lane.kind);
  return card.any_command || has(card.programs, lane.program);
}

}  // namespace

Result<StoreInfo> Backend::info() {
  return read([&](Transaction&) {
    StoreInfo info;
    info.backend = "sqlite";
    info.location = db_.file();
    info.schema = kSchemaVersion;
    info.durability = durability_ == Durability::Full ? "full" : "normal";
    info.bytes = bytes_in_use();
    info.max_bytes = directory_.max_bytes();
    return info;
  });
}

std::vector<WorkerCard> Backend::living_cards() {
  std::vector<std::pair<WorkerId, std::string>> living;
  {
    Query rows(db_, Sql::AllWorkers);
    while (rows.row()) {
      const bool here = rows.integer(6) == 0 && rows.text(3) == boot_id_;
      if (here && !locks_.proves_death(rows.integer(0), rows.text(4)))
        living.emplace_back(rows.integer(0), rows.text(1));
    }
  }
  std::vector<WorkerCard> cards;
  for (const auto& [id, name] : living) {
    Query row(db_, Sql::WorkerCard);
    row.bind(id);
    cards.push_back(row.row() ? card_from(row.text(0)) : WorkerCard());
  }
  return cards;
}

std::vector<Finding> Backend::unserved(Transaction& tx) {
  std::vector<Finding> findings;
  const std::vector<WorkerCard> cards = living_cards();
  std::map<std::string, std::int64_t> waiting;
  {
    Query rows(db_, Sql::LaneCounts);
    while (rows.row()) {
      const std::int64_t ready = rows.integer(1 + static_cast<int>(JobState::Ready));
      const Lane& lane = directory_.lane(rows.integer(0));
      const std::string& queue = directory_.queue_name(lane.queue);
      if (ready <= 0 || is_paused(lane.queue)) continue;
      const bool served =
          std::any_of(cards.begin(), cards.end(), [&](const WorkerCard& card) { return serves(card, queue, lane); });
      if (!served) waiting[queue + "/" + (lane.program.empty() ? lane.kind : lane.program)] += ready;
    }
  }
  for (const auto& [lane, jobs] : waiting) {
    findings.push_back({"unserved", std::to_string(jobs) + " ready jobs of " + lane + ", and no live worker runs it"});
  }
  std::int64_t late = 0;
  for (const auto& [name, queue] : directory_.queues()) {
    Query row(db_, Sql::NextDue);
    row.bind(queue);
    if (row.row()) late = std::max(late, tx.wall_us() - row.integer(0));
  }
  if (!cards.empty() && late > kOverdueUs) {
    findings.push_back({"overdue",
                        "scheduled jobs are up to " + std::to_string(late / 60'000'000) +
                            " minutes late while workers live: nobody takes steps",
                        true, false});
  }
  Query nobody(db_,
               "SELECT count(*), min(t.id) FROM galley_running t"
               " WHERE NOT EXISTS (SELECT 1 FROM galley_workers w WHERE w.id = t.worker)");
  if (nobody.row() && nobody.integer(0) > 0) {
    findings.push_back({"claim_of_nobody",
                        std::to_string(nobody.integer(0)) + " claims of workers that do not exist; the first: job " +
                            std::to_string(nobody.integer(1)),
                        true, false});
  }
  return findings;
}

Result<std::vector<Finding>> Backend::examine(bool repair) {
  auto findings = guarded([&]() -> Result<std::vector<Finding>> {
    Database db(db_.file(), false);
    Doctor doctor(db, clock_.wall().time_since_epoch().count(), repair);
    doctor.check_integrity();
    doctor.check_schema();
    doctor.check_clock();
    doctor.check_rows();
    doctor.check_counts();
    doctor.check_log();
    auto found = doctor.take_findings();
    const Surroundings around{durability_, file_system_of(db_.file()), db.number("PRAGMA freelist_count"),
                              db.number("PRAGMA page_count"), db.number("PRAGMA page_size")};
    for (Finding& finding : look_round(around)) found.push_back(std::move(finding));
    return found;
  });
  if (!findings) return findings;
  auto waiting = read([&](Transaction& tx) { return unserved(tx); });
  if (!waiting) {
    findings->push_back({"unchecked", "the workers could not be looked at: " + waiting.error().message});
    return findings;
  }
  for (Finding& finding : *waiting) {
    if (repair && finding.repairable) finding.repaired = take_steps();
    findings->push_back(std::move(finding));
  }
  if (repair) bells_.ring();
  return findings;
}

bool Backend::take_steps() {
  for (int i = 0; i < kMaxSteps; ++i) {
    const auto answer = step(limits::kMaxStep);
    if (!answer) return false;
    if (!answer->more) return true;
  }
  return false;
}

}  // namespace galley::store::sqlite
