#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

Result<void> check(std::span<const Renewal> renewals) {
  if (renewals.size() > limits::kMaxFinishBatch) {
    return Error{Errc::InvalidInput, "renewals: " + std::to_string(renewals.size()) + "; allowed is at most " +
                                         std::to_string(limits::kMaxFinishBatch)};
  }
  for (const Renewal& renewal : renewals) {
    const auto refuse = [&](std::string_view field, std::size_t size, std::size_t most) {
      return Error{Errc::InvalidInput, "renewal of job " + std::to_string(renewal.claim.job) + ": " + std::string(field) +
                                           ": " + std::to_string(size) + " bytes; allowed is at most " +
                                           std::to_string(most)};
    };
    if (renewal.progress && renewal.progress->size() > limits::kMaxProgressBytes) {
      return refuse("progress", renewal.progress->size(), limits::kMaxProgressBytes);
    }
    if (renewal.checkpoint && renewal.checkpoint->size() > limits::kMaxCheckpointBytes) {
      return refuse("checkpoint", renewal.checkpoint->size(), limits::kMaxCheckpointBytes);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Renewed>> Backend::renew(std::span<const Renewal> renewals, Duration lease) {
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
      keep("progress", renewal.progress);
      keep("checkpoint", renewal.checkpoint);
      if (renewal.progress || renewal.checkpoint) Query(db_, Sql::MarkExtras).bind(kHasExtras, id).run();
    }
    return answer;
  });
}

}  // namespace galley::store::sqlite
