// beanstalkd with its binlog, spoken to over loopback TCP by a small client of our own: a connection a thread, and many
// puts on their way at once for the bulk.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "bench/contender.hpp"

namespace bench {

namespace {

constexpr int kPipelined = 1'000;  // puts before their answers are read; those fit into a socket's buffer
constexpr const char* kLastJob = "the last one";  // the connection that gets it is not needed any more

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw_errno("socket");
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class Client {
 public:
  explicit Client(std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    if (connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw_errno("connect");
    const int on = 1;
    setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  void send(const std::string& text) {
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(socket_.fd(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n < 0) throw_errno("send");
      sent += static_cast<std::size_t>(n);
    }
  }

  /// The next line, without its end.
  std::string line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n", at_)) == std::string::npos) more();
    std::string text = buffer_.substr(at_, end - at_);
    at_ = end + 2;
    return text;
  }

  /// A job's body.
  std::string body(std::size_t size) {
    while (buffer_.size() - at_ < size + 2) more();
    std::string bytes = buffer_.substr(at_, size);
    at_ += size + 2;
    return bytes;
  }

  /// The next line must begin so.
  void expect(const char* start) {
    const std::string text = line();
    if (!text.starts_with(start)) throw std::runtime_error("beanstalkd answered " + text + ", not " + start);
  }

 private:
  void more() {
    buffer_.erase(0, at_);
    at_ = 0;
    std::array<char, 65536> bytes;
    const ssize_t n = recv(socket_.fd(), bytes.data(), bytes.size(), 0);
    if (n <= 0) throw_errno("beanstalkd has gone");
    buffer_.append(bytes.data(), static_cast<std::size_t>(n));
  }

  Socket socket_;
  std::string buffer_;
  std::size_t at_ = 0;
};

std::string put(const std::string& payload) {
  return "put 1024 0 60 " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n";
}

struct Reserved {
  std::string id;
  std::string body;
};

/// Nothing: none came within the time.
std::optional<Reserved> reserve(Client& client, int seconds) {
  client.send("reserve-with-timeout " + std::to_string(seconds) + "\r\n");
  const std::string answer = client.line();  // RESERVED <id> <bytes>
  if (answer == "TIMED_OUT") return std::nullopt;
  const std::size_t id = answer.find(' ') + 1;
  const std::size_t size = answer.find(' ', id);
  if (!answer.starts_with("RESERVED ") || size == std::string::npos) {
    throw std::runtime_error("beanstalkd answered " + answer);
  }
  return Reserved{answer.substr(id, size - id), client.body(std::stoul(answer.substr(size + 1)))};
}

/// Reserves and deletes until nothing is left; how many.
int drain_one(Client& client) {
  for (int done = 0;; ++done) {
    const auto job = reserve(client, 0);
    if (!job) return done;
    client.send("delete " + job->id + "\r\n");
    client.expect("DELETED");
  }
}

/// Waits for one and runs it. False: it was the last one of this connection.
bool run_one(Client& client) {
  for (;;) {
    const auto job = reserve(client, 60);
    if (!job) continue;
    client.send("delete " + job->id + "\r\n");
    client.expect("DELETED");
    return job->body != kLastJob;
  }
}

/// A server of our own. It inherits the listening socket (as from systemd), so that the port is free and the first
/// connection waits for it.
class Server {
 public:
  Server(const std::filesystem::path& dir, Durability durability) {
    Socket listener;
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener.fd(), generic, size) != 0 || listen(listener.fd(), 1024) != 0) throw_errno("listen");
    if (getsockname(listener.fd(), generic, &size) != 0) throw_errno("getsockname");
    port_ = ntohs(address.sin_port);

    std::string run = "LISTEN_FDS=1 LISTEN_PID=$$ exec beanstalkd -b \"$0\"";
    if (durability == Durability::Full) run += " -f0";
    std::array<std::string, 4> words{"sh", "-c", run, dir.string()};
    const std::array<char*, 5> argv{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, listener.fd(), 3);
    const int code = posix_spawn(&pid_, "/bin/sh", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) throw std::system_error(code, std::generic_category(), "posix_spawn");
  }
  ~Server() {
    kill(pid_, SIGTERM);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  pid_t pid_ = 0;
  std::uint16_t port_ = 0;
};

class Beanstalkd final : public Contender {
 public:
  explicit Beanstalkd(Durability durability) : durability_(durability) {}

  void fresh(const std::filesystem::path& dir) override {
    stop();
    server_ = std::make_unique<Server>(dir, durability_);
  }

