// galley top: a store as it is now, on a screen that is drawn anew each second.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <csignal>
#include <memory>
#include <utility>

#include "base/duration.hpp"
#include "cli/commands.hpp"
#include "cli/rates.hpp"
#include "cli/top_view.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

constexpr Duration kShortest = std::chrono::milliseconds(100);
constexpr Duration kLongest = std::chrono::hours(1);
constexpr std::size_t kNamedErrors = 5;  // failing kinds whose errors are looked up, two looks each
constexpr std::size_t kErrorJobs = 20;   // jobs of which the latest error is taken
constexpr std::size_t kRunningJobs = 200;
constexpr Duration kLookAtRooms = std::chrono::seconds(10);  // an hour of statistics is read for it

Result<top::Snapshot> look_at(store::Store& store, const base::Clock& clock) {
  top::Snapshot seen;
  auto info = store.info();
  if (!info) return info.error();
  auto queues = store.queues();
  if (!queues) return queues.error();
  auto lanes = store.lanes();
  if (!lanes) return lanes.error();
  auto workers = store.workers();
  if (!workers) return workers.error();
  auto minutes = store.minutes(kRateMinutes);
  if (!minutes) return minutes.error();
  const Time now = clock.wall();
  auto running = running_jobs(store, now, kRunningJobs);
  if (!running) return running.error();
  return top::Snapshot{now,
                       *std::move(info),
                       *std::move(queues),
                       *std::move(lanes),
                       *std::move(workers),
                       *std::move(minutes),
                       *std::move(running)};
}

Result<void> look_at_rooms(store::Store& store, top::Snapshot& seen) {
  const auto minutes = store.minutes(limits::kKeepMinutes);
  if (!minutes) return minutes.error();
  seen.rooms = engine::rooms_of(seen.workers, *minutes, seen.now);
  return {};
}

bool same_workers(const top::Snapshot& a, const top::Snapshot& b) {
  return std::equal(a.workers.begin(), a.workers.end(), b.workers.begin(), b.workers.end(),
                    [](const auto& one, const auto& other) { return one.id == other.id; });
}

/// Of a few jobs of the kind in this state, the class of the latest error.
Result<std::string> error_class(store::Store& store, const store::Filter& filter) {
  const auto page = store.list(filter, "", kErrorJobs);
  if (!page) return page.error();
  const job::JobRecord* latest = nullptr;
  for (const job::JobRecord& job : page->jobs) {
    if (!job.error_class.empty() && (!latest || job.started_at >= latest->started_at)) latest = &job;
  }
  return latest ? latest->error_class : std::string();
}

/// Those that died lately, else those that wait for another try.
Result<void> look_at_errors(store::Store& store, const top::Snapshot& seen, top::ErrorClasses& errors) {
  const auto failing = top::failing(seen);
  for (std::size_t i = 0; i < std::min(failing.size(), kNamedErrors); ++i) {
    store::Filter filter;
    filter.queue = failing[i].queue;
    filter.kind = failing[i].kind;
    filter.state = JobState::Dead;
    filter.ended_since = seen.now - std::chrono::minutes(kRateMinutes);
    auto found = error_class(store, filter);
    if (found && found->empty()) {
      filter.state = JobState::Scheduled;
      filter.ended_since.reset();
      found = error_class(store, filter);
    }
    if (!found) return found.error();
    if (!found->empty()) errors[{failing[i].queue, failing[i].kind}] = *found;
  }
  return {};
}

top::Size terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

