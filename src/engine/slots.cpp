#include "engine/slots.hpp"

#include <system_error>
#include <utility>

namespace galley::engine {

Slots::~Slots() {
  for (auto& [id, slot] : slots_) {
    const std::lock_guard lock(slot->mutex);
    slot->quit = true;
    slot->given.notify_one();
  }
  for (auto& [id, slot] : slots_) slot->thread.join();
}

bool Slots::start(SlotId id, std::function<void()> work) {
  const std::lock_guard all(mutex_);
  auto at = slots_.find(id);
  if (at == slots_.end()) {
    auto slot = std::make_unique<Slot>();
    try {
      slot->thread = std::thread(&Slot::run, slot.get());
    } catch (const std::system_error&) {
      return false;
    }
    at = slots_.emplace(id, std::move(slot)).first;
  }
  Slot& slot = *at->second;
  const std::lock_guard lock(slot.mutex);
  slot.work = std::move(work);
  slot.given.notify_one();
  return true;
}

void Slots::Slot::run() {
  std::unique_lock lock(mutex);
  while (true) {
    given.wait(lock, [this] { return work || quit; });
    if (!work) return;
    const auto now = std::exchange(work, nullptr);
    lock.unlock();
    now();
    lock.lock();
  }
}

}  // namespace galley::engine
