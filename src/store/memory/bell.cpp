#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

class MemoryBell final : public Bell {
 public:
  explicit MemoryBell(Chime& chime) : chime_(chime) {
    const std::scoped_lock lock(chime_.mutex);
    heard_ = chime_.changes;
  }

  Ring wait(Duration timeout) override {
    // Over that, adding the time-out to the present time could overflow.
    const Duration bounded = std::min<Duration>(timeout, limits::kMaxDelay);
    std::unique_lock lock(chime_.mutex);
    const bool woken = chime_.rung.wait_for(lock, bounded, [&] { return interrupted_ || chime_.changes != heard_; });
    if (!woken) return Ring::TimedOut;
    if (interrupted_) {
      interrupted_ = false;
      return Ring::Interrupted;
    }
    heard_ = chime_.changes;
    return Ring::Changed;
  }

  void interrupt() noexcept override {
    {
      const std::scoped_lock lock(chime_.mutex);
      interrupted_ = true;
    }
    chime_.rung.notify_all();
  }

 private:
  Chime& chime_;
  std::uint64_t heard_ = 0;  // guarded by the chime's lock, as is:
  bool interrupted_ = false;
};

}  // namespace

void Chime::ring() {
  {
    const std::scoped_lock lock(mutex);
    ++changes;
  }
  rung.notify_all();
}

std::unique_ptr<Bell> MemoryStore::bell() { return std::make_unique<MemoryBell>(chime_); }

}  // namespace galley::store::memory
