#pragma once
// The specification of the store's contract, executable: jobs in plain containers, everything by walking them.
// For tests, of Galley and of its users; what it holds is gone with it. Naive on purpose: when another backend and
// this one differ, this one is read to settle what was meant.

#include <memory>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace galley::store {

/// An empty store. `clock` must outlive it.
[[nodiscard]] std::unique_ptr<Store> open_memory(const base::Clock& clock);

}  // namespace galley::store
