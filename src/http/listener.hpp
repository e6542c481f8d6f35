#pragma once
// A listening socket. Thread-safety: none.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "galley/error.hpp"
#include "galley/http/server.hpp"

namespace galley::http {

class Listener {
 public:
  enum class Took : std::uint8_t {
    Connection,
    Nothing,  ///< none is there
    Failed,   ///< out of descriptors or memory: it stays with the kernel
  };

  explicit Listener(boost::asio::any_io_executor executor) : acceptor_(std::move(executor)) {}

  /// The port. Errors: InvalidInput, WrongState (it listens already), Io.
  [[nodiscard]] Result<std::uint16_t> open(const HttpOptions& options);
  [[nodiscard]] bool is_open() const { return acceptor_.is_open(); }
  /// Never blocks. The socket is open only for Took::Connection.
  [[nodiscard]] Took accept(boost::asio::ip::tcp::socket& socket, std::string& peer);
  /// A connection is there to be accepted, as of now.
  [[nodiscard]] bool has_waiting();
  /// Calls `ready` when there may be a connection; not when it is closed before.
  void wait(std::function<void()> ready);
  /// What the kernel may hold from now on; 0: as many as open() said.
  void set_backlog(int backlog);
  /// From here on the kernel drops what would begin a new connection, as if it were lost on the way; those whose
  /// handshake is under way are completed. Who is dropped tries again in a second, and then finds the port closed,
  /// before it has sent anything. Closing at once would reset connections whose clients have sent their request
  /// already.
  void drop_newcomers();
  void close();

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp protocol_ = boost::asio::ip::tcp::v4();
  int opened_with_ = 0;  ///< the backlog
  int backlog_ = 0;      ///< now
};

}  // namespace galley::http
