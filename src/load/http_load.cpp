#include "load/http_load.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <charconv>
#include <memory>
#include <optional>
#include <span>

#include "base/text.hpp"
#include "galley/runtime/loop.hpp"

namespace galley::load {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kLookEvery = std::chrono::milliseconds(50);  // at `stopping`
constexpr std::size_t kWasteBytes = 64 << 10;
constexpr std::size_t kTurn = 1'000;  // requests that are taken up before answers are looked at again

using Request = http::request<http::string_body>;

Request request_of(const HttpLoad& load) {
  Request request;
  request.method_string(load.request.method);
  request.target(load.target.path);
  request.version(11);
  request.set(http::field::host, load.target.authority);
  request.set(http::field::user_agent, "galley-load");
  for (const auto& [name, value] : load.request.headers) request.set(name, value);
  request.body() = load.request.body;
  request.prepare_payload();
  return request;
}

/// One kept connection, which sends a request when it is told to. Connects on demand.
class Connection {
 public:
  using Ended = std::function<void(const Outcome&)>;

  /// `waste` takes what is read and not looked at; all connections of a thread may share it.
  Connection(Loop& loop, const tcp::resolver::results_type& addresses, const Request& request, Duration timeout,
             std::span<char> waste)
      : stream_(loop.context()), addresses_(addresses), request_(request), timeout_(timeout), waste_(waste) {}

  /// `ended` is called once, from the loop; not from inside this call.
  void send(const Ended& ended) {
    ended_ = ended;
    stream_.expires_after(timeout_);
    if (stream_.socket().is_open()) {
      write();
    } else {
      connect();
    }
  }

 private:
  void connect() {
    stream_.async_connect(addresses_, [this](error_code fault, const tcp::endpoint&) {
      if (fault) return fail(fault, Outcome::Kind::Refused);
      stream_.socket().set_option(tcp::no_delay(true), fault);
      write();
    });
  }

  void write() {
    http::async_write(stream_, request_, [this](error_code fault, std::size_t) {
      if (fault) return fail(fault, Outcome::Kind::Broken);
      parser_.emplace();
      parser_->body_limit(kMaxAnswerBytes);
      parser_->skip(request_.method() == http::verb::head);
      read();
    });
  }

  void read() {
    parser_->get().body().data = waste_.data();
    parser_->get().body().size = waste_.size();
    http::async_read(stream_, buffer_, *parser_, [this](error_code fault, std::size_t) {
      if (fault == http::error::need_buffer) return read();
      if (fault) return fail(fault, Outcome::Kind::Broken);
      const auto status = static_cast<int>(parser_->get().result_int());
      if (!parser_->get().keep_alive()) close();
      end({Outcome::Kind::Answered, status});
    });
  }

  void fail(error_code fault, Outcome::Kind kind) {
    close();
    end({fault == beast::error::timeout ? Outcome::Kind::TimedOut : kind, 0});
  }

  void close() {
    stream_.close();
    buffer_.clear();
  }

  void end(const Outcome& outcome) {
    stream_.expires_never();
    const Ended ended = std::move(ended_);
    ended(outcome);
  }

  beast::tcp_stream stream_;
  const tcp::resolver::results_type& addresses_;
  const Request& request_;
  Duration timeout_;
  std::span<char> waste_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  Ended ended_;
};

/// Asks the open loop what to do, and does it.
class Runner {
 public:
  Runner(const HttpLoad& load, Plan plan, const base::Clock& clock, const std::atomic<bool>& stopping)
      : load_(load),
        plan_(std::move(plan), load.connections, load.deadline),
        clock_(clock),
        stopping_(stopping),
        request_(request_of(load)),
        connections_(static_cast<std::size_t>(load.connections)),
        timer_(loop_.context()),
        look_(loop_.context()) {}

  Result<Report> run() {
    error_code fault;
    addresses_ = tcp::resolver(loop_.context()).resolve(load_.target.host, load_.target.port, fault);
    if (fault) {
      return Error{Errc::NotFound,
                   "url: the host " + base::quoted(load_.target.host) + " has no address: " + fault.message()};
    }
    began_ = clock_.mono();
    look();
    take_up();
    loop_.run();
    return plan_.report();
  }

