#pragma once
// Telling the service manager how the worker is: the sd_notify protocol, which is lines in a datagram to the socket
// that NOTIFY_SOCKET names. systemd starts a unit of Type=notify so, and others have taken it over.
//
//   READY=1      at the first pulse: the worker has joined its store, and claims now
//   STATUS=...   at a pulse that has something new to say
//   WATCHDOG=1   at each pulse, where WATCHDOG_USEC wants it: the pulse stays away while the worker's loop is stuck
//   STOPPING=1   at the first signal
//
// A datagram that the manager has no room for is dropped, never waited for; READY=1 is said until it went through.

#include <sys/socket.h>
#include <sys/un.h>

#include <functional>
#include <optional>
#include <string>

#include "engine/process.hpp"
#include "galley/worker.hpp"

namespace galley::cli {

/// "3 of 8 slots busy, 1,203 completed, 2 failed, 1 dead".
[[nodiscard]] std::string status_of(const WorkerPulse& pulse);

/// Thread-safety: pulse() from one thread, stopping() from any.
class Notifier {
 public:
  /// From the environment, by `lookup`, a getenv; nothing: nobody wants to be told. `pid` is the one that WATCHDOG_PID
  /// must name, where it is set. Errors: InvalidInput, Unavailable (no socket).
  [[nodiscard]] static Result<std::optional<Notifier>> from(const std::function<const char*(const char*)>& lookup,
                                                            int pid);

  /// Half the watchdog's time, as its manual recommends, and at most 5 s.
  [[nodiscard]] Duration pulse_every() const noexcept { return pulse_every_; }
  void pulse(const WorkerPulse& pulse);
  void stopping() const;

 private:
  Notifier() = default;
  [[nodiscard]] bool tell(const std::string& lines) const noexcept;

  engine::Fd socket_;
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  Duration pulse_every_ = std::chrono::seconds(5);
  bool watchdog_ = false;
  bool ready_ = false;
  std::string status_;  ///< told last
};

}  // namespace galley::cli
