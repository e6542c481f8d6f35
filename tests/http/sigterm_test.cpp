// A server process that is replaced over and over while clients go on asking. Each request of which a byte was sent
// must be answered in full; only a connection that could not be made is tried again. GALLEY_SIGTERM_CYCLES=1000: how
// often (./dev soak).

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <boost/json/parse.hpp>
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
  void answered(const Answer& answer, const std::string& right) {
    const std::lock_guard lock(mutex_);
    ++answered_;
    ++total_;
    if (answer.status != 503 && (answer.status != 200 || !answer.body.starts_with(right))) ++wrong_;
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
  const bool computes = per_connection % 2 == 0;
  const std::string request = get(computes ? "/compute?n=15" : "/health");
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
      traffic.answered(answer, computes ? "610\n" : "{\"status\":");
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

TEST(ResponsiveServer, ComputesWhatWasAskedAndTellsItsLagAndThatAllIsNormal) {
  const test::TempDir dir;
  test::Start start;
  const std::uint16_t port = quiet_port();
  start.arguments = {"--port", std::to_string(port)};
  test::Process server(dir, start);
  ASSERT_TRUE(server.wait_out("listening"));
  Client client(port);
  for (const auto& [n, number] : {std::pair("0", "0\n"), {"1", "1\n"}, {"15", "610\n"}, {"30", "832040\n"}}) {
    const Answer answer = client.ask(get(std::string("/compute?n=") + n));
    EXPECT_EQ(answer.status, 200) << n;
    EXPECT_EQ(answer.body, number) << n;
  }
  EXPECT_EQ(client.ask(get("/compute?n=46")).status, 400);
  const Answer health = client.ask(get("/health"));
  EXPECT_EQ(health.status, 200);
  const auto said = boost::json::parse(health.body).as_object();
  EXPECT_EQ(said.at("status"), "normal");
  EXPECT_EQ(said.at("ready"), true);
  EXPECT_GE(said.at("lag_p99_us").as_int64(), 0);
  server.signal(SIGTERM);
  EXPECT_EQ(server.finish().exit_code, 0);
}

TEST(ResponsiveServer, AsksItselfAndStops) {
  const test::TempDir dir;
  test::Process server(dir, test::Start{});
  const test::Finished done = server.finish();
  EXPECT_EQ(done.exit_code, 0) << done.err;
  const auto times = [&done](std::string_view text) {
    int count = 0;
    for (auto at = done.out.find(text); at != std::string::npos; at = done.out.find(text, at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(times("/compute?n=32 gave 2178309\n"), 3) << done.out;
  EXPECT_EQ(times("/compute?n=many gave n must be 0..45\n"), 1) << done.out;
  EXPECT_EQ(times("/health gave {\"status\":\"normal\",\"lag_p99_us\":"), 1) << done.out;
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
