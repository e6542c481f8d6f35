#include "http/listener.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <vector>

namespace galley::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// How many of ten clients find room; on the loopback the kernel knows it when connect(2) returns.
int connected(asio::io_context& io, std::uint16_t port, std::vector<tcp::socket>& clients) {
  int count = 0;
  for (int i = 0; i < 10; ++i) {
    tcp::socket& client = clients.emplace_back(io, tcp::v4());
    client.native_non_blocking(true);
    const tcp::endpoint to(asio::ip::address_v4::loopback(), port);
    static_cast<void>(::connect(client.native_handle(), to.data(), static_cast<socklen_t>(to.size())));
    boost::system::error_code unconnected;
    client.remote_endpoint(unconnected);
    if (!unconnected) ++count;
  }
  return count;
}

TEST(Listener, HoldsAsManyConnectionsAsItsBacklogSaysAndAgainThoseItWasOpenedWith) {
  asio::io_context io;
  Listener listener(io.get_executor());
  HttpOptions options;
  options.backlog = 64;
  const std::uint16_t port = listener.open(options).value();
  std::vector<tcp::socket> clients;
  listener.set_backlog(2);
  EXPECT_EQ(connected(io, port, clients), 3);  // Linux lets one more in
  listener.set_backlog(0);
  EXPECT_EQ(connected(io, port, clients), 10);
}

TEST(Listener, KnowsWhetherAConnectionWaits) {
  asio::io_context io;
  Listener listener(io.get_executor());
  EXPECT_FALSE(listener.has_waiting());
  const std::uint16_t port = listener.open(HttpOptions()).value();
  EXPECT_FALSE(listener.has_waiting());
  std::vector<tcp::socket> clients;
  EXPECT_EQ(connected(io, port, clients), 10);
  EXPECT_TRUE(listener.has_waiting());
  for (int number = 0; number < 10; ++number) {
    tcp::socket socket(io);
    std::string peer;
    EXPECT_EQ(listener.accept(socket, peer), Listener::Took::Connection);
  }
  EXPECT_FALSE(listener.has_waiting());
}

}  // namespace
}  // namespace galley::http
