#include "runtime/unwind.hpp"

#include <unwind.h>

#include <algorithm>

namespace galley::runtime {

namespace {

struct Walk {
  RawStack* stack;
  int most;
  bool interrupted = false;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* data) {
  auto& walk = *static_cast<Walk*>(data);
  int exact = 0;
  std::uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
  if (pc == 0) return _URC_END_OF_STACK;
  if (exact != 0 && !walk.interrupted) {  // a signal came here; what is further in is its handler
    walk.interrupted = true;
    walk.stack->count = 0;
  }
  if (exact == 0) --pc;  // a return address may belong to the next line already, or to the next function
  walk.stack->pcs[static_cast<std::size_t>(walk.stack->count++)] = pc;
  return walk.stack->count < walk.most ? _URC_NO_REASON : _URC_END_OF_STACK;
}

}  // namespace

void unwind(RawStack& stack, int most) noexcept {
  stack.count = 0;
  Walk walk{&stack, std::clamp(most, 1, kMaxFrames)};
  _Unwind_Backtrace(&on_frame, &walk);
}

}  // namespace galley::runtime
