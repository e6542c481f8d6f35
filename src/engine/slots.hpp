#pragma once
// The threads of the slots: one a slot, started when the slot is first used. A thread runs what it is given, one thing
// at a time, and waits for the next; the core hands a slot out again only after its last attempt has ended.
//
// Thread-safety: start() from any thread. The destructor waits until everything that was started has returned.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/slot_pools.hpp"

namespace galley::engine {

class Slots {
 public:
  Slots() = default;
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  ~Slots();

  /// Runs `work`, which must not throw, in the slot's thread. False: no thread could be started.
  [[nodiscard]] bool start(SlotId slot, std::function<void()> work);

 private:
  struct Slot {
    std::mutex mutex;
    std::condition_variable given;
    std::function<void()> work;
    bool quit = false;
    std::thread thread;  ///< last: it uses the others
    void run();
  };
  std::mutex mutex_;  ///< of slots_
  std::map<SlotId, std::unique_ptr<Slot>> slots_;
};

}  // namespace galley::engine
