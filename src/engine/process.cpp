#include "engine/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "engine/guardian.hpp"

namespace galley::engine {
namespace {

constexpr std::size_t kReadBytes = 16 << 10;  // on the stack of every thread that waits
constexpr int kMaxLastReads = 64;             // 1 MiB: the largest pipe that an ordinary user may have
constexpr int kLostMs = 10'000;               // for a killed command to be gone when its guardian is

std::string reason(int error) { return std::generic_category().message(error); }

Error system_error(const std::string& what) {
  const int error = errno;
  const bool later = error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOSPC;
  return {later ? Errc::Unavailable : Errc::Io, what + ": " + reason(error)};
}

/// The last bytes of a stream.
class Tail {
 public:
  explicit Tail(std::size_t max) : max_(max) {}
  /// One read. False: there is nothing more, for now or for ever.
  bool read_from(int fd) {
    char bytes[kReadBytes];
    const ssize_t got = ::read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    base::append_tail(text_, {bytes, static_cast<std::size_t>(got)}, max_);
    seen_ += static_cast<std::size_t>(got);
    return true;
  }
  /// Whole bytes where it is whole; else not from the middle of a character on.
  [[nodiscard]] std::string text() const { return cut() ? std::string(base::tail_of(text_, max_)) : text_; }
  [[nodiscard]] bool cut() const noexcept { return seen_ > max_; }

 private:
  std::size_t max_;
  std::size_t seen_ = 0;
  std::string text_;
};

struct Pipe {
  Fd read;
  Fd write;
};

/// The end that is read does not block; the other one is the command's and does.
Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return system_error("cannot make a pipe for a command");
  Pipe pipe{Fd(fds[0]), Fd(fds[1])};
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return system_error("cannot make a pipe for a command");
  return pipe;
}

/// A file in memory, so that neither side waits for the other; sealed, as what a command reads is not its to change.
Result<Fd> make_input(const std::string& input) {
  const char* const what = "cannot make the standard input of a command";
  if (input.empty()) {
    Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (null.get() < 0) return system_error(what);
    return null;
  }
  Fd file(::memfd_create("galley-input", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file.get() < 0) return system_error(what);
  for (std::size_t at = 0; at < input.size();) {
    const ssize_t put = ::pwrite(file.get(), input.data() + at, input.size() - at, static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return system_error(what);
    at += static_cast<std::size_t>(put);
  }
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return system_error(what);
  }
  return file;
}

std::vector<std::string> environment(const ProcessSpec& spec) {
  std::vector<std::string> all;
  bool path = spec.path.empty();
  for (const auto& [name, value] : spec.command.env) {
    all.push_back(name + "=" + value);
    path = path || name == "PATH";
  }
  if (!path) all.push_back("PATH=" + spec.path);
  return all;
}

/// As exec wants it; points into `texts`.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string why_not_started(guardian::Step step, int error, const std::string& title, const std::string& executable,
                            const std::string& cwd) {
  const std::string cannot = "cannot run " + title + ": ";
  if (step == guardian::Step::Guard) return cannot + "its guardian process failed: " + reason(error);
  if (step == guardian::Step::Cwd) return cannot + "working directory " + base::quoted(cwd) + ": " + reason(error);
  if (error == ENOENT && ::access(executable.c_str(), F_OK) == 0) {
    return cannot + "the interpreter that it names (its #! line, or its loader) is missing";
  }
  if (error == ENOEXEC) return cannot + "it is neither a program of this machine nor a script with a #! line";
  if (error == E2BIG) return cannot + "its arguments and environment are too long";
  return cannot + reason(error);
}

void reap(pid_t pid) noexcept {
  // An error means that it is gone already: the embedding program ignores SIGCHLD or waits for any child.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<std::unique_ptr<Process>> Process::start(const ProcessSpec& spec) {
  GALLEY_ASSERT(!spec.command.argv.empty() && !spec.executable.empty());
  auto out = make_pipe();
  if (!out) return out.error();
  auto err = make_pipe();
  if (!err) return err.error();
  auto in = spec.input >= 0 ? Result<Fd>(Fd()) : make_input(spec.command.input);
  if (!in) return in.error();
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return system_error("cannot make a socket for the guardian of a command");
  }
  std::unique_ptr<Process> process(
      new Process(spec.command.keep_output ? limits::kMaxResultBytes : limits::kMaxOutputBytes));
  process->control_ = Fd(pair[0]);
  const Fd theirs(pair[1]);
  process->executable_ = spec.executable;
  process->cwd_ = spec.command.cwd;
  process->title_ = base::quoted(spec.command.argv[0]);
  if (spec.command.argv[0] != spec.executable) process->title_ += " (" + base::to_utf8(spec.executable) + ")";

