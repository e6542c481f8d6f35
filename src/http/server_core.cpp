#include "http/server_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "http/connection.hpp"
#include "http/response_text.hpp"

namespace galley::http {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kScratchBytes = 64 << 10;
constexpr int kAcceptsATurn = 64;                                    // then others get one
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);     // when there are no descriptors, or no room
constexpr Duration kLastHandshakes = std::chrono::milliseconds(50);  // a round trip or two
constexpr Duration kLingerTime = std::chrono::seconds(2);            // for a client to read its last answer

HttpTimes times_of(const telemetry::HdrHistogram& histogram) {
  const auto at = [&](double q) { return std::chrono::ceil<Duration>(histogram.quantile(q)); };
  HttpTimes times;
  times.count = histogram.count();
  times.mean = std::chrono::ceil<Duration>(histogram.mean());
  times.p50 = at(0.5);
  times.p90 = at(0.9);
  times.p99 = at(0.99);
  times.p999 = at(0.999);
  times.max = std::chrono::ceil<Duration>(histogram.max());
  return times;
}

}  // namespace

ServerCore::ServerCore(asio::any_io_executor executor, HttpOptions options)
    : executor_(executor),
      options_(std::move(options)),
      scratch_(kScratchBytes),
      listener_(executor),
      accept_timer_(executor),
      deadlines_({options_.idle_timeout, options_.idle_grace, options_.header_timeout, options_.body_timeout,
                  options_.write_timeout, kLingerTime}),
      timer_(executor) {}

void ServerCore::add(std::string_view method, std::string_view pattern, HttpHandler handler, RequestClass request_class,
                     const boost::source_location& where) {
  const auto number = routes_.add(method, pattern);
  if (!number) throw Exception(number.error());
  auto route = std::make_unique<Route>(method, pattern, where);
  route->request_class = request_class;
  route->handler = std::move(handler);
  handlers_.push_back(std::move(route));
}

Result<std::uint16_t> ServerCore::listen() {
  if (stopping_) return Error{Errc::WrongState, "the server has been stopped"};
  auto port = listener_.open(options_);
  if (!port) return port;
  seen_empty_ = clock_.mono();
  wait_for_connections();
  return port;
}

void ServerCore::wait_for_connections() {
  if (awaits_connections_ || !listener_.is_open()) return;
  awaits_connections_ = true;
  listener_.wait([self = shared_from_this()] {
    self->awaits_connections_ = false;
    self->accept_some();
  });
}

void ServerCore::accept_some() {
  if (!listener_.is_open()) return;
  for (int taken = 0; taken < kAcceptsATurn; ++taken) {
    if (accept_one() != Accepted::One) return;
  }
  wait_for_connections();  // which comes back at once, behind the others
}

/// Unless it took one, it is arranged that there will be another look.
ServerCore::Accepted ServerCore::accept_one() {
  const base::Mono now = clock_.mono();
  // At a stop all that the kernel has are taken: they are bounded by the backlog, and nobody else would serve them.
  if (!stopping_) {
    const bool full = open_ >= options_.max_connections;
    // While nobody waits, none need give way, and the guard counts what it lets through.
    if ((full || options_.guard != nullptr) && !listener_.has_waiting()) {
      seen_empty_ = now;
      wait_for_connections();
      return Accepted::None;
    }
    if (full) {
      make_room();
      accept_again_at(now + kAcceptPause);  // all were busy, or the one that was to give way has got a byte
      return Accepted::Later;
    }
    if (options_.guard != nullptr) {
      const AcceptAnswer answer = options_.guard->accept(now.time_since_epoch());
      listener_.set_backlog(answer.backlog);
      if (!answer.open) {
        accept_again_at(base::Mono(std::chrono::ceil<Duration>(answer.ask_at)));
        return Accepted::Later;
      }
    }
  }
  asio::ip::tcp::socket socket(executor_);
  std::string peer;
  switch (listener_.accept(socket, peer)) {
    case Listener::Took::Connection: start(std::move(socket), std::move(peer)); return Accepted::One;
    case Listener::Took::Nothing:
      seen_empty_ = now;
      wait_for_connections();
      return Accepted::None;
    case Listener::Took::Failed: break;
  }
  ++counts_.accept_errors;
  accept_again_at(now + kAcceptPause);
  return Accepted::Later;
}

void ServerCore::accept_again_at(base::Mono moment) {
  accept_timer_.expires_after(std::max(Duration{0}, moment - clock_.mono()));
  accept_timer_.async_wait([self = shared_from_this()](boost::system::error_code fault) {
    if (!fault) self->accept_some();
  });
}

/// The connection that has been idle for longest gives way, if there is one; when it has ended there is another look.
void ServerCore::make_room() {
  auto* const oldest = deadlines_.oldest(kIdle);
  if (oldest == nullptr) return;
  deadlines_.clear(*oldest);
  oldest->expired();
}

void ServerCore::start(asio::ip::tcp::socket socket, std::string peer) {
  ++counts_.accepted;
  ++open_;
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(peer), seen_empty_);
  auto ended = [self = shared_from_this(), connection](const std::exception_ptr&) mutable {
    connection.reset();
    self->ended();
  };
  const auto slot = connection->slot();
  asio::co_spawn(executor_, Connection::run(connection), asio::bind_cancellation_slot(slot, std::move(ended)));
}

