#include "store/store.hpp"

#include "store/combiner.hpp"

namespace galley::store {

Store::Store() : combiner_(std::make_unique<Combiner>(*this)) {}
Store::~Store() = default;

std::vector<std::shared_ptr<Middleware>> Store::middleware() const {
  const std::lock_guard lock(middleware_mutex_);
  return middleware_;
}

bool Store::use(std::shared_ptr<Middleware> middleware) {
  const std::lock_guard lock(middleware_mutex_);
  if (middleware_.size() >= limits::kMaxMiddleware) return false;
  middleware_.push_back(std::move(middleware));
  return true;
}

Result<std::vector<FinishAnswer>> Store::finish(std::span<const Finish> finishes) {
  auto answer = finish_and_claim(finishes, {});
  if (!answer) return answer.error();
  return std::move(answer->finished);
}

Result<Claimed> Store::claim(const ClaimRequest& request) {
  auto answer = finish_and_claim({}, std::span(&request, 1));
  if (!answer) return answer.error();
  return std::move(answer->claimed.front());
}

}  // namespace galley::store
