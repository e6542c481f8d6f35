#include "cli/notify.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace galley::cli {

namespace {

constexpr Duration kLongestPulse = std::chrono::seconds(5);
constexpr std::int64_t kShortestWatchdogUs = 20'000;  // a worker's shortest pulse is 10 ms

/// 1203 -> "1,203".
std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::optional<std::int64_t> number(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

Error refused(const char* name, std::string_view value, const char* wanted) {
  return {Errc::InvalidInput, std::string(name) + "=" + base::quoted(value) + " is not " + wanted};
}

/// A path, or "@name" in the abstract name space, whose first byte is NUL.
Result<socklen_t> read_address(std::string_view name, sockaddr_un& address) {
  // A path needs a NUL behind it, an abstract name does not.
  const std::size_t room = sizeof address.sun_path - (name.front() == '/' ? 1 : 0);
  if ((name.front() != '/' && name.front() != '@') || name.size() < 2 || name.size() > room) {
    return refused("NOTIFY_SOCKET", name, "an absolute path or @NAME, of at most 107 bytes");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
}

/// Nothing: no watchdog, or that of another process.
Result<std::optional<Duration>> read_watchdog(const char* usec, const char* pid, int own_pid) {
  if (usec == nullptr || *usec == '\0') return std::optional<Duration>();
  const auto us = number(usec);
  if (!us) return refused("WATCHDOG_USEC", usec, "a number of microseconds");
  if (pid != nullptr && *pid != '\0') {
    const auto wanted = number(pid);
    if (!wanted) return refused("WATCHDOG_PID", pid, "a process id");
    if (*wanted != own_pid) return std::optional<Duration>();
  }
  if (*us < kShortestWatchdogUs) {
    return refused("WATCHDOG_USEC", usec, "20000 (20 ms) or more, which a worker can keep up with");
  }
  return std::optional(Duration(*us));
}

}  // namespace

std::string status_of(const WorkerPulse& pulse) {
  std::string text = pulse.stopping ? "stopping, " : "";
  text += grouped(pulse.busy) + " of " + grouped(pulse.slots) + " slots busy";
  if (pulse.stuck > 0) text += " (" + grouped(pulse.stuck) + " stuck)";
  text += ", " + grouped(pulse.completed) + " completed";
  if (pulse.failed > 0) text += ", " + grouped(pulse.failed) + " failed";
  if (pulse.dead > 0) text += ", " + grouped(pulse.dead) + " dead";
  if (pulse.store_failing) text += "; the store answers with errors, see the log";
  return text;
}

Result<std::optional<Notifier>> Notifier::from(const std::function<const char*(const char*)>& lookup, int pid) {
  const char* const name = lookup("NOTIFY_SOCKET");
  if (name == nullptr || *name == '\0') return std::optional<Notifier>();
  Notifier notifier;
  const auto size = read_address(name, notifier.address_);
  if (!size) return size.error();
  notifier.address_size_ = *size;
  const auto watchdog = read_watchdog(lookup("WATCHDOG_USEC"), lookup("WATCHDOG_PID"), pid);
  if (!watchdog) return watchdog.error();
  if (*watchdog) {
    notifier.watchdog_ = true;
    notifier.pulse_every_ = std::min(kLongestPulse, **watchdog / 2);
  }
  notifier.socket_ = engine::Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (notifier.socket_.get() < 0) {
    return Error{Errc::Unavailable, std::string("no socket for NOTIFY_SOCKET: ") + std::strerror(errno)};
  }
  return std::optional(std::move(notifier));
}

void Notifier::pulse(const WorkerPulse& pulse) {
  std::string lines;
  if (!ready_) lines += "READY=1\n";
  std::string status = status_of(pulse);
  if (status != status_) lines += "STATUS=" + status + "\n";
  if (watchdog_) lines += "WATCHDOG=1\n";
  if (lines.empty() || !tell(lines)) return;
  ready_ = true;
  status_ = std::move(status);
}

void Notifier::stopping() const { static_cast<void>(tell("STOPPING=1\n")); }

bool Notifier::tell(const std::string& lines) const noexcept {
  return ::sendto(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address_),
                  address_size_) >= 0;
}

}  // namespace galley::cli
