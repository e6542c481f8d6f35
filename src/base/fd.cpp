#include "base/fd.hpp"

#include <unistd.h>

namespace galley::base {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace galley::base
