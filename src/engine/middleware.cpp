#include "galley/middleware.hpp"

#include <utility>

#include "base/limits.hpp"
#include "store/store.hpp"

namespace galley {

void use(const StorePtr& store, std::shared_ptr<Middleware> middleware) {
  if (middleware == nullptr) throw Exception({Errc::InvalidInput, "the middleware is empty"});
  if (store->use(std::move(middleware))) return;
  throw Exception(
      {Errc::InvalidInput, "a store has at most " + std::to_string(limits::kMaxMiddleware) + " pieces of middleware"});
}

}  // namespace galley
