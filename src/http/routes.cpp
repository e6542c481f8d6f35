#include "http/routes.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace galley::http {

namespace {

constexpr std::string_view kTokenBytes =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";  // RFC 9110, section 5.6.2

int hex(char byte) noexcept {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

/// "/a/b" -> a, b; "/" -> none. A slash at the end makes an empty last part: another path.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  path.remove_prefix(1);
  while (!path.empty() && parts.size() <= kMaxParts) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
    if (path.empty()) parts.emplace_back();
  }
  return parts;
}

Error refused(std::string_view what, std::string_view value, const std::string& allowed) {
  return Error{Errc::InvalidInput, std::string(what) + " " + base::quoted(value) + " is not allowed: " + allowed};
}

}  // namespace

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[at] != '%') {
      out += text[at];
    } else {
      if (text.size() - at < 3 || hex(text[at + 1]) < 0 || hex(text[at + 2]) < 0) return std::nullopt;
      out += static_cast<char>(hex(text[at + 1]) * 16 + hex(text[at + 2]));
      at += 2;
    }
  }
  return out;
}

std::optional<RequestLine> request_line(std::string_view bytes) noexcept {
  const auto end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(0, end);
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return std::nullopt;
  return RequestLine{line.substr(0, first), line.substr(first + 1, last - first - 1)};
}

std::string_view path_of(std::string_view target) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!target.starts_with(scheme)) continue;
    const auto slash = target.find_first_of("/?", scheme.size());
    if (slash == std::string_view::npos || target[slash] == '?') return "/";
    target.remove_prefix(slash);
  }
  return target.substr(0, target.find_first_of("?#"));
}

std::string_view query_of(std::string_view target) noexcept {
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  const std::string_view query = target.substr(mark + 1);
  return query.substr(0, query.find('#'));
}

Result<std::size_t> Routes::add(std::string_view method, std::string_view pattern) {
  if (method.empty() || method.size() > 32 || method.find_first_not_of(kTokenBytes) != std::string_view::npos) {
    return refused("method", method, "one word like GET or POST");
  }
  if (!pattern.starts_with('/') || pattern.size() > kMaxPatternBytes) {
    return refused("pattern", pattern, "a path that begins with /, of at most 1000 bytes");
  }
  if (count_ == kMaxRoutes) return refused("pattern", pattern, "there are 1000 routes, the most that there can be");
  const auto parts = parts_of(pattern);
  if (parts.size() > kMaxParts) return refused("pattern", pattern, "at most 64 parts");
  Leaf leaf;
  leaf.route = count_;
  for (const std::string_view part : parts) {
    if (part.find_first_of("{}") == std::string_view::npos) continue;
    const std::string_view name = part.substr(1, part.size() < 2 ? 0 : part.size() - 2);
    if (part.front() != '{' || part.back() != '}' || name.empty() || name.find_first_of("{}") != std::string::npos ||
        std::find(leaf.names.begin(), leaf.names.end(), name) != leaf.names.end()) {
      return refused("pattern", pattern, "a part is a text or a name of its own in braces, {id}");
    }
    leaf.names.emplace_back(name);
  }
  Node* node = &root_;
  for (const std::string_view part : parts) {
    auto& next = part.starts_with('{') ? node->any : node->texts[std::string(part)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  if (!node->methods.try_emplace(std::string(method), std::move(leaf)).second) {
    return refused("pattern", pattern, "there is a route for " + std::string(method) + " and this path already");
  }
  return count_++;
}

const Routes::Node* Routes::walk(const Node& node, const std::vector<std::string>& parts, std::size_t at,
                                 std::vector<std::string_view>& values) {
  if (at == parts.size()) return node.methods.empty() ? nullptr : &node;
  if (const auto text = node.texts.find(parts[at]); text != node.texts.end()) {
    if (const Node* found = walk(*text->second, parts, at + 1, values)) return found;
  }
  if (!node.any || parts[at].empty()) return nullptr;
  values.push_back(parts[at]);
  if (const Node* found = walk(*node.any, parts, at + 1, values)) return found;
  values.pop_back();
  return nullptr;
}

Routes::Found Routes::find(std::string_view method, std::string_view target) const {
  Found found;
  const std::string_view path = path_of(target);
  if (!path.starts_with('/')) return found;
  std::vector<std::string> parts;
  for (const std::string_view part : parts_of(path)) {
    auto text = decoded(part, false);
    if (!text) {
      found.malformed = true;
      return found;
    }
    parts.push_back(std::move(*text));
  }
  if (parts.size() > kMaxParts) return found;
  std::vector<std::string_view> values;
  const Node* node = walk(root_, parts, 0, values);
  if (node == nullptr) return found;
  auto leaf = node->methods.find(method);
  if (leaf == node->methods.end() && method == "HEAD") leaf = node->methods.find("GET");
  if (leaf == node->methods.end()) {
    for (const auto& [name, unused] : node->methods) {
      found.allow += (found.allow.empty() ? "" : ", ") + name;
      if (name == "GET" && !node->methods.contains("HEAD")) found.allow += ", HEAD";
    }
    return found;
  }
  found.route = leaf->second.route;
  for (std::size_t at = 0; at < values.size(); ++at) {
    found.parameters.emplace_back(leaf->second.names[at], values[at]);
  }
  return found;
}

}  // namespace galley::http
