#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

Result<std::vector<Renewed>> Backend::renew(std::span<const Renewal> renewals, Duration lease) {
  if (auto valid = check_lease(lease); !valid) return valid.error();
  if (auto valid = check(renewals); !valid) return valid.error();
  if (renewals.empty()) return std::vector<Renewed>{};
  return write(Sync::No, Rings::No, [&](Transaction& tx) {
    std::vector<Renewed> answer(renewals.size());
    for (std::size_t i = 0; i < renewals.size(); ++i) {
      const Renewal& renewal = renewals[i];
      const JobId id = renewal.claim.job;
      {
        Query held(db_, Sql::RenewRunning);
        held.bind(tx.mono_us() + lease.count(), id, renewal.claim.epoch);
        if (!held.row()) continue;
        answer[i] = {true, held.integer(1) != 0, is_paused(directory_.lane(held.integer(0)).queue)};
        (void)held.row();
      }
      const auto keep = [&](std::string_view what, const std::optional<std::string>& bytes) {
        if (bytes) Query(db_, Sql::PutExtra).bind(id, what).bind_blob(*bytes).run();
      };
      if (renewal.checkpoint) Query(db_, Sql::MovedOn).bind(id).bind_blob(*renewal.checkpoint).run();  // job::moved_on
      keep("progress", renewal.progress);
      keep("checkpoint", renewal.checkpoint);
      if (!renewal.progress && !renewal.checkpoint) continue;
      Query(db_, Sql::MarkExtras).bind(kHasExtras, id).run();
      Query(db_, Sql::MarkNoted).bind(id).run();  // for a process that finishes it without reading its row
      held_.erase(id);
    }
    return answer;
  });
}

}  // namespace galley::store::sqlite
