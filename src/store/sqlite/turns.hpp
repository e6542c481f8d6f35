#pragma once
// The calls of one connection take turns, in the order in which they came. While another program holds the file locked,
// the one whose turn it is waits out the busy limit; those behind it would wait as long again, one after the other. So
// whoever had come before such a turn began is answered as it was: it has waited as long. A call ends within twice the
// limit, however many there are.
//
// Thread-safety: any thread.

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/fair_mutex.hpp"
#include "galley/error.hpp"

namespace galley::store::sqlite {

class Turns {
 public:
  /// A lock that stops a read stops a write too, but readers do not wait for writers.
  enum class Kind : std::uint8_t { Read, Write };

  explicit Turns(base::FairMutex& mutex) : mutex_(mutex) {}

  /// Calls `call`, which gives a Result, under the mutex.
  template <class Call>
  auto take(Kind kind, Call call) -> decltype(call()) {
    const std::uint64_t came = begun_.load();
    const std::lock_guard lock(mutex_);
    if (read_.turn > came) return read_.error;
    if (kind == Kind::Write && write_.turn > came) return write_.error;
    const std::uint64_t mine = ++begun_;
    auto result = call();
    if (!result && result.error().code == Errc::Unavailable) {
      (kind == Kind::Read ? read_ : write_) = Failure{mine, result.error()};
    }
    return result;
  }

 private:
  struct Failure {
    std::uint64_t turn = 0;
    Error error;
  };

  base::FairMutex& mutex_;
  std::atomic<std::uint64_t> begun_ = 0;
  Failure read_;  // the last ones, guarded by mutex_
  Failure write_;
};

}  // namespace galley::store::sqlite
