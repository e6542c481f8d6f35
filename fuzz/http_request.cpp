#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "http/request_parser.hpp"

namespace galley::fuzz {

namespace {

constexpr std::size_t kMaxHeaderBytes = 1'024;
constexpr std::size_t kMaxBodyBytes = 256;

struct Seen {
  std::string method, target, body, host;
  bool keeps_alive = false;
  int status = 0;  ///< 0: it was read whole
  bool operator==(const Seen& other) const {
    return std::tie(method, target, body, host, keeps_alive, status) ==
           std::tie(other.method, other.target, other.body, other.host, other.keeps_alive, other.status);
  }
};

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return all;
}

/// `head` is what was sent up to the empty line; nothing behind it is a header.
void check_headers(const HttpRequest& request, std::string_view head) {
  const std::string lines = lower(head);
  for (const std::string name : {"host", "x-a", "content-length", "transfer-encoding", "expect"}) {
    const auto value = request.header(name);
    if (!value) continue;
    require(lines.find("\r\n" + name + ":") != std::string::npos, "a header stands in the head", name);
    require(value->find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a header is one line", *value);
  }
  require(request.header("host") || head.find("HTTP/1.0") != std::string::npos, "a request has a host", head);
  require(!request.header("content-length") || !request.header("transfer-encoding"), "a body has one length", head);
  if (const auto length = request.header("content-length"); length && length->find(',') == std::string::npos) {
    require(std::to_string(request.body().size()) ==
                length->substr(std::min(length->find_first_not_of('0'), length->size() - 1)),
            "a body is as long as its head says", *length);
  }
}

Seen seen_of(http::RequestParser& parser, const std::string& head) {
  Seen seen;
  seen.keeps_alive = parser.keeps_alive();
  const HttpRequest request = parser.take({}, "");
  seen.method = request.method();
  seen.target = request.target();
  seen.body = request.body();
  seen.host = request.header("host").value_or("");
  const auto line = http::request_line(head);
  require(line && line->method == seen.method && line->target == seen.target,
          "what the guard and the routes see is what is answered", head);
  require(seen.body.size() <= kMaxBodyBytes, "a body is bounded");
  check_headers(request, head);
  const auto query = request.query("a");
  require(!query || query->size() <= seen.target.size(), "a value is part of its target");
  return seen;
}

/// As a connection does it: what is not used is there again, with what has come since.
std::vector<Seen> read_in_pieces(std::string_view stream, std::size_t piece) {
  http::RequestParser parser(kMaxHeaderBytes, kMaxBodyBytes);
  std::vector<Seen> all;
  std::size_t begin = 0;  // of the request
  std::size_t used = 0;
  std::size_t come = 0;
  while (true) {
    const auto step = parser.put(stream.substr(used, come - used));
    require(step.used <= come - used, "no more is used than has come");
    used += step.used;
    if (step.state == http::RequestParser::State::Bad) {
      require(step.status >= 400 && step.status <= 505, "what is refused has an answer");
      all.push_back({"", "", "", "", false, step.status});
      return all;
    }
    if (step.state == http::RequestParser::State::Whole) {
      const auto end = stream.find("\r\n\r\n", begin);
      require(end < used, "a request has an end of its head");
      all.push_back(seen_of(parser, std::string(stream.substr(begin, end + 4 - begin))));
      if (!all.back().keeps_alive || used == stream.size()) return all;
      parser.reset();
      begin = used;
      continue;
    }
    require(come - used <= 3 * kMaxHeaderBytes + piece, "what waits for more is bounded");
    if (come == stream.size()) return all;
    come = std::min(stream.size(), come + piece);
  }
}

void check_routes(const Seen& seen) {
  static const http::Routes routes = [] {
    http::Routes made;
    for (const char* const pattern : {"/", "/jobs", "/jobs/{id}", "/jobs/{id}/log", "/{any}/{other}"}) {
      require(made.add("GET", pattern).has_value(), "a route can be added");
    }
    return made;
  }();
  const auto found = routes.find(seen.method, seen.target);
  require(!found.route || (*found.route < routes.size() && found.allow.empty() && !found.malformed),
          "a path is found, or it is said why not", seen.target);
  require(found.route || found.parameters.empty(), "only a route has parameters", seen.target);
  for (const auto& [name, value] : found.parameters) {
    require(!value.empty() && value.size() <= seen.target.size(), "a parameter is part of its path", value);
  }
}

}  // namespace

/// A byte for the size of the pieces in which it comes, then what comes on a connection.
void http_request(std::string_view input) {
  Bytes bytes(input);
  const std::size_t piece = 1 + bytes.byte();
  std::vector<Seen> whole = read_in_pieces(bytes.rest(), std::max<std::size_t>(1, bytes.rest().size()));
  std::vector<Seen> pieces = read_in_pieces(bytes.rest(), piece);
  for (const Seen& seen : whole) {
    if (seen.status == 0) check_routes(seen);
  }
  // In pieces, a head is looked at when it is whole, and what is too long is refused before that.
  if (!pieces.empty() && (pieces.back().status == 431 || pieces.back().status == 414)) {
    pieces.pop_back();
    whole.resize(std::min(whole.size(), pieces.size()));
  } else if (whole.size() == pieces.size() + 1 && whole.back().status != 0) {
    whole.pop_back();
  }
  require(whole == pieces, "in whatever pieces it comes, it reads the same", bytes.rest());
}

}  // namespace galley::fuzz
