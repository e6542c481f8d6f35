#include "http/arrival.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace galley::http {

namespace {
std::optional<Time> stamp_of(msghdr& message) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPING) continue;
    scm_timestamping stamps{};
    std::memcpy(&stamps, CMSG_DATA(part), sizeof stamps);
    const auto& software = stamps.ts[0];
    if (software.tv_sec == 0) return std::nullopt;
    return Time(std::chrono::seconds(software.tv_sec) + std::chrono::microseconds(software.tv_nsec / 1'000));
  }
  return std::nullopt;
}
}  // namespace

void stamp_arrivals(int socket) noexcept {
  const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  // Where it is refused, a request's wait counts from when the loop saw it.
  static_cast<void>(setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags));
}

Received receive(int socket, std::span<char> into) noexcept {
  iovec bytes{into.data(), into.size()};
  alignas(cmsghdr) char control[128];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = recvmsg(socket, &message, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  Received received;
  if (size > 0) {
    received.kind = Received::Kind::Bytes;
    received.size = static_cast<std::size_t>(size);
    received.stamp = stamp_of(message);
  } else if (size == 0) {
    received.kind = Received::Kind::End;
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    received.kind = Received::Kind::Broken;
  }
  return received;
}

base::Mono arrival_of(std::optional<Time> stamp, base::Mono seen_empty, base::Mono now, Time wall) noexcept {
  if (!stamp) return now;
  return std::clamp(now - (wall - *stamp), std::min(seen_empty, now), now);
}

}  // namespace galley::http
