#pragma once
// Makes requests of bytes: Boost.Beast's parser, so that its headers stay in one translation unit.
//
// Thread-safety: none.

#include <cstdint>
#include <memory>
#include <string_view>

#include "galley/http/message.hpp"
#include "http/routes.hpp"

namespace galley::http {

class RequestParser {
 public:
  enum class State : std::uint8_t { Head, Body, Whole, Bad };
  struct Step {
    std::size_t used = 0;  ///< bytes; those behind them must be there again at the next call
    State state = State::Head;
    int status = 0;  ///< of Bad: how to answer
  };

  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  [[nodiscard]] Step put(std::string_view bytes);
  /// From its head on.
  [[nodiscard]] bool keeps_alive() const;
  /// The client waits for 100 (Continue) before it sends the body.
  [[nodiscard]] bool awaits_continue() const;
  /// When it is Whole; then reset().
  [[nodiscard]] HttpRequest take(Parameters parameters, std::string_view peer);
  void reset();

  static void set_waited(HttpRequest& request, Duration waited) noexcept;

 private:
  [[nodiscard]] Step put_first(std::string_view bytes, std::size_t used);
  [[nodiscard]] Step judge_head(std::size_t used) const;

  struct Beast;
  std::unique_ptr<Beast> beast_;
  std::size_t max_header_bytes_;
  std::size_t max_body_bytes_;
};

}  // namespace galley::http
