#pragma once
// Every statement of this backend by name, so that a test can hold the query plan of each.

#include <cstddef>
#include <cstdint>

namespace galley::store::sqlite {

enum class Sql : std::uint8_t {
  Begin,
  BeginWrite,
  Commit,
  Rollback,
  DataVersion,
  ReadClock,
  WriteClock,
  NewQueues,
  InsertQueue,
  SetPaused,
  QueuePaused,
  NewLanes,
  InsertLane,
  AddCounts,
  LaneCounts,
  InsertJob,
  JobByToken,
  FindJob,
  JobPlace,
  PutJob,
  MarkExtras,
  SetPlace,
  Revive,
  DeleteJob,
  InsertReady,
  DeleteReady,
  ReadyHead,
  ReadyAfter,
  InsertScheduled,
  DeleteScheduled,
  DueHead,
  NextDue,
  ScheduledAfter,
  InsertRunning,
  TakeRunning,
  FindRunning,
  RenewRunning,
  CancelRunning,
  RunningAfter,
  InsertEnded,
  DeleteEnded,
  EndedHead,
  EndedAfter,
  PutExtra,
  GetExtra,
  DropExtra,
  DropExtras,
  InsertAttempt,
  AttemptsOf,
  TrimAttempts,
  DropAttempts,
  InsertWorker,
  FindWorker,
  AllWorkers,
  WorkerGone,
  WorkerUnlocked,
  DeleteWorker,
  kCount
};
inline constexpr std::size_t kSqlCount = static_cast<std::size_t>(Sql::kCount);

[[nodiscard]] const char* text(Sql sql) noexcept;

}  // namespace galley::store::sqlite