 private:
  [[nodiscard]] Moment now() const { return clock_.mono() - began_; }

  void take_up() {
    for (const int connection : plan_.due(now(), kTurn)) send(connection);
    if (plan_.over()) return end();
    const auto next = plan_.next();
    if (!next) return;
    timer_.expires_after(std::max(Moment{0}, *next - now()));
    timer_.async_wait([this](error_code fault) {
      if (!fault) take_up();
    });
  }

  void send(int number) {
    auto& connection = connections_[static_cast<std::size_t>(number)];
    if (!connection) connection = std::make_unique<Connection>(loop_, addresses_, request_, load_.timeout, waste_);
    connection->send([this, number](const Outcome& outcome) {
      if (plan_.ended(number, now(), outcome)) send(number);
      if (plan_.over()) end();
    });
  }

  void look() {
    look_.expires_after(kLookEvery);
    look_.async_wait([this](error_code fault) {
      if (fault || plan_.over()) return;  // over: end() came too late to cancel it
      if (!stopping_) return look();
      timer_.cancel();
      plan_.stop(now());
      if (plan_.over()) end();
    });
  }

  void end() {
    timer_.cancel();
    look_.cancel();
  }

  const HttpLoad& load_;
  OpenLoop plan_;
  const base::Clock& clock_;
  const std::atomic<bool>& stopping_;
  Request request_;
  std::vector<char> waste_ = std::vector<char>(kWasteBytes);
  Loop loop_;
  tcp::resolver::results_type addresses_;
  std::vector<std::unique_ptr<Connection>> connections_;
  asio::steady_timer timer_;
  asio::steady_timer look_;
  base::Mono began_{};
};

}  // namespace

namespace {

/// Boost's port_number() of 99999 is 34463.
bool is_port(std::string_view digits) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && number > 0;
}

}  // namespace

Result<HttpTarget> target_from(std::string_view url) {
  const auto refused = [&](const std::string& why) {
    return Error{Errc::InvalidInput,
                 "url " + base::quoted(url) + ": " + why + "; as in http://localhost:8080/compute?n=30"};
  };
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return refused("is not a URL");
  if (parsed->scheme() != "http") return refused("only http is spoken here");
  if (parsed->host().empty()) return refused("names no host");
  if (parsed->has_userinfo()) return refused("a user and a password are not sent; use --header");
  if (parsed->has_port() && !is_port(parsed->port())) return refused("its port must be 1..65535");
  HttpTarget target;
  target.host = parsed->host_address();
  if (!base::is_printable(target.host)) return refused("its host has bytes that no name has");  // written as %0a
  target.port = parsed->has_port() ? std::string(parsed->port()) : "80";
  target.authority = std::string(parsed->encoded_host_and_port());
  target.path = std::string(parsed->encoded_path());
  if (target.path.empty()) target.path = "/";
  if (!target.path.starts_with('/')) return refused("its port is followed by something else");  // "host:80:80/path"
  if (parsed->has_query()) target.path += "?" + std::string(parsed->encoded_query());
  return target;
}

Result<void> validate(const HttpRequest& request) {
  const auto is_token = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of(
                                "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                                std::string_view::npos;  // RFC 9110, section 5.6.2
  };
  if (!is_token(request.method)) {
    return Error{Errc::InvalidInput, "method " + base::quoted(request.method) + " is not one word like GET or POST"};
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return Error{Errc::InvalidInput, "header " + base::quoted(name) + " is not a header's name"};
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return Error{Errc::InvalidInput, "header " + base::quoted(name) + ": its value must be one line"};
    }
  }
  if (request.body.size() > kMaxRequestBytes) {
    return Error{Errc::InvalidInput,
                 "body of " + std::to_string(request.body.size()) + " bytes: at most 16777216 are allowed"};
  }
  return {};
}

Result<Report> run_http(const HttpLoad& load, Plan plan, const base::Clock& clock, const std::atomic<bool>& stopping) {
  try {
    return Runner(load, std::move(plan), clock, stopping).run();
  } catch (const boost::system::system_error& failure) {  // no descriptors for the loop itself
    return Error{Errc::Io, std::string("the load test cannot go on: ") + failure.what()};
  }
}

}  // namespace galley::load
