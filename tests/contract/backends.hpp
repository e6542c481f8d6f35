#pragma once
// The backends that the contract suite runs on; a new one is one line in backends.cpp.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace galley::store::contract {

/// A new, empty store, and what it lives in, which outlives it.
struct Opened {
  std::shared_ptr<void> home;
  std::unique_ptr<Store> store;
};

struct Backend {
  std::string name;
  std::function<Opened(const base::Clock&)> make;
};

[[nodiscard]] std::vector<Backend> backends();

}  // namespace galley::store::contract
