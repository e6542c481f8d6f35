#pragma once
// Every bound of the house, each with its reason. A number that limits something stands here.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace galley::limits {

// Sizes of a job. A payload is read and written whole, inside the writing transaction.
inline constexpr std::size_t kMaxPayloadBytes = 1 << 20;      // 1 MiB: larger data belongs in a file or object store
inline constexpr std::size_t kMaxResultBytes = 64 << 10;      // kept as long as the job
inline constexpr std::size_t kMaxProgressBytes = 1 << 10;     // written at each renewal
inline constexpr std::size_t kMaxCheckpointBytes = 64 << 10;  // written while running
inline constexpr std::size_t kMaxErrorBytes = 4 << 10;        // an exception's text; the rest is cut
inline constexpr std::size_t kMaxLogBytes = 16 << 10;         // tail of an attempt's log
inline constexpr std::size_t kMaxOutputBytes = 16 << 10;      // tail of stdout, and of stderr, of a command
inline constexpr std::size_t kMaxArguments = 4'096;           // of a command; what is more belongs into its input
inline constexpr std::size_t kMaxVariables = 1'024;           // of its environment
inline constexpr std::size_t kMaxProgramBytes = 4'096;        // of a command's argv[0]: PATH_MAX
inline constexpr std::size_t kMaxNameBytes = 128;             // queue, kind, pool
inline constexpr std::size_t kMaxKeyBytes = 200;
inline constexpr std::size_t kMaxTokenBytes = 64;
inline constexpr std::size_t kMaxInputBytes = 256 << 20;  // of a command from a file or a batch: in memory, a slot
inline constexpr std::size_t kMaxTags = 16;               // a row of an index each
inline constexpr std::size_t kMaxTagBytes = 64;
inline constexpr std::size_t kMaxHeaders = 32;
inline constexpr std::size_t kMaxHeaderNameBytes = 64;
inline constexpr std::size_t kMaxHeaderBytes = 8 << 10;  // of all names and values of a job
inline constexpr int kMaxJobLimits = 4;                  // names of limits, each looked up by its claim
inline constexpr int kMaxGroupJobs = 10'000;             // read whole by the claim
inline constexpr int kMaxGroupBytes = 1 << 20;           // as a payload

// Items of a verb: a batch must fit well into one transaction that others wait for (~2 us a row change).
inline constexpr std::size_t kMaxEnqueueBatch = 10'000;
inline constexpr std::size_t kMaxEnqueueBytes = 16 << 20;
// Jobs of callers that wait for their turn to be merged into a batch: as much as the next two batches can take.
inline constexpr std::size_t kMaxMergeJobs = 2 * kMaxEnqueueBatch;
inline constexpr std::size_t kMaxMergeBytes = 2 * kMaxEnqueueBytes;
inline constexpr std::size_t kMaxFinishBatch = 10'000;
inline constexpr std::size_t kMaxClaimBatch = 1'000;
inline constexpr std::size_t kMaxClaimKinds = 4'096;  // one index seek (~1.5 us) each
inline constexpr std::size_t kMaxClaimQueues = 256;
inline constexpr std::size_t kMaxPage = 1'000;          // rows that one look returns
inline constexpr std::size_t kMaxPageBytes = 8 << 20;   // payloads and results with which a page of jobs is full
inline constexpr std::size_t kMaxBatchCallbacks = 100;  // all are looked at by the job that ends it
inline constexpr std::int64_t kMaxSplit = 100'000;      // children of one split: what a queue keeps of completed jobs
inline constexpr std::size_t kMaxStep = 1'000;          // rows that one kind of housekeeping moves in one step
inline constexpr std::size_t kMaxMiddleware = 32;
inline constexpr std::size_t kMaxPools = 64;
inline constexpr std::size_t kMaxCardBytes = 4
                                             << 20;   // a worker's: 4,096 kinds and 16,384 queues of 128 bytes: 2.5 MiB
inline constexpr std::size_t kMaxSchedules = 10'000;  // all are read for one list
inline constexpr int kKeepMinutes = 60;               // of statistics
inline constexpr int kMaxSlots = 10'000;              // of one pool

// Ranges of a job's options.
inline constexpr int kMaxPriority = 10;
inline constexpr int kMaxAttempts = 1'000;
inline constexpr int kMaxPauses = 1'000'000;
inline constexpr int kMaxCrashes = 1'000;
inline constexpr int kMaxSnoozes = 10'000;  // a job that polls every minute for a week
inline constexpr std::size_t kMaxBackoffList = 100;
inline constexpr std::chrono::hours kMaxDelay{24 * 366 * 10};
inline constexpr std::chrono::hours kMaxTimeout{24 * 366};

// One attempt row is kept for each attempt that ended otherwise than silently well.
inline constexpr int kMaxKeptAttempts = 100;

/// Priority is a head start: one step is worth this much waiting, so it is strict in practice and nothing starves.
inline constexpr std::chrono::hours kPriorityStep{1};

// Fair shares and limits.
inline constexpr int kMaxWeight = 1'000;
inline constexpr std::size_t kMaxLimits = 10'000;  // all are in every process's memory, ~200 bytes each
inline constexpr int kMaxLimitJobs = 1'000'000;    // that run, tokens, a period's rate: times its period within 64 bits
inline constexpr std::chrono::hours kMaxLimitPeriod{24 * 31};
inline constexpr std::size_t kMaxLaneLook = 100;  // places that one claim passes over because they cannot go now

// Retention of completed jobs, a queue.
inline constexpr std::chrono::hours kKeepCompleted{1};
inline constexpr std::int64_t kKeepCompletedJobs = 100'000;
inline constexpr std::chrono::hours kKeepForBatch{24 * 30};  // at most, of a batch that goes on, for what joins results

// How long a call waits while another program holds the store's file locked.
inline constexpr std::chrono::seconds kBusyTimeout{30};
inline constexpr std::chrono::minutes kMaxBusyTimeout{10};

// Leases.
inline constexpr std::chrono::seconds kLease{30};
inline constexpr std::chrono::seconds kSafetyLook{5};  // a missed bell must not mean stuck for ever

// Schedules.
inline constexpr std::size_t kMaxCronBytes = 500;            // each minute and each day as lists: 260
inline constexpr std::chrono::seconds kMinPeriod{1};         // of "@every": more often is a worker's own loop
inline constexpr int kCronYears = 41;                        // 29 February on a given weekday: 40 years over 2100
inline constexpr std::size_t kMaxZoneBytes = 64;             // the longest name there is has 32
inline constexpr std::size_t kMaxZoneFileBytes = 256 << 10;  // the largest file there is has 4 KiB
inline constexpr std::size_t kMaxCatchUp = 1'000;         // jobs for missed ticks of one schedule, in one transaction
inline constexpr std::int64_t kMaxCountedTicks = 10'000;  // missed ticks are counted so far, ~1 us each
inline constexpr std::chrono::seconds kMisfireGrace{60};  // a tick this late has not been missed
inline constexpr std::chrono::hours kMaxSpread{24 * 7};   // of one tick's jobs: a week's work over a week

}  // namespace galley::limits