void ServerCore::ended() {
  const bool was_full = open_-- >= options_.max_connections;
  if (was_full && !stopping_) accept_some();
  tell_if_drained();
}

void ServerCore::stop_accepting() {
  if (stopping_) return;
  stopping_ = true;
  // Before any that are accepted now: a line is in the order in which its members began to wait.
  while (auto* const idle = deadlines_.oldest(kIdle)) deadlines_.set(*idle, kLastCall, idle->since());
  if (listener_.is_open()) {
    listener_.drop_newcomers();
    accept_timer_.cancel();
    accept_some();
    auto timer = std::make_shared<asio::steady_timer>(executor_, kLastHandshakes);
    timer->async_wait([self = shared_from_this(), timer](boost::system::error_code) { self->close_port(); });
  } else {
    port_closed_ = true;
  }
  if (const auto next = deadlines_.next()) arm(*next);
}

void ServerCore::close_port() {
  if (port_closed_) return;
  Accepted last = Accepted::One;
  while (last == Accepted::One) last = accept_one();
  if (last == Accepted::Later && open_ > 0) {  // no descriptor: one comes free when a connection ends
    auto timer = std::make_shared<asio::steady_timer>(executor_, kAcceptPause);
    timer->async_wait([self = shared_from_this(), timer](boost::system::error_code) { self->close_port(); });
    return;
  }
  accept_timer_.cancel();
  listener_.close();
  port_closed_ = true;
  tell_if_drained();
}

void ServerCore::tell_if_drained() {
  if (!port_closed_ || open_ > 0) return;
  const auto drained = std::exchange(drained_, {});
  for (const auto& tell : drained) tell();
}

void ServerCore::drain(std::function<void()> drained) {
  stop_accepting();
  drained_.push_back(std::move(drained));
  tell_if_drained();
}

void ServerCore::cancel() {
  std::vector<std::shared_ptr<Connection>> all;
  for (Connection* connection : connections_) all.push_back(connection->shared_from_this());
  for (const auto& connection : all) connection->cancel();
}

void ServerCore::close() {
  stopping_ = true;
  std::vector<std::shared_ptr<Connection>> all;
  for (Connection* connection : connections_) all.push_back(connection->shared_from_this());
  for (const auto& connection : all) connection->close();
  accept_timer_.cancel();
  listener_.close();
  timer_.cancel();
  port_closed_ = true;
  tell_if_drained();
}

std::string ServerCore::left() const {
  if (open_ == 0) return {};
  const auto counted = [](int number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  return counted(counts_.in_flight, "request") + " on " + counted(open_, "connection");
}

const std::string& ServerCore::date() {
  const Time now = clock_.wall();
  const auto second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second != date_s_) {
    date_s_ = second;
    date_ = http_date(now);
  }
  return date_;
}

const std::string& ServerCore::refusal(int retry_after_s) {
  const auto [at, is_new] = refusals_.try_emplace(retry_after_s);
  if (is_new) {
    at->second = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + std::to_string(retry_after_s) +
                 "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  }
  return at->second;
}

void ServerCore::set_deadline(Connection& connection, Line line) {
  deadlines_.set(connection, line, clock_.mono());
  arm(*deadlines_.next());
}

void ServerCore::clear_deadline(Connection& connection) noexcept { deadlines_.clear(connection); }

/// A timer that fires too early costs a look; setting it anew for each request would cost one each time.
void ServerCore::arm(base::Mono moment) {
  if (armed_ && *armed_ <= moment) return;
  armed_ = moment;
  timer_.expires_after(std::max(Duration{0}, moment - clock_.mono()));
  timer_.async_wait([self = shared_from_this()](boost::system::error_code fault) {
    if (!fault) self->deadlines_came();
  });
}

void ServerCore::deadlines_came() {
  armed_.reset();
  const base::Mono now = clock_.mono();
  while (auto* const member = deadlines_.take_due(now)) member->expired();
  if (const auto next = deadlines_.next()) arm(*next);
}

void ServerCore::record(const HttpLogEntry& entry, std::optional<std::size_t> number) {
  ++counts_.requests;
  if (entry.error) ++counts_.failed;
  if (!entry.complete) ++counts_.lost;
  durations_.add(entry.duration);
  waits_.add(entry.waited);
  if (number) {
    Route& of = route(*number);
    ++of.statuses[std::min(entry.status / 100, 5)];
    of.durations.add(entry.duration);
  }
  if (options_.on_request) options_.on_request(entry);
}

HttpStats ServerCore::stats() const {
  HttpStats stats = counts_;
  stats.connections = open_;
  stats.durations = times_of(durations_);
  stats.waits = times_of(waits_);
  for (const auto& route : handlers_) {
    HttpRouteStats& of = stats.routes.emplace_back();
    of.method = route->method;
    of.pattern = route->pattern;
    std::copy(std::begin(route->statuses), std::end(route->statuses), std::begin(of.statuses));
    of.durations = times_of(route->durations);
  }
  return stats;
}

}  // namespace galley::http
