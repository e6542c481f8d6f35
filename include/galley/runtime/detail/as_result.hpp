#pragma once

#include "galley/error.hpp"

namespace galley::detail {

/// Result<T> of T, and of Result<T>: what gives a Result already is not wrapped again.
template <class T>
struct AsResult {
  using Type = Result<T>;
};
template <class T>
struct AsResult<Result<T>> {
  using Type = Result<T>;
};

}  // namespace galley::detail
