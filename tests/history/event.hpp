#pragma once
// One line of a history: what one process of a real run did, and when. A verb is written down before it is called, with
// all that it asks for, and again when it has answered, item by item. What was asked and never answered may have
// happened or not.
//
//   {"at":91,"by":"worker","call":7,"what":"call","verb":"exchange"}
//   {"at":91,"by":"worker","call":7,"what":"finishing","job":3,"epoch":8,"say":"complete","outcome":"completed"}
//   {"at":95,"by":"worker","call":7,"what":"finished","job":3,"epoch":8,"say":"finished"}
//   {"at":95,"by":"worker","call":7,"what":"claimed","job":4,"epoch":9,"attempt":1,"worker":1,"lease":30000000}
//   {"at":95,"by":"worker","call":7,"what":"answered"}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace galley::history {

enum class What : std::uint8_t {
  Call,       ///< `verb` is about to be called
  Finishing,  ///< asked: the end `say` of (job, epoch), which came as `outcome`, after `delay` where it is a retry
  Renewing,   ///< asked: `lease` more for (job, epoch); `flag`: with a checkpoint
  Operating,  ///< asked: `verb` on a job: cancel, retry, erase, run_now, alter
  Leaving,    ///< asked: `worker` is gone
  Enqueued,   ///< `say`: new, existed, replaced, gathered or blocked
  Claimed,    ///< by `worker`, for `lease`
  Finished,   ///< `say`: finished, already_finished, lease_lost
  Renewed,    ///< `flag`: still held
  Operated,   ///< `say`: done, or why not
  Answered,   ///< the call is over
  Failed,     ///< the call is over with an error; `flag`: it may have been carried out
  Kill,       ///< the process `name` is about to be killed
  Died,       ///< the process `name` is gone
  Kept,       ///< at the end: the job is in the state `say`
  Close,      ///< the last event; `flag`: the run was cut, so that jobs may be left
};

/// What an event does not speak of has its default, and is not written.
struct Event {
  std::int64_t at = 0;  ///< microseconds of one clock that is the same for all processes
  std::string by{};     ///< the process that writes
  std::int64_t call = 0;
  What what = What::Call;
  std::string verb{};
  std::int64_t job = 0;
  std::int64_t epoch = 0;
  int attempt = 0;
  std::int64_t worker = 0;
  std::int64_t lease = 0;  ///< microseconds, as is `delay`
  std::int64_t delay = 0;
  std::string queue{};
  std::string kind{};
  std::string key{};
  std::string token{};
  std::string unique{};
  bool until_start = false;  ///< how long the unique key is held
  bool expires = false;      ///< it may be over by itself
  int priority = 0;
  int max_attempts = 0;
  int max_crashes = 0;
  std::string say{};
  std::string outcome{};
  std::string name{};
  bool flag = false;
};

[[nodiscard]] std::string_view name(What what) noexcept;
/// One line, without its end.
[[nodiscard]] std::string to_line(const Event& event);
/// Nothing: this is no event.
[[nodiscard]] std::optional<Event> from_line(std::string_view line);
/// It belongs to what is asked, or to nothing; else to an answer.
[[nodiscard]] bool is_asked(What what) noexcept;

}  // namespace galley::history
