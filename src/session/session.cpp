#include <utility>

#include "engine/attempt.hpp"
#include "engine/ending.hpp"
#include "engine/new_job.hpp"
#include "galley/sqlite.hpp"
#include "job/validate.hpp"
#include "store/sqlite/joined.hpp"

namespace galley::sqlite {

struct Session::Impl {
  Result<JobId> enqueue(const Result<job::NewJob>& job) {
    if (!job) return job.error();
    auto answer = joined->enqueue(std::span(&*job, 1));
    if (!answer) return answer.error();
    const store::Enqueued& one = answer->front();
    if (one.refused) return Error{*one.refused, one.reason};
    return one.id;
  }

  StorePtr store;
  std::unique_ptr<store::sqlite::Joined> joined;
};

Session::Session(StorePtr store, sqlite3* connection) : impl_(std::make_unique<Impl>()) {
  auto joined = store::sqlite::Joined::join(*store, connection);
  if (!joined) throw Exception(joined.error());
  impl_->store = std::move(store);
  impl_->joined = *std::move(joined);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<JobId> Session::enqueue_json(std::string_view queue, std::string_view kind, std::string json,
                                    const JobOptions& options) {
  return impl_->enqueue(
      engine::new_job(*impl_->store, std::string(queue), kind, job::Content::Json, std::move(json), options));
}

Result<JobId> Session::enqueue_bytes(std::string_view queue, std::string_view kind, std::string bytes,
                                     const JobOptions& options) {
  return impl_->enqueue(
      engine::new_job(*impl_->store, std::string(queue), kind, job::Content::Bytes, std::move(bytes), options));
}

Result<JobId> Session::enqueue_command(std::string_view queue, const Command& command, std::string_view kind,
                                       const JobOptions& options) {
  return impl_->enqueue(engine::new_command_job(*impl_->store, std::string(queue), command, kind, options));
}

Result<void> Session::complete(Attempt& attempt) {
  auto* const running = dynamic_cast<engine::RunningAttempt*>(&attempt);
  if (running == nullptr) return Error{Errc::InvalidInput, "the attempt is not one that a worker runs"};
  engine::AttemptEnd end;
  running->collect(end);
  end.completed_itself = false;  // by an earlier call, which the application has rolled back
  end.outcome = Outcome::done();
  end.report.run_time = running->run_time();
  const job::Claim& claim = running->claim();
  const store::Finish finish = engine::finish_of({claim.id, claim.policy, claim.counters}, std::move(end),
                                                 engine::StopReason::None, /*random01=*/0);
  auto answer = impl_->joined->finish(std::span(&finish, 1));
  if (!answer) return answer.error();
  const std::string job = "job " + std::to_string(claim.id.job);
  switch (answer->front()) {
    case store::FinishAnswer::Finished: running->completes_itself(); return {};
    case store::FinishAnswer::AlreadyFinished:
      return Error{Errc::WrongState, job + ": this attempt has completed it before; roll the transaction back"};
    case store::FinishAnswer::LeaseLost: break;
  }
  return Error{Errc::LeaseLost, job + ": its claim is no longer held by this attempt; roll the transaction back"};
}

}  // namespace galley::sqlite