  void stop() override { server_.reset(); }

  double bulk(int jobs) override {
    std::vector<std::string> batches;
    for (int next = 0; next < jobs;) {
      std::string& batch = batches.emplace_back();
      for (const int end = std::min(jobs, next + kPipelined); next < end; ++next) batch += put(payload_of(next));
    }
    Client client(server_->port());
    const Stopwatch watch;
    int left = jobs;
    for (const std::string& batch : batches) {
      client.send(batch);
      for (int i = std::min(left, kPipelined); i > 0; --i, --left) client.expect("INSERTED ");
    }
    return static_cast<double>(jobs) / watch.seconds();
  }

  double singles(int threads, Nanos time) override {
    std::vector<std::function<void()>> calls;
    for (int i = 0; i < threads; ++i) {
      auto client = std::make_shared<Client>(server_->port());
      calls.emplace_back([client] {
        client->send(put(payload_of(1)));
        client->expect("INSERTED ");
      });
    }
    return calls_a_second(calls, time);
  }

  double drain(int slots, int jobs) override {
    (void)bulk(jobs);
    std::vector<std::function<void()>> calls;
    std::atomic<int> done = 0;
    for (int i = 0; i < slots; ++i) {
      auto client = std::make_shared<Client>(server_->port());
      calls.emplace_back([client, &done] { done += drain_one(*client); });
    }
    const Stopwatch watch;
    run_together(calls);
    const double seconds = watch.seconds();
    if (done != jobs) throw std::runtime_error("beanstalkd did not hand out all jobs");
    return static_cast<double>(jobs) / seconds;
  }

  double both(const Both& load) override {
    Tally ended;
    std::vector<std::future<void>> slots;
    for (int i = 0; i < load.slots; ++i) {
      slots.push_back(std::async(std::launch::async, [&ended, client = std::make_shared<Client>(server_->port())] {
        while (run_one(*client)) ended.one();
      }));
    }
    std::string jobs;
    for (int i = 0; i < load.at_once; ++i) jobs += put(payload_of(i));
    std::atomic<int> made = 0;
    std::vector<std::function<void()>> calls;
    for (int i = 0; i < load.producers; ++i) {
      calls.emplace_back([&, client = std::make_shared<Client>(server_->port())] {
        client->send(jobs);
        for (int answer = 0; answer < load.at_once; ++answer) client->expect("INSERTED ");
        made += load.at_once;
      });
    }
    const Stopwatch watch;
    (void)calls_a_second(calls, load.time);
    ended.wait_for(made);
    const double seconds = watch.seconds();
    Client last(server_->port());
    for (int i = 0; i < load.slots; ++i) {
      last.send(put(kLastJob));
      last.expect("INSERTED ");
    }
    for (std::future<void>& slot : slots) slot.get();
    return made / seconds;
  }

 private:
  const Durability durability_;
  std::unique_ptr<Server> server_;
};

struct ClosePipe {
  void operator()(FILE* pipe) const { pclose(pipe); }
};

}  // namespace

std::unique_ptr<Contender> make_beanstalkd(Durability durability) { return std::make_unique<Beanstalkd>(durability); }

Latencies measure_beanstalkd_latency(const std::filesystem::path& dir, int jobs_a_second, int jobs) {
  constexpr int kConnections = 10;
  const Server server(dir, Durability::Normal);
  Paced paced(jobs_a_second, jobs);
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < kConnections; ++i) {
    threads.emplace_back([&, client = std::make_shared<Client>(server.port())] {
      while (!over) {
        const auto job = reserve(*client, 1);
        if (!job) continue;
        paced.started(std::stoul(job->body));
        client->send("delete " + job->id + "\r\n");
        client->expect("DELETED");
      }
    });
  }
  Client client(server.port());
  const Latencies answer = paced.run([&](std::size_t next) {
    client.send(put(std::to_string(next)));
    client.expect("INSERTED ");
  });
  over = true;
  for (std::thread& thread : threads) thread.join();
  return answer;
}

std::optional<std::string> beanstalkd_version() {
  const std::unique_ptr<FILE, ClosePipe> pipe(popen("beanstalkd -v 2>/dev/null", "re"));
  std::array<char, 100> text{};
  if (pipe == nullptr || std::fgets(text.data(), text.size(), pipe.get()) == nullptr) return std::nullopt;
  std::string version = text.data();
  while (!version.empty() && version.back() == '\n') version.pop_back();
  return version;
}

}  // namespace bench
