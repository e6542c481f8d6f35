#include "http/request_parser.hpp"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <optional>
#include <vector>

namespace galley {

namespace {
namespace beast = boost::beast::http;
using Message = beast::request<beast::string_body>;

std::string_view view(boost::beast::string_view text) noexcept { return {text.data(), text.size()}; }
boost::beast::string_view beast_view(std::string_view text) noexcept { return {text.data(), text.size()}; }
}  // namespace

struct HttpRequest::Content {
  Message message;
  http::Parameters parameters;
  std::string peer;
  Duration waited{0};
};

HttpRequest::HttpRequest(std::string_view method, std::string_view target, std::string body)
    : content_(std::make_unique<Content>()) {
  content_->message.method_string(beast_view(method));
  content_->message.target(beast_view(target));
  content_->message.body() = std::move(body);
}
HttpRequest::~HttpRequest() = default;
HttpRequest::HttpRequest(HttpRequest&&) noexcept = default;
HttpRequest& HttpRequest::operator=(HttpRequest&&) noexcept = default;

std::string_view HttpRequest::method() const noexcept { return view(content_->message.method_string()); }
std::string_view HttpRequest::target() const noexcept { return view(content_->message.target()); }
std::string_view HttpRequest::path() const noexcept { return http::path_of(target()); }

std::optional<std::string> HttpRequest::query(std::string_view name) const {
  std::string_view rest = http::query_of(target());
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (http::decoded(pair.substr(0, equals), true) != name) continue;
    return http::decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

std::string_view HttpRequest::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : content_->parameters) {
    if (key == name) return value;
  }
  return {};
}

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  const auto found = content_->message.find(beast_view(name));
  if (found == content_->message.end()) return std::nullopt;
  return view(found->value());
}

const std::string& HttpRequest::body() const noexcept { return content_->message.body(); }
std::string_view HttpRequest::peer() const noexcept { return content_->peer; }
Duration HttpRequest::waited() const noexcept { return content_->waited; }

namespace http {

struct RequestParser::Beast {
  std::optional<beast::request_parser<beast::string_body>> parser;
  std::size_t head_bytes = 0;
  std::vector<const Message::value_type*> headers;  ///< of a chunked request, sorted: what stood in its head

  /// What a client sends behind the body is no header (RFC 9110, section 6.5.1), though Beast puts it among them.
  void drop_trailers() {
    auto& message = parser->get();
    for (auto at = message.begin(); !headers.empty() && at != message.end();) {
      const bool in_head = std::binary_search(headers.begin(), headers.end(), &*at, std::less<>());
      at = in_head ? std::next(at) : message.erase(at);
    }
  }
  void note_headers() {
    for (const auto& header : parser->get()) headers.push_back(&header);
    std::sort(headers.begin(), headers.end(), std::less<>());
  }
};

RequestParser::RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : beast_(std::make_unique<Beast>()), max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes) {
  reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  auto& parser = beast_->parser.emplace();
  beast_->head_bytes = 0;
  beast_->headers.clear();
  parser.header_limit(static_cast<std::uint32_t>(max_header_bytes_));
  parser.body_limit(max_body_bytes_);
}

RequestParser::Step RequestParser::put(std::string_view bytes) {
  auto& parser = *beast_->parser;
  const bool had_head = parser.is_header_done();
  parser.eager(had_head);  // the head alone: it is judged before anything of the body, or behind it, is read
  boost::system::error_code fault;
  const std::size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), fault);
  if (!had_head) beast_->head_bytes += used;
  if (fault == beast::error::header_limit) {
    const bool long_line =
        parser.get().target().empty() && bytes.substr(0, max_header_bytes_).find("\r\n") == std::string_view::npos;
    return {used, State::Bad, long_line ? 414 : 431};
  }
  if (fault == beast::error::body_limit) return {used, State::Bad, 413};
  if (fault == beast::error::bad_version) return {used, State::Bad, 505};
  if (fault && fault != beast::error::need_more) return {used, State::Bad, 400};
  if (!parser.is_header_done()) return {used, State::Head, 0};
  if (!had_head) return put_first(bytes, used);
  // The parser leaves what it waits for the end of, the head of a chunk or a trailer, and has no bound of its own.
  if (!parser.is_done() && bytes.size() - used > max_header_bytes_) return {used, State::Bad, 431};
  if (!parser.is_done()) return {used, State::Body, 0};
  beast_->drop_trailers();
  return {used, State::Whole, 0};
}

/// Behind the head, which has just been read.
RequestParser::Step RequestParser::put_first(std::string_view bytes, std::size_t used) {
  if (beast_->head_bytes > max_header_bytes_) return {used, State::Bad, 431};  // Beast counts the first line apart
  const Step head = judge_head(used);
  if (head.state != State::Body) return head;
  if (beast_->parser->chunked()) beast_->note_headers();
  Step step = put(bytes.substr(used));
  step.used += used;
  return step;
}

RequestParser::Step RequestParser::judge_head(std::size_t used) const {
  const auto& parser = *beast_->parser;
  const auto& message = parser.get();
  const auto hosts = message.count(beast::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) return {used, State::Bad, 400};  // RFC 9112, section 3.2
  // The length of a body in another coding cannot be known; taking it for none would make a request of it (section
  // 6.3). So does Beast where "chunked" stands twice, though chunked() is true of it then: nothing but the one word.
  const auto codings = message.count(beast::field::transfer_encoding);
  const bool is_chunked = boost::beast::iequals(message[beast::field::transfer_encoding], "chunked");
  if (codings > 1 || (codings == 1 && (!is_chunked || message.version() < 11))) return {used, State::Bad, 400};
  return {used, parser.is_done() ? State::Whole : State::Body, 0};
}

bool RequestParser::keeps_alive() const {
  const auto& message = beast_->parser->get();
  return message.version() >= 11 && message.keep_alive();  // in 1.0 it would have to be granted
}

bool RequestParser::awaits_continue() const {
  const auto& message = beast_->parser->get();
  return message.version() >= 11 && boost::beast::iequals(message[beast::field::expect], "100-continue");
}

HttpRequest RequestParser::take(Parameters parameters, std::string_view peer) {
  HttpRequest request;
  auto& content = *request.content_;
  content.message = beast_->parser->release();
  content.parameters = std::move(parameters);
  content.peer = peer;
  return request;
}

void RequestParser::set_waited(HttpRequest& request, Duration waited) noexcept { request.content_->waited = waited; }

}  // namespace http
}  // namespace galley
