#pragma once
// A process's own file of events, and the reading of all files of a run as one history.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "history/event.hpp"

namespace galley::history {

/// Appends with one write a group of events, so that a process that is killed leaves whole lines but for the last.
/// Thread-safety: any thread.
class Journal {
 public:
  /// The clock is borrowed. Throws where the file cannot be written.
  Journal(const std::string& path, std::string process, const base::Clock& clock);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  [[nodiscard]] std::int64_t next_call();
  /// Stamps them with the present time and with this process, and writes them.
  void write(std::vector<Event> events);

 private:
  std::mutex mutex_;
  const std::string process_;
  const base::Clock& clock_;
  int fd_ = -1;
  std::int64_t calls_ = 0;
  std::int64_t last_at_ = 0;
};

/// All events of these files, by time; a line without an end was cut by a kill, and never was. Holds one line a file.
/// False: a line is no event.
[[nodiscard]] bool read_merged(const std::vector<std::string>& paths, const std::function<void(const Event&)>& visit);

}  // namespace galley::history
