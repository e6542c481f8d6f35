#pragma once
// Which handler answers a request: a tree of the parts of paths. Pure.
//
// Thread-safety: none to add; finding from any thread.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "galley/error.hpp"

namespace galley::http {

inline constexpr std::size_t kMaxRoutes = 1'000;  // each has a histogram of 36 KiB
inline constexpr std::size_t kMaxParts = 64;      // of a path: a longer one matches nothing
inline constexpr std::size_t kMaxPatternBytes = 1'000;

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// What "%41" says; nothing where a "%" is not followed by two hex digits. A "+" is a space in a query, not in a path.
[[nodiscard]] std::optional<std::string> decoded(std::string_view text, bool plus_is_space);

/// A request's method and target: what stands in its first line.
struct RequestLine {
  std::string_view method;
  std::string_view target;
};
/// Nothing where `bytes` begin with no whole line, or it has not the form of one.
[[nodiscard]] std::optional<RequestLine> request_line(std::string_view bytes) noexcept;

/// The path of a target, which may also have the form "http://host/path?query".
[[nodiscard]] std::string_view path_of(std::string_view target) noexcept;
[[nodiscard]] std::string_view query_of(std::string_view target) noexcept;

class Routes {
 public:
  struct Found {
    std::optional<std::size_t> route;  ///< its number, in the order in which they were added
    Parameters parameters;
    std::string allow;  ///< methods of the path, "GET, HEAD", where it has none for this one
    bool malformed = false;
  };

  /// Errors: InvalidInput naming method or pattern.
  [[nodiscard]] Result<std::size_t> add(std::string_view method, std::string_view pattern);
  [[nodiscard]] Found find(std::string_view method, std::string_view target) const;
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  struct Leaf {
    std::size_t route = 0;
    std::vector<std::string> names;  ///< of its pattern, in their order
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> texts;
    std::unique_ptr<Node> any;
    std::map<std::string, Leaf, std::less<>> methods;
  };
  static const Node* walk(const Node& node, const std::vector<std::string>& parts, std::size_t at,
                          std::vector<std::string_view>& values);

  Node root_;
  std::size_t count_ = 0;
};

}  // namespace galley::http
