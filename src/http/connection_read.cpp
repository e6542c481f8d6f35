// The half of a connection that reads.

#include <algorithm>

#include "http/connection.hpp"

namespace galley::http {

namespace {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::chrono::nanoseconds moment(base::Mono at) noexcept { return at.time_since_epoch(); }
}  // namespace

void Connection::begin_request() {
  parser_.reset();
  state_ = RequestParser::State::Head;
  begun_ = continued_ = started_ = late_ = dry_ = false;
  found_.reset();
  method_.clear();
  waited_ = Duration{0};
  sent_ = 0;
}

Line Connection::line() const noexcept {
  if (state_ == RequestParser::State::Body) return kBody;
  if (begun_) return kHead;
  return server_->stopping() ? kLastCall : kIdle;
}

asio::awaitable<Connection::Reading> Connection::read_request() {
  begin_request();
  Reading reading = Reading::More;
  if (!rest_.empty()) {
    arrived_ = std::max(rest_arrived_, answered_);
    reading = feed({});
  }
  while (reading == Reading::More) {
    if (state_ == RequestParser::State::Body && !continued_ && !co_await send_continue()) co_return Reading::Gone;
    const auto scratch = server_->scratch();
    const Received received = receive(socket_.native_handle(), scratch);
    const base::Mono at = now();
    if (received.kind == Received::Kind::Bytes) {
      rest_arrived_ = arrival_of(received.stamp, seen_empty_, at, server_->clock().wall());
      arrived_ = std::max(rest_arrived_, answered_);
      dry_ = received.size < scratch.size();
      const Line before = line();
      reading = feed(std::string_view(scratch.data(), received.size));
      if (line() != before) late_ = false;  // what the deadline was for has come: the next part has its own
      continue;
    }
    if (received.kind != Received::Kind::Nothing) co_return Reading::Gone;
    seen_empty_ = at;
    if (late_) {
      if (!begun_) co_return Reading::Idle;
      status_ = 408;
      reading = Reading::Bad;
      break;
    }
    if (!waits_in(line())) server_->set_deadline(*this, line());
    late_ = !co_await wait(tcp::socket::wait_read);
    if (!socket_.is_open()) co_return Reading::Gone;
  }
  server_->clear_deadline(*this);
  co_return reading;
}

asio::awaitable<bool> Connection::send_continue() {
  continued_ = true;
  if (!parser_.awaits_continue()) co_return true;
  co_return co_await write_all(kContinue, std::string_view());
}

Connection::Reading Connection::feed(std::string_view fresh) {
  read_at_ = now();
  std::string_view bytes = fresh;
  if (!rest_.empty()) {
    rest_ += fresh;
    bytes = rest_;
  }
  if (!begun_) {
    while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112, section 2.2: empty lines ahead of a request
    if (bytes.empty() || bytes == "\r") {
      rest_ = std::string(bytes);
      return Reading::More;
    }
    begun_ = true;
  }
  const Reading reading = put(bytes);
  if (reading != Reading::More && reading != Reading::Whole) rest_.clear();
  return reading;
}

Connection::Reading Connection::put(std::string_view bytes) {
  if (!found_ && !admitted(bytes)) {
    // Others have a body, which comes yet though nothing is unread now.
    dry_ = dry_ && bytes.ends_with("\r\n\r\n") && (method_ == "GET" || method_ == "HEAD");
    waited_ = read_at_ - arrived_;
    return Reading::Refused;
  }
  const RequestParser::Step step = parser_.put(bytes);
  bytes.remove_prefix(step.used);
  state_ = step.state;
  if (state_ == RequestParser::State::Bad) {
    status_ = step.status;
    return Reading::Bad;
  }
  dry_ = dry_ && bytes.empty();
  if (rest_.empty() || bytes.empty()) {
    rest_.assign(bytes);
  } else {
    rest_.erase(0, rest_.size() - bytes.size());
  }
  if (bytes.empty() && rest_.capacity() > server_->options().max_header_bytes) rest_.shrink_to_fit();
  return state_ == RequestParser::State::Whole ? Reading::Whole : Reading::More;
}

bool Connection::admitted(std::string_view bytes) {
  const auto line = request_line(bytes);
  if (!line) return true;  // not there yet, or for the parser to refuse
  found_ = server_->routes().find(line->method, line->target);
  method_ = line->method;
  OverloadGuard* const guard = server_->options().guard;
  if (guard == nullptr) return true;
  Arrival arrival;
  if (found_->route) arrival.request_class = server_->route(*found_->route).request_class;
  arrival.at = moment(arrived_);
  const Verdict verdict = guard->admit(arrival, moment(now()));
  admitted_ = verdict.admitted;
  retry_after_s_ = verdict.retry_after_s;
  return verdict.admitted;
}

bool Connection::may_start(base::Mono at) {
  waited_ = at - arrived_;
  OverloadGuard* const guard = server_->options().guard;
  if (guard == nullptr || !admitted_) return true;
  Arrival arrival;
  if (found_ && found_->route) arrival.request_class = server_->route(*found_->route).request_class;
  arrival.at = moment(arrived_);
  admitted_ = false;
  const Verdict verdict = guard->start(arrival, moment(at));
  started_ = verdict.admitted && arrival.request_class != RequestClass::System;
  retry_after_s_ = verdict.retry_after_s;
  return verdict.admitted;
}

}  // namespace galley::http
