#pragma once
// What can go wrong, as values. What may fail while a program runs returns a Result<T>. Only two things throw, both an
// Exception: Result<T>::value() on an error, and what sets something up (constructors, Worker::handle, alias and pool,
// use()), because it fails by a mistake in the program.
//
// Thread-safety: plain values.

#include <boost/system/result.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace galley {

/// The closed list of outcomes a caller is expected to handle.
enum class Errc : std::uint8_t {
  InvalidInput,  ///< An argument is malformed or out of range; the message names field, value and what is allowed.
  NotFound,      ///< No such job, batch, schedule, worker or store (any more).
  WrongState,    ///< The job or batch is not in a state that allows this; nothing was changed.
  LeaseLost,     ///< The claim is no longer held (fenced by its epoch); nothing was changed.
  QueueFull,     ///< A bound on waiting jobs or bytes refuses the enqueue.
  Unavailable,   ///< The store did not answer within its time limit; a retry may succeed.
  NotAStore,     ///< The file exists and is not a Galley store, or is damaged.
  NewerSchema,   ///< The store was written by a newer Galley; upgrade this program.
  ReadOnly,      ///< The store cannot be written.
  DiskFull,      ///< No space left for the store.
  Io,            ///< Any other failure of the operating system or the store's engine.
  NotAllowed,    ///< The operator of this worker did not allow it (for example a command).
  Conflict,      ///< A unique job exists already and the caller asked for an error.
  TimedOut,      ///< The time that the caller gave was over; what it waited for goes on.
};

/// Whether a failed verb changed the store. Unknown only after an I/O error during the commit itself, and of many jobs
/// of which some are in.
enum class Written : std::uint8_t { Nothing, Unknown };

struct Error {
  Errc code = Errc::Io;
  std::string message;  ///< One sentence for a person: what, which value, what is allowed or what to do.
  Written written = Written::Nothing;
};

/// Stable snake_case name of a code, as printed in JSON and the catalogue of errors.
[[nodiscard]] std::string_view name(Errc code) noexcept;

/// Thrown by Result<T>::value() when the result holds an error, and by what sets something up.
class Exception : public std::runtime_error {
 public:
  explicit Exception(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw Exception(error);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace galley
