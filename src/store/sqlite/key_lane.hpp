#pragma once
// A lane of jobs with a key or limits, as galley_keys and galley_turns have it.

#include <cstdint>
#include <optional>
#include <string>

#include "store/sqlite/directory.hpp"

namespace galley::store::sqlite {

/// Where the ready jobs of a lane's keys are listed.
[[nodiscard]] constexpr LaneKey keyed_jobs(LaneKey lane) noexcept { return -lane; }

/// Ids of galley_keys begin after it, so that they never meet those of galley_lanes.
inline constexpr std::int64_t kFirstKeyId = std::int64_t{1} << 40;

struct KeyLane {
  std::int64_t id = 0;
  LaneKey lane = 0;
  std::string key;
  std::string limits;  ///< as text_of; of an ordered lane empty, because its jobs keep their order whatever limits them
  bool ordered = false;
  std::int64_t turn = 0;
  JobId holder = 0;  ///< of an ordered lane: the job that has started and not ended; 0: none
  /// As galley_turns has it; nothing: it is not there.
  struct Head {
    std::int64_t standing = 0;
    std::int64_t rank = 0;
    JobId job = 0;
    std::string under;  ///< the limits that it names
    friend bool operator==(const Head&, const Head&) = default;
  };
  std::optional<Head> head;
  std::optional<std::int64_t> idle_us;     ///< since when nothing is ready
  std::optional<std::int64_t> full_limit;  ///< it is put aside until this limit has room
  std::optional<std::int64_t> full_until_us;
};

/// As one transaction has changed it, and where its turn stands in galley_turns as long as that is not written.
struct KeptKeyLane {
  KeyLane lane;
  std::optional<KeyLane::Head> stored;
};

}  // namespace galley::store::sqlite
