#include "e2e/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace galley::test {

namespace {

constexpr std::chrono::seconds kDeadline{30};  // far beyond what any step takes, so that only a hang meets it

int input_of(const std::string& text) {
  const int fd = memfd_create("input", MFD_CLOEXEC);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

std::vector<std::string> Finished::lines() const {
  std::vector<std::string> all;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

std::vector<boost::json::object> Finished::objects() const {
  std::vector<boost::json::object> all;
  for (const std::string& line : lines()) {
    boost::json::error_code fault;
    const boost::json::value value = boost::json::parse(line, fault);
    EXPECT_TRUE(!fault && value.is_object()) << line;
    if (!fault && value.is_object()) all.push_back(value.as_object());
  }
  return all;
}

Process::Process(const TempDir& dir, const Start& start) : deadline_(clock_.mono() + kDeadline) {
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const int in = start.input_fd >= 0 ? dup(start.input_fd) : input_of(start.input);
  if (start.reader_gone) close(std::exchange(out[0], -1));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, dir.path().c_str());
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<std::string> arguments{start.program};
  arguments.insert(arguments.end(), start.arguments.begin(), start.arguments.end());
  std::vector<std::string> environment{std::string("PATH=") + std::getenv("PATH")};
  environment.insert(environment.end(), start.environment.begin(), start.environment.end());
  const int fault = posix_spawn(&pid_, start.program.c_str(), &actions, nullptr, pointers(arguments).data(),
                                pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(in);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
  if (fault != 0) throw std::runtime_error("cannot start " + start.program);
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
}

Process::~Process() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_, err_, pid_fd_}) {
    if (fd >= 0) close(fd);
  }
}

void Process::signal(int number) const { kill(pid_, number); }

bool Process::pump() {
  if (ended_) return false;
  pollfd fds[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {pid_fd_, POLLIN, 0}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - clock_.mono()).count();
  if (left <= 0 || poll(fds, 3, static_cast<int>(left)) <= 0) return false;
  const auto read_from = [](int& fd, std::string& into) {
    char buffer[64 << 10];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
    if (got <= 0) close(std::exchange(fd, -1));
  };
  if (fds[0].revents != 0) read_from(out_, finished_.out);
  if (fds[1].revents != 0) read_from(err_, finished_.err);
  if (fds[0].revents != 0 || fds[1].revents != 0) return true;
  // It has ended, and its pipes are silent: all that it wrote is read.
  int status = 0;
  waitpid(pid_, &status, 0);
  ended_ = true;
  if (WIFEXITED(status)) finished_.exit_code = WEXITSTATUS(status);
  return false;
}

bool Process::wait_for(const std::string& stream, std::string_view text) {
  while (stream.find(text) == std::string::npos) {
    if (!pump()) return stream.find(text) != std::string::npos;
  }
  return true;
}

Finished Process::finish() {
  while (pump()) {
  }
  EXPECT_TRUE(ended_) << "it still runs; standard error: " << finished_.err;
  return finished_;
}

Finished Bench::run(std::vector<std::string> arguments, std::string input, std::vector<std::string> environment) const {
  return Process(dir_,
                 {.arguments = std::move(arguments), .input = std::move(input), .environment = std::move(environment)})
      .finish();
}

std::string Bench::read(const std::string& name) const {
  std::ifstream file(dir_.file(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Bench::write(const std::string& name, std::string_view text) const {
  std::ofstream(dir_.file(name), std::ios::binary) << text;
}

bool Bench::exists(const std::string& name) const { return access(dir_.file(name).c_str(), F_OK) == 0; }

boost::json::object Bench::job(int id) const {
  const auto objects = run({"jobs", "show", std::to_string(id), "--json"}).objects();
  EXPECT_EQ(objects.size(), 1U);
  return objects.empty() ? boost::json::object{} : objects[0];
}

std::string Bench::state(int id) const {
  const boost::json::object object = job(id);
  const boost::json::value* state = object.if_contains("state");
  return state == nullptr ? "" : std::string(state->as_string());
}

Fifo::Fifo(std::string path) : path_(std::move(path)) {
  if (mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("no fifo");
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);  // both ends, so that neither side's open waits
}

Fifo::~Fifo() { close(fd_); }

bool Fifo::wait() const {
  pollfd fd{fd_, POLLIN, 0};
  char byte = 0;
  return poll(&fd, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) == 1 &&
         ::read(fd_, &byte, 1) == 1;
}

void Fifo::tell() const { EXPECT_EQ(::write(fd_, "\n", 1), 1); }

}  // namespace galley::test
