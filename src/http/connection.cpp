#include "http/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace galley::http {

namespace {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr int kBurst = 16;                     // requests that are answered before others get a turn
constexpr std::size_t kLingerBytes = 1 << 20;  // that are read and dropped after the last answer
}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> server, tcp::socket socket, std::string peer, base::Mono seen_empty)
    : server_(std::move(server)),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      parser_(server_->options().max_header_bytes, server_->options().max_body_bytes),
      seen_empty_(seen_empty),
      answered_(seen_empty) {
  server_->enter(*this);
}

Connection::~Connection() {
  if (admitted_) server_->options().guard->abandon();
  server_->clear_deadline(*this);  // while there is one: what holds it may go with this
  server_->leave(*this);
}

void Connection::cancel() {
  if (!handling_) return;
  cancelled_ = true;
  cancellation_.emit(asio::cancellation_type::terminal);
}

void Connection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  cancel();
}

void Connection::expired() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<bool> Connection::wait(tcp::socket::wait_type what) {
  const auto [fault] = co_await socket_.async_wait(what, asio::as_tuple(asio::use_awaitable));
  co_return !fault && socket_.is_open();
}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> connection) {
  Connection& self = *connection;
  // Not from inside the accept: what is served there would let more connections come, which would be served there too,
  // and all others would wait for as many as an accept takes.
  co_await asio::post(self.socket_.get_executor(), asio::use_awaitable);
  for (int answered = 1; true; ++answered) {
    bool goes_on = false;
    switch (co_await self.read_request()) {
      case Reading::Whole: goes_on = co_await self.answer_request(); break;
      case Reading::Bad: goes_on = co_await self.answer_bad(); break;
      case Reading::Refused:
        goes_on = co_await self.answer_refused();
        if (self.dry_) co_return;  // all has been read, so that closing resets nothing: saying no is to be cheap
        break;
      case Reading::More:
      case Reading::Idle:
      case Reading::Gone: co_return;
    }
    if (!goes_on) break;
    if (answered % kBurst == 0) co_await asio::post(self.socket_.get_executor(), asio::use_awaitable);
  }
  co_await self.linger();
}

/// After the last answer: the client reads it, and closes. Closing while bytes of it are on their way would have the
/// kernel drop what the client has not read yet.
asio::awaitable<void> Connection::linger() {
  if (!socket_.is_open()) co_return;
  boost::system::error_code fault;
  socket_.shutdown(tcp::socket::shutdown_send, fault);
  if (fault) co_return;
  std::size_t dropped = 0;
  server_->set_deadline(*this, kLinger);
  while (dropped < kLingerBytes) {
    const Received received = receive(socket_.native_handle(), server_->scratch());
    if (received.kind == Received::Kind::Nothing) {
      if (!co_await wait(tcp::socket::wait_read)) break;
      continue;
    }
    if (received.kind != Received::Kind::Bytes) break;
    dropped += received.size;
  }
  server_->clear_deadline(*this);
}

}  // namespace galley::http