/// The signals that end or change the screen, as something to poll. They stay blocked until the process ends.
/// Make it before the first other thread, which inherits that.
class ScreenSignals {
 public:
  ScreenSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGWINCH, SIGTSTP}) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~ScreenSignals() {
    if (fd_ >= 0) close(fd_);
  }
  ScreenSignals(const ScreenSignals&) = delete;
  ScreenSignals& operator=(const ScreenSignals&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// 0: there is none.
  [[nodiscard]] int take() const {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  int fd_ = -1;
};

/// The alternate screen, without a cursor, and keys as they are typed; the old one comes back with its end.
class Terminal {
 public:
  explicit Terminal(Output& out) : out_(out) { enter(); }
  ~Terminal() { leave(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void draw(const std::vector<top::Line>& lines) {
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // The line is cleared before it is written: behind a full one the cursor still stands on its last character.
      text += (i == 0 ? "" : "\r\n") + std::string("\x1b[K");
      text += lines[i].title ? "\x1b[7m" + lines[i].text + "\x1b[m" : lines[i].text;
    }
    if (lines.size() < terminal_size().lines) text += "\r\n\x1b[J";
    out_.write(text);
    static_cast<void>(out_.flush());
  }

  /// Stops the process as Ctrl-Z does; goes on where somebody continues it.
  void suspend() {
    leave();
    std::raise(SIGSTOP);
    enter();
  }

 private:
  void enter() {
    raw_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (raw_) {
      termios keys = before_;
      keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
    }
    out_.write("\x1b[?1049h\x1b[?25l");
  }
  void leave() {
    out_.write("\x1b[?25h\x1b[?1049l");
    static_cast<void>(out_.flush());
    if (raw_) tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

  Output& out_;
  termios before_{};
  bool raw_ = false;
};

class Top {
 public:
  Top(Context& context, store::Store& store, const ScreenSignals& signals, Duration interval)
      : context_(context), store_(store), signals_(signals), interval_(interval) {}

  Result<int> run();

 private:
  Result<void> look();
  void draw(Terminal& terminal);
  /// Until a key, a signal or the next look. False: end.
  bool wait(Terminal& terminal);
  bool hear_signals(Terminal& terminal);
  bool hear_keys();
  bool press(top::Key key);

  Context& context_;
  store::Store& store_;
  const ScreenSignals& signals_;
  Duration interval_;
  base::Mono next_{};
  base::Mono rooms_at_{};  ///< when they are looked at again
  top::Snapshot seen_;
  top::Pace pace_;
  top::ErrorClasses errors_;
  std::string trouble_;
  std::size_t scrolled_ = 0;
  bool paused_ = false;
  bool asked_ = false;  ///< for a look, also while paused
  bool keys_ = true;    ///< false: standard input is at its end
};

Result<void> Top::look() {
  next_ = context_.clock.mono() + interval_;
  auto seen = look_at(store_, context_.clock);
  if (!seen) return seen.error();
  if (auto named = look_at_errors(store_, *seen, errors_); !named) return named;
  const base::Mono now = context_.clock.mono();
  if (now >= rooms_at_ || !same_workers(*seen, seen_)) {
    if (auto found = look_at_rooms(store_, *seen); !found) return found;
    rooms_at_ = now + kLookAtRooms;
  } else {
    seen->rooms = std::move(seen_.rooms);
  }
  seen_ = *std::move(seen);
  pace_.look(context_.clock.mono(), seen_.minutes);
  return {};
}

void Top::draw(Terminal& terminal) {
  const top::Look look{seen_, pace_.rates(), errors_, trouble_, paused_, scrolled_, true};
  terminal.draw(top::screen(look, terminal_size()));
}

Result<int> Top::run() {
  if (auto seen = look(); !seen) return seen.error();
  Terminal terminal(context_.out);
  do {
    if ((!paused_ || asked_) && context_.clock.mono() >= next_) {
      asked_ = false;
      const auto seen = look();
      trouble_ = seen ? "" : seen.error().message;  // it may answer again: what was seen last stays on the screen
    }
    draw(terminal);
  } while (!context_.out.closed() && wait(terminal));
  return kExitOk;
}

bool Top::wait(Terminal& terminal) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - context_.clock.mono()).count();
  pollfd fds[] = {{signals_.fd(), POLLIN, 0}, {keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
  const int timeout = paused_ ? -1 : static_cast<int>(std::max<std::int64_t>(left, 0));
  if (poll(fds, std::size(fds), timeout) <= 0) return true;
  if (fds[0].revents != 0 && !hear_signals(terminal)) return false;
  return fds[1].revents == 0 || hear_keys();
}

bool Top::hear_signals(Terminal& terminal) {
  while (const int number = signals_.take()) {
    if (number == SIGINT || number == SIGTERM) return false;
    if (number == SIGTSTP) terminal.suspend();  // SIGWINCH: the next draw asks for the size
  }
  return true;
}

bool Top::hear_keys() {
  char bytes[256];
  const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
  if (got <= 0) keys_ = false;
  if (got <= 0) return true;
  const auto keys = top::keys_from({bytes, static_cast<std::size_t>(got)});
  return std::all_of(keys.begin(), keys.end(), [this](top::Key key) { return press(key); });
}

bool Top::press(top::Key key) {
  const std::size_t page = std::max<std::size_t>(terminal_size().lines / 2, 1);
  const std::size_t end = std::max({seen_.queues.size(), seen_.workers.size(), seen_.running.size()});
  switch (key) {
    case top::Key::Quit: return false;
    case top::Key::Pause:
      paused_ = !paused_;
      next_ = context_.clock.mono();
      break;
    case top::Key::Refresh:
      asked_ = true;
      next_ = context_.clock.mono();
      break;
    case top::Key::Up: scrolled_ -= std::min<std::size_t>(scrolled_, 1); break;
    case top::Key::PageUp: scrolled_ -= std::min(scrolled_, page); break;
    case top::Key::Down: scrolled_ = std::min(scrolled_ + 1, end); break;
    case top::Key::PageDown: scrolled_ = std::min(scrolled_ + page, end); break;
  }
  return true;
}

Result<int> once(Context& context, store::Store& store) {
  auto seen = look_at(store, context.clock);
  if (!seen) return seen.error();
  if (auto found = look_at_rooms(store, *seen); !found) return found.error();
  top::ErrorClasses errors;
  if (auto named = look_at_errors(store, *seen, errors); !named) return named.error();
  for (const top::Line& line : top::screen({.seen = *seen, .errors = std::move(errors)}, {})) {
    context.out.line(line.text);
  }
  return kExitOk;
}

Result<int> show(Context& context, const std::string& interval_text, bool only_once) {
  const auto interval = base::parse_duration("--interval", interval_text);
  if (!interval) return interval.error();
  if (*interval < kShortest || *interval > kLongest) {
    return usage_error("--interval: " + interval_text + " is not within " + base::format_duration(kShortest) + " and " +
                       base::format_duration(kLongest));
  }
  const bool live = !only_once && context.out.is_terminal();
  std::optional<ScreenSignals> signals;
  if (live) signals.emplace();
  auto store = context.open_existing();
  if (!store) return store.error();
  return live ? Top(context, **store, *signals, *interval).run() : once(context, **store);
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
  CLI::App* top_app = app.add_subcommand("top", "Watch queues, workers, rates and failing kinds, live");
  auto interval = std::make_shared<std::string>("1s");
  auto only_once = std::make_shared<bool>(false);
  top_app->add_option("--interval", *interval, "How often to look (default 1s)")->type_name("TIME");
  top_app->add_flag("--once", *only_once, "Print one look and end, as it does where its output is no terminal");
  add_store_option(*top_app, context);
  top_app->footer("Example: galley top --once");
  top_app->callback([&context, interval, only_once] {
    context.action = [&context, interval, only_once] { return show(context, *interval, *only_once); };
  });
}

}  // namespace galley::cli
