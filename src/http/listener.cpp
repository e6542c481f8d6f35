#include "http/listener.hpp"

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "http/arrival.hpp"

namespace galley::http {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

std::string text_of(const sockaddr_storage& from, socklen_t size) {
  tcp::endpoint endpoint;
  if (size > endpoint.capacity()) return {};
  std::copy_n(reinterpret_cast<const char*>(&from), size, reinterpret_cast<char*>(endpoint.data()));
  endpoint.resize(size);
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

}  // namespace

Result<std::uint16_t> Listener::open(const HttpOptions& options) {
  if (is_open()) return Error{Errc::WrongState, "the server listens already"};
  boost::system::error_code fault;
  const auto address = asio::ip::make_address(options.address, fault);
  if (fault) {
    return Error{Errc::InvalidInput, "address " + base::quoted(options.address) +
                                         " is not allowed: an IP address like 127.0.0.1, 0.0.0.0 or ::"};
  }
  const tcp::endpoint endpoint(address, options.port);
  const auto failed = [&] {
    acceptor_.close();
    return Error{Errc::Io, "cannot listen on " + options.address + " port " + std::to_string(options.port) + ": " +
                               fault.message()};
  };
  protocol_ = endpoint.protocol();
  acceptor_.open(protocol_, fault);
  if (fault) return failed();
  acceptor_.set_option(tcp::acceptor::reuse_address(true), fault);
  if (!fault && options.reuse_port) acceptor_.set_option(reuse_port(true), fault);
  // Those that it accepts inherit the two: a system call less for each.
  if (!fault) acceptor_.set_option(tcp::no_delay(true), fault);
  stamp_arrivals(acceptor_.native_handle());
  if (!fault) acceptor_.bind(endpoint, fault);
  if (!fault) acceptor_.listen(options.backlog, fault);
  if (!fault) acceptor_.native_non_blocking(true, fault);
  if (fault) return failed();
  backlog_ = opened_with_ = options.backlog;
  return acceptor_.local_endpoint().port();
}

Listener::Took Listener::accept(tcp::socket& socket, std::string& peer) {
  sockaddr_storage from{};
  while (true) {
    socklen_t size = sizeof from;
    const int taken =
        accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (taken >= 0) {
      boost::system::error_code fault;
      socket.assign(protocol_, taken, fault);
      if (fault) {  // the reactor takes no more: without it the connection cannot be waited for
        ::close(taken);
        return Took::Failed;
      }
      peer = text_of(from, size);
      return Took::Connection;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Took::Nothing;
    // These are of one connection, which is gone: look at the next one.
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM) return Took::Failed;
  }
}

bool Listener::has_waiting() {
  pollfd listening{acceptor_.native_handle(), POLLIN, 0};  // -1, of a closed one, is never ready
  return poll(&listening, 1, 0) == 1;
}

void Listener::wait(std::function<void()> ready) {
  acceptor_.async_wait(tcp::acceptor::wait_read, [ready = std::move(ready)](boost::system::error_code fault) {
    if (!fault) ready();
  });
}

void Listener::set_backlog(int backlog) {
  if (backlog <= 0) backlog = opened_with_;
  if (backlog == backlog_ || !is_open()) return;
  boost::system::error_code ignored;  // the old one stays
  acceptor_.listen(backlog, ignored);
  backlog_ = backlog;
}

void Listener::drop_newcomers() {
  // Of the TCP header, the flags are byte 13: SYN (0x02) without ACK (0x10) begins a connection.
  std::array<sock_filter, 5> code{{
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02},
      {BPF_RET | BPF_K, 0, 0, 0},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
  }};
  const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
  // Where it is refused, those that come in the last moment before the port is closed are reset.
  static_cast<void>(setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
}

void Listener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace galley::http