  std::vector<std::string> arguments = spec.command.argv;
  std::vector<std::string> variables = environment(spec);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);
  const guardian::Plan plan{theirs.get(),
                            spec.input >= 0 ? spec.input : in->get(),
                            spec.output >= 0 ? spec.output : out->write.get(),
                            err->write.get(),
                            process->executable_.c_str(),
                            process->cwd_.empty() ? nullptr : process->cwd_.c_str(),
                            argv.data(),
                            envp.data()};
  process->guardian_ = guardian::start(plan);
  if (process->guardian_ < 0) {
    process->waited_ = true;
    return system_error("cannot fork the guardian of " + process->title_);
  }
  process->out_ = std::move(out->read);
  process->err_ = std::move(err->read);
  return process;
}

Process::~Process() {
  if (waited_) return;
  kill();
  static_cast<void>(wait());
}

ProcessEnd Process::wait() {
  GALLEY_ASSERT(!waited_);
  waited_ = true;
  ProcessEnd end;
  Tail out(max_out_);
  Tail err(limits::kMaxOutputBytes);
  bool ended = false;
  pollfd fds[] = {{control_.get(), POLLIN, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
  while (!ended) {
    if (::poll(fds, 3, -1) < 0) continue;
    if (fds[1].revents != 0 && !out.read_from(out_.get())) fds[1].fd = -1;
    if (fds[2].revents != 0 && !err.read_from(err_.get())) fds[2].fd = -1;
    if (fds[0].revents != 0) ended = !hear(end);
  }
  reap(guardian_);
  // What it wrote last. Not up to the end of file: a process that is no descendant may have been given the pipe.
  for (int i = 0; i < kMaxLastReads && out.read_from(out_.get()); ++i) {
  }
  for (int i = 0; i < kMaxLastReads && err.read_from(err_.get()); ++i) {
  }
  out_.close();
  err_.close();
  end.out = out.text();
  end.out_cut = out.cut();
  end.err = err.text();
  return end;
}

bool Process::hear(ProcessEnd& end) {
  guardian::Report report{};
  const ssize_t got = ::recv(control_.get(), &report, sizeof report, MSG_DONTWAIT);
  // ECONNRESET, told once: the guardian ended without having read a kTerminate. Its reports are still in the socket.
  if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNRESET)) return true;
  if (got != static_cast<ssize_t>(sizeof report)) {
    if (end.error.empty()) guardian_lost(end);
    return false;
  }
  switch (report.kind) {
    case guardian::Report::Kind::Started: group_ = report.a; return true;
    case guardian::Report::Kind::Failed:
      end.error = why_not_started(static_cast<guardian::Step>(report.a), report.b, title_, executable_, cwd_);
      return true;
    case guardian::Report::Kind::Ended: break;
  }
  if (!end.error.empty()) return false;  // the exit code is that of the attempt to start it
  if (WIFEXITED(report.a)) end.exit_code = WEXITSTATUS(report.a);
  if (WIFSIGNALED(report.a)) end.signal = WTERMSIG(report.a);
  if (report.b != 0) end.error = title_ + " left processes behind that cannot be found: /proc is not mounted";
  return false;
}

// Somebody killed the guardian. The kernel kills the command then, and the rest of its group is killed here. The
// group's number is still its own as long as any process is in it; that it was given away within this moment takes a
// whole round of process ids.
void Process::guardian_lost(ProcessEnd& end) const {
  end.error = "the guardian process of " + title_ + " was killed, and the command with it";
  if (group_ <= 0) return;
  const Fd leader(static_cast<int>(::syscall(SYS_pidfd_open, group_, 0)));
  ::kill(-group_, SIGKILL);
  if (leader.get() < 0) return;
  pollfd fd{leader.get(), POLLIN, 0};
  while (::poll(&fd, 1, kLostMs) < 0 && errno == EINTR) {
  }
}

void Process::terminate() noexcept { ::send(control_.get(), &guardian::kTerminate, 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

// The end of file cannot be lost or be sent once too often, and it is the path that the worker's death takes.
void Process::kill() noexcept { ::shutdown(control_.get(), SHUT_WR); }

}  // namespace galley::engine
