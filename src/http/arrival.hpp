#pragma once
// When bytes reached the kernel, which is when their request began to wait: Linux stamps packets as they come in
// (SO_TIMESTAMPING), in time of the calendar.
//
// Thread-safety: plain functions.

#include <optional>
#include <span>

#include "base/clock.hpp"

namespace galley::http {

/// What one look at a socket has found.
struct Received {
  enum class Kind : std::uint8_t {
    Bytes,
    Nothing,  ///< and nothing wrong: there may be some later
    End,      ///< the other side sends no more
    Broken,
  };
  Kind kind = Kind::Nothing;
  std::size_t size = 0;
  std::optional<Time> stamp;  ///< of the packet with the last of the bytes; nothing: the kernel has not stamped it
};

/// Has the packets of this socket stamped, and of those that it accepts. The kernel begins with it milliseconds after
/// the first call of all.
void stamp_arrivals(int socket) noexcept;

/// Never blocks.
[[nodiscard]] Received receive(int socket, std::span<char> into) noexcept;

/// The stamp as a moment of the monotonic clock. It cannot be before the socket was last seen empty, nor after now: so
/// a step of the calendar does little harm.
[[nodiscard]] base::Mono arrival_of(std::optional<Time> stamp, base::Mono seen_empty, base::Mono now,
                                    Time wall) noexcept;

}  // namespace galley::http
