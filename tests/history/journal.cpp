#include "history/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>

namespace galley::history {

Journal::Journal(const std::string& path, std::string process, const base::Clock& clock)
    : process_(std::move(process)),
      clock_(clock),
      fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (fd_ < 0) throw std::runtime_error("cannot write " + path);
}

Journal::~Journal() { close(fd_); }

std::int64_t Journal::next_call() {
  const std::lock_guard lock(mutex_);
  return ++calls_;
}

void Journal::write(std::vector<Event> events) {
  const std::lock_guard lock(mutex_);
  // The clock cuts microseconds off: an answer must not seem to be older than it is.
  const std::int64_t now = clock_.mono().time_since_epoch().count();
  std::string text;
  for (Event& event : events) {
    last_at_ = std::max(last_at_, is_asked(event.what) ? now : now + 1);
    event.at = last_at_;
    event.by = process_;
    text += to_line(event);
    text += '\n';
  }
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
    if (written <= 0) throw std::runtime_error("the history cannot be written");
    done += static_cast<std::size_t>(written);
  }
}

namespace {

/// One file, and its next event.
struct Source {
  explicit Source(const std::string& path) : file(path, std::ios::binary) {}
  /// False: there is no more.
  bool advance(bool& well) {
    std::string line;
    if (!std::getline(file, line) || file.eof()) return false;
    const auto event = from_line(line);
    if (!event) return well = false;
    next = *event;
    return true;
  }
  std::ifstream file;
  Event next;
};

bool later(const std::unique_ptr<Source>& one, const std::unique_ptr<Source>& other) {
  if (one->next.at != other->next.at) return one->next.at > other->next.at;
  return !is_asked(one->next.what) && is_asked(other->next.what);
}

}  // namespace

bool read_merged(const std::vector<std::string>& paths, const std::function<void(const Event&)>& visit) {
  bool well = true;
  std::vector<std::unique_ptr<Source>> sources;  // a heap, the earliest in front
  for (const std::string& path : paths) {
    auto source = std::make_unique<Source>(path);
    if (source->advance(well)) sources.push_back(std::move(source));
  }
  std::make_heap(sources.begin(), sources.end(), later);
  while (!sources.empty()) {
    std::pop_heap(sources.begin(), sources.end(), later);
    visit(sources.back()->next);
    if (sources.back()->advance(well)) {
      std::push_heap(sources.begin(), sources.end(), later);
    } else {
      sources.pop_back();
    }
  }
  return well;
}

}  // namespace galley::history
