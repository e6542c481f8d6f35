#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <exception>
#include <memory>
#include <utility>

namespace galley {

/// What co_spawn tells of a coroutine that somebody owns: owner->ended(*item), also where its context is destroyed
/// under it. It has no executor of its own: so co_spawn passes a cancellation on at once, and not in a function that is
/// posted and may come too late. `Item` points to something with a `signal`.
template <class Owner, class Item>
class CoroutineEnd {
 public:
  using cancellation_slot_type = boost::asio::cancellation_slot;

  CoroutineEnd(std::shared_ptr<Owner> owner, Item item) noexcept : owner_(std::move(owner)), item_(std::move(item)) {}
  CoroutineEnd(CoroutineEnd&& other) noexcept = default;
  ~CoroutineEnd() {
    if (owner_ != nullptr) owner_->ended(*item_);
  }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return item_->signal.slot(); }
  void operator()(const std::exception_ptr&) {}  // the coroutine has caught it

 private:
  std::shared_ptr<Owner> owner_;
  Item item_;
};

}  // namespace galley
