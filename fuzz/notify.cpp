#include "cli/notify.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

/// Three lines: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID; an empty one is not set.
void notify(std::string_view input) {
  const auto lines = lines_of(input);
  constexpr std::string_view kNames[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
  const auto lookup = [&](const char* name) -> const char* {
    for (std::size_t i = 0; i < std::size(kNames) && i < lines.size(); ++i) {
      if (kNames[i] == name && !lines[i].empty()) return lines[i].c_str();
    }
    return nullptr;
  };
  const auto notifier = cli::Notifier::from(lookup, 42);
  if (refused(notifier)) return;
  if (!*notifier) return;
  const Duration every = (*notifier)->pulse_every();
  require(every > Duration{0} && every <= std::chrono::seconds(5), "a pulse comes every 5 s at least");
}

}  // namespace galley::fuzz
