#include "runtime/throw_sites.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "galley/runtime/throw_sites.hpp"
#include "runtime/unwind.hpp"

namespace galley::runtime {

namespace {

constexpr std::size_t kRecords = 1'024;  // exceptions that live at the same time
constexpr std::size_t kNear = 16;        // places in which one may be found
constexpr int kFramesOfAThrow = 32;

struct Record {
  std::atomic<const void*> object{nullptr};
  void (*destroy)(void*) = nullptr;
  int count = 0;
  std::array<std::uintptr_t, kFramesOfAThrow> pcs{};
};

// Global because __cxa_throw has no other place; untouched pages of it take no memory.
constinit std::array<Record, kRecords> records;

Record& place(const void* object, std::size_t nth) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(object) >> 4U;  // they are aligned to 16 bytes
  const auto mixed = static_cast<std::size_t>((address * 0x9e3779b97f4a7c15) >> 40U);
  return records[(mixed + nth) % kRecords];
}

Record* find(const void* object) noexcept {
  for (std::size_t nth = 0; nth < kNear; ++nth) {
    Record& record = place(object, nth);
    if (record.object.load(std::memory_order_acquire) == object) return &record;
  }
  return nullptr;
}

Record* claim(const void* object) noexcept {
  for (std::size_t nth = 0; nth < kNear; ++nth) {
    Record& record = place(object, nth);
    const void* none = nullptr;
    if (record.object.compare_exchange_strong(none, object, std::memory_order_acq_rel)) return &record;
  }
  return nullptr;
}

/// In place of the exception's own destructor: its record dies with it.
void destroy_with_record(void* object) {
  Record* const record = find(object);
  void (*const destroy)(void*) = record->destroy;
  record->object.store(nullptr, std::memory_order_release);
  if (destroy != nullptr) destroy(object);
}

std::span<const std::uintptr_t> recorded(const void* object) noexcept {
  const Record* const record = find(object);
  if (record == nullptr) return {};
  return {record->pcs.data(), static_cast<std::size_t>(record->count)};
}

using Throw = void (*)(void*, std::type_info*, void (*)(void*));

Throw next_throw() {
  static const auto next = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
  return next;
}

}  // namespace

void record_throw(void* object, std::type_info* type, void (*destroy)(void*)) {
  find_throw.store(&recorded, std::memory_order_release);
  if (Record* const record = claim(object); record != nullptr) {
    RawStack stack;
    unwind(stack, kFramesOfAThrow);
    std::copy_n(stack.pcs.begin(), stack.count, record->pcs.begin());
    record->count = stack.count;
    record->destroy = destroy;
    destroy = &destroy_with_record;
  }
  if (const Throw next = next_throw(); next != nullptr) next(object, type, destroy);
  std::abort();  // there is no C++ runtime
}

}  // namespace galley::runtime
