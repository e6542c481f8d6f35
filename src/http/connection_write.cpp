// The half of a connection that answers.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <utility>
#include <variant>

#include "http/connection.hpp"
#include "http/response_text.hpp"

namespace galley::http {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// Hands over as much as the kernel takes, and shortens the texts by it. False: the connection is broken.
bool send_some(int socket, std::string_view& head, std::string_view& body) {
  while (!head.empty() || !body.empty()) {
    std::array<iovec, 2> parts{{{const_cast<char*>(head.data()), head.size()},  // sendmsg does not write there
                                {const_cast<char*>(body.data()), body.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    const auto of_head = std::min(head.size(), static_cast<std::size_t>(sent));
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
  }
  return true;
}

}  // namespace

asio::awaitable<bool> Connection::write_all(std::string_view head, std::string_view body) {
  sent_ += head.size() + body.size();
  stuck_ = false;
  while (socket_.is_open()) {
    if (!send_some(socket_.native_handle(), head, body)) break;
    if (head.empty() && body.empty()) {
      server_->clear_deadline(*this);
      co_return true;
    }
    stuck_ = true;
    if (!waits_in(kWrite)) server_->set_deadline(*this, kWrite);
    if (!co_await wait(tcp::socket::wait_write)) break;
  }
  sent_ -= head.size() + body.size();
  server_->clear_deadline(*this);
  boost::system::error_code ignored;
  socket_.close(ignored);
  co_return false;
}

asio::awaitable<bool> Connection::write(const HttpResponse& response, bool head_only, bool closes) {
  const std::string head = http::head_of(response, closes, server_->date());
  const std::string_view body = head_only || has_no_body(response.status) ? std::string_view() : response.body;
  co_return co_await write_all(head, body);
}

HttpResponse Connection::without_route() const {
  if (!found_ || found_->malformed) return plain_answer(400);
  if (found_->allow.empty()) return plain_answer(404);
  HttpResponse response = plain_answer(405);
  response.headers.emplace_back("Allow", found_->allow);
  return response;
}

asio::awaitable<HttpResponse> Connection::handle(HttpRequest& request) {
  Route& route = server_->route(*found_->route);
  if (auto* const plain = std::get_if<HttpPlainHandler>(&route.handler)) {
    const TaskScope scope(&route.task);
    co_return (*plain)(request);
  }
  auto running = std::get<HttpCoroutineHandler>(route.handler)(request);
  co_return co_await std::move(running);
}

/// Some of another request is here; empty lines are none.
bool Connection::has_more_ahead() const noexcept { return rest_.find_first_not_of("\r\n") != std::string::npos; }

asio::awaitable<bool> Connection::answer_request() {
  const base::Mono start = now();
  if (!may_start(start)) co_return co_await answer_refused();
  const bool keeps_alive = parser_.keeps_alive();
  const bool head_only = method_ == "HEAD";
  HttpResponse response;
  std::exception_ptr error;
  bool told_to_end = false;  // nothing new is begun then
  bool cancelled = false;
  if (found_ && found_->route) {
    HttpRequest request = parser_.take(std::move(found_->parameters), peer_);
    RequestParser::set_waited(request, waited_);
    ++server_->counts().in_flight;
    handling_ = true;
    try {
      auto running = handle(request);
      response = co_await std::move(running);
    } catch (...) {
      error = std::current_exception();
    }
    handling_ = false;
    --server_->counts().in_flight;
    told_to_end = std::exchange(cancelled_, false);
    cancelled = error && told_to_end;
    if (told_to_end) co_await asio::this_coro::reset_cancellation_state();  // what follows is ours, and goes on
    if (cancelled) {
      response = plain_answer(503);
    } else if (error || !is_sound(response)) {
      response = plain_answer(500);
    }
  } else {
    response = without_route();
  }
  if (started_) server_->options().guard->finished(now() - start);
  const bool closes = !keeps_alive || response.close || told_to_end || (server_->stopping() && !has_more_ahead());
  const bool written = co_await write(response, head_only, closes);
  log(response.status, written, cancelled ? nullptr : error);
  co_return written && !closes;
}

asio::awaitable<bool> Connection::answer_bad() {
  if (admitted_) {
    admitted_ = false;
    server_->options().guard->abandon();
  }
  ++server_->counts().bad;
  const HttpResponse response = plain_answer(status_);
  const bool written = co_await write(response, false, true);
  log(status_, written, nullptr);
  co_return false;
}

asio::awaitable<bool> Connection::answer_refused() {
  ++server_->counts().refused;
  const bool written = co_await write_all(server_->refusal(retry_after_s_), std::string_view());
  const base::Mono at = now();
  log(503, written, nullptr);
  // What its client takes to read is no cost of ours; how much of the rest was, is not known then.
  if (!stuck_) server_->options().guard->spent_refusing(at - read_at_, at.time_since_epoch());
  co_return false;
}

void Connection::log(int status, bool complete, const std::exception_ptr& error) {
  HttpLogEntry entry;
  std::optional<std::size_t> route;
  if (found_) route = found_->route;
  entry.method = method_;
  if (route) entry.pattern = server_->route(*route).pattern;
  entry.status = status;
  answered_ = now();
  entry.duration = answered_ - arrived_;
  entry.waited = waited_;
  entry.sent = sent_;
  entry.complete = complete;
  entry.error = error;
  server_->record(entry, route);
}

}  // namespace galley::http
