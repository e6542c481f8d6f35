// A server process that is replaced over and over while clients go on asking. Each request of which a byte was sent
// must be answered in full; only a connection that could not be made is tried again. GALLEY_SIGTERM_CYCLES=1000: how
// often (./dev soak).

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "e2e/process.hpp"
#include "http/client.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::get;

/// What the clients and the cycles know of each other.
class Traffic {
 public:
  /// A new process listens.
  void up() {
    const std::lock_guard lock(mutex_);
    ++processes_;
    answered_ = 0;
    changed_.notify_all();
  }
  /// Until there is another process, or a while later.
  void wait_for_process(int known) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20ms, [&] { return ended_ || processes_ != known; });
  }
  void answered(int status) {
    const std::lock_guard lock(mutex_);
    ++answered_;
    ++total_;
    if (status != 200 && status != 503) ++wrong_;
    changed_.notify_all();
  }
  void dropped(const std::string& what) {
    const std::lock_guard lock(mutex_);
    dropped_.push_back(what);
  }
  /// Until this process has answered so many.
  bool wait_for_answers(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return answered_ >= count; });
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] int processes() {
    const std::lock_guard lock(mutex_);
    return processes_;
  }
  [[nodiscard]] int total() const { return total_; }
  [[nodiscard]] int wrong() const { return wrong_; }
  [[nodiscard]] const std::vector<std::string>& dropped() const { return dropped_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int processes_ = 0;
  int answered_ = 0;
  int total_ = 0;
  int wrong_ = 0;
  std::atomic<bool> ended_{false};
  std::vector<std::string> dropped_;
};

/// One request after the other, `per_connection` on each connection, until the traffic ends.
void ask_on(Traffic& traffic, std::uint16_t port, int per_connection) {
  const std::string request = get(per_connection % 2 == 0 ? "/compute?n=15" : "/health");
  while (!traffic.ended()) {
    Client client;
    const int known = traffic.processes();
    if (!client.connect_within(port, 50ms)) {
      traffic.wait_for_process(known);
      continue;
    }
    for (int sent = 0; sent < per_connection && !traffic.ended(); ++sent) {
      if (client.was_closed()) break;  // what every client looks for before it uses a connection again
      client.send(request);
      const Answer answer = client.read();
      if (answer.status == 0) {
        traffic.dropped("request " + std::to_string(sent) + " of a connection, of process " + std::to_string(known) +
                        ": " + client.fault());
        break;
      }
      traffic.answered(answer.status);
      if (answer.has("Connection: close")) break;
    }
  }
}

/// Below the ports that the kernel gives to clients: one of those could otherwise take it while no process has it.
std::uint16_t quiet_port() {
  for (int tried = 0; tried < 1'000; ++tried) {
    const auto port = static_cast<std::uint16_t>(20'000 + (getpid() * 7 + tried) % 12'000);
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_free = bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    if (is_free) return port;
  }
  return 0;
}

TEST(Sigterm, UnderLoadDropsNoRequest) {
  const char* const wanted = std::getenv("GALLEY_SIGTERM_CYCLES");
  const int cycles = wanted == nullptr ? 20 : std::atoi(wanted);
  const std::uint16_t port = quiet_port();
  Traffic traffic;
  std::vector<std::thread> clients;
  for (const int per_connection : {1, 1, 3, 100, 1'000'000, 1'000'001}) {
    clients.emplace_back([&traffic, port, per_connection] { ask_on(traffic, port, per_connection); });
  }
  const test::TempDir dir;
  for (int cycle = 0; cycle < cycles && traffic.dropped().empty(); ++cycle) {
    test::Start start;
    start.arguments = {"--port", std::to_string(port)};
    test::Process server(dir, start);
    ASSERT_TRUE(server.wait_out("listening")) << cycle;
    traffic.up();
    EXPECT_TRUE(traffic.wait_for_answers(100)) << cycle;
    server.signal(SIGTERM);
    const test::Finished finished = server.finish();
    EXPECT_EQ(finished.exit_code, 0) << cycle << finished.err;
    EXPECT_NE(finished.out.find("stopped: SIGTERM"), std::string::npos) << cycle;
  }
  traffic.end();
  for (std::thread& client : clients) client.join();
  for (const std::string& what : traffic.dropped()) ADD_FAILURE() << what;
  EXPECT_EQ(traffic.wrong(), 0);
  EXPECT_GE(traffic.total(), 100 * cycles);
  RecordProperty("answered", traffic.total());
}

}  // namespace
}  // namespace galley
