#pragma once
// A store that writes down what is asked of it, and what it answers.

#include <functional>
#include <memory>

#include "engine/forwarding_store.hpp"
#include "history/journal.hpp"

namespace galley::history {

class RecordingStore : public engine::ForwardingStore {
 public:
  /// The journal is shared by the stores of a process; it and the clock, which tells what `at` is from now, are
  /// borrowed.
  RecordingStore(std::unique_ptr<store::Store> inner, Journal& journal, const base::Clock& clock)
      : ForwardingStore(std::move(inner)), journal_(journal), clock_(clock) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override;
  Result<void> leave(store::WorkerId worker) override;
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override;
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override;
  Result<std::vector<store::Operated>> retry(std::span<const JobId> ids) override;
  Result<std::vector<store::Operated>> cancel(std::span<const JobId> ids) override;
  Result<std::vector<store::Operated>> erase(std::span<const JobId> ids) override;
  Result<std::vector<store::Operated>> run_now(std::span<const JobId> ids) override;
  Result<std::vector<store::Operated>> alter(std::span<const JobId> ids, const store::Alteration& change) override;

 private:
  using Operate = std::function<Result<std::vector<store::Operated>>()>;
  Result<std::vector<store::Operated>> operated(const std::string& verb, std::span<const JobId> ids,
                                                const Operate& operate);
  [[nodiscard]] Event enqueued(const job::NewJob& job, const store::Enqueued& answer) const;

  Journal& journal_;
  const base::Clock& clock_;
};

/// The last events: every job that the store keeps, and the end. `cut`: jobs may be left.
[[nodiscard]] Result<void> write_end(store::Store& store, Journal& journal, bool cut);

}  // namespace galley::history
