#pragma once
// One connection: reads requests, has them answered one after the other, and ends so that no answer is lost.
//
// Thread-safety: none; all of it on the loop.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>

#include "http/arrival.hpp"
#include "http/request_parser.hpp"
#include "http/server_core.hpp"

namespace galley::http {

class Connection final : public Deadlines::Member, public std::enable_shared_from_this<Connection> {
 public:
  /// `seen_empty`: a moment at which it was not there yet.
  Connection(std::shared_ptr<ServerCore> server, boost::asio::ip::tcp::socket socket, std::string peer,
             base::Mono seen_empty);
  ~Connection() override;

  /// Until it has ended.
  static boost::asio::awaitable<void> run(std::shared_ptr<Connection> connection);
  /// Bound to run().
  [[nodiscard]] boost::asio::cancellation_slot slot() { return cancellation_.slot(); }
  /// Ends what the handler awaits; without one, nothing.
  void cancel();
  void close();
  /// No byte of a request has come.
  [[nodiscard]] bool is_idle() const noexcept { return waits_in(kIdle) || waits_in(kLastCall); }
  /// Closes an idle connection, unless a byte has come by now.
  void expired() override;

 private:
  /// How reading a request has ended.
  enum class Reading : std::uint8_t {
    More,  ///< it has not
    Whole,
    Bad,      ///< answer with status_
    Refused,  ///< by the guard: answer with retry_after_s_
    Idle,     ///< none came
    Gone,     ///< the client
  };

  void begin_request();
  boost::asio::awaitable<Reading> read_request();
  boost::asio::awaitable<bool> send_continue();
  /// What has come, with what was left of it the last time.
  Reading feed(std::string_view fresh);
  Reading put(std::string_view bytes);
  /// Who asks for what, as soon as the first line is there: the guard may refuse it before the rest is looked at.
  bool admitted(std::string_view bytes);
  [[nodiscard]] Line line() const noexcept;

  /// False: the connection is to end.
  boost::asio::awaitable<bool> answer_request();
  boost::asio::awaitable<bool> answer_bad();
  boost::asio::awaitable<bool> answer_refused();
  boost::asio::awaitable<HttpResponse> handle(HttpRequest& request);
  [[nodiscard]] HttpResponse without_route() const;
  bool may_start(base::Mono now);
  boost::asio::awaitable<bool> write(const HttpResponse& response, bool head_only, bool closes);
  boost::asio::awaitable<bool> write_all(std::string_view head, std::string_view body);
  [[nodiscard]] bool has_more_ahead() const noexcept;
  void log(int status, bool complete, const std::exception_ptr& error);

  boost::asio::awaitable<void> linger();
  /// False: its deadline has come, or it is closed.
  boost::asio::awaitable<bool> wait(boost::asio::ip::tcp::socket::wait_type what);
  [[nodiscard]] base::Mono now() const noexcept { return server_->clock().mono(); }

  std::shared_ptr<ServerCore> server_;
  boost::asio::ip::tcp::socket socket_;
  std::string peer_;
  RequestParser parser_;
  boost::asio::cancellation_signal cancellation_;
  bool handling_ = false;
  bool cancelled_ = false;

  base::Mono seen_empty_;    ///< no byte that has not been read came before this
  std::string rest_;         ///< what has come and is not parsed; bounded by a head and a look at the socket
  base::Mono rest_arrived_;  ///< when the last of it came

  // Of the request that is being read or answered.
  RequestParser::State state_ = RequestParser::State::Head;
  bool begun_ = false;      ///< its first byte has come
  bool continued_ = false;  ///< its client was told to send the body
  bool admitted_ = false;   ///< by the guard, and neither started nor abandoned
  bool started_ = false;    ///< by the guard, which wants to know how long it took
  bool late_ = false;       ///< its deadline has come: what is there is looked at once more
  bool dry_ = false;        ///< nothing is unread, and nothing will come, as far as is known
  bool stuck_ = false;      ///< the kernel did not take the last text at once
  int status_ = 0;
  int retry_after_s_ = 0;
  std::optional<Routes::Found> found_;
  std::string method_;
  base::Mono read_at_{};   ///< when the last that has come was read
  base::Mono arrived_{};   ///< when the kernel had its last byte
  base::Mono answered_{};  ///< when the one before it was answered: it has not waited before that
  Duration waited_{0};
  std::uint64_t sent_ = 0;
};

}  // namespace galley::http
