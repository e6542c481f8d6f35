#include "store/store.hpp"

#include "store/combiner.hpp"

namespace galley::store {

Store::Store() : combiner_(std::make_unique<Combiner>(*this)) {}
Store::~Store() = default;

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
