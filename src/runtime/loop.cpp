#include "galley/runtime/loop.hpp"

#include "galley/runtime/yield.hpp"
#include "runtime/loop_core.hpp"

namespace galley {

bool spend_budget() noexcept {
  runtime::LoopCore* const core = runtime::current_loop();
  if (core == nullptr) return true;
  if (core->budget == 0) return false;
  --core->budget;
  return true;
}

bool need_yield() noexcept {
  runtime::LoopCore* const core = runtime::current_loop();
  return core != nullptr && core->need_yield();
}

void runtime::refuse_chunk() { throw Exception(Error{Errc::InvalidInput, "chunk is 0: at least 1 is allowed"}); }

Loop::Loop(LoopOptions options) : core_(std::make_unique<runtime::LoopCore>(*this, std::move(options))) {}
Loop::~Loop() = default;

boost::asio::io_context& Loop::context() noexcept { return *core_->context; }
const std::string& Loop::name() const noexcept { return core_->options.name; }

Loop* Loop::current() noexcept {
  runtime::LoopCore* const core = runtime::current_loop();
  return core == nullptr ? nullptr : &core->loop;
}

void Loop::run() { core_->run(); }
void Loop::stop() noexcept { core_->stop(); }

bool Loop::enter_inbox() noexcept { return core_->inbox.enter(); }
void Loop::leave_inbox() noexcept { core_->inbox.leave(1); }
void Loop::push_inbox(runtime::LoopNode* node) noexcept { core_->push_inbox(node); }
void Loop::defer_error(std::exception_ptr error) noexcept { core_->defer_error(std::move(error)); }
void Loop::push_immediate(runtime::LoopNode* node) noexcept { core_->push_immediate(node, true); }
void Loop::push_yield(runtime::LoopNode* node) noexcept { core_->push_immediate(node, false); }
void Loop::push_closing(runtime::LoopNode* node) noexcept { core_->push_closing(node); }

LoopHook Loop::on_idle(std::function<bool()> hook) { return LoopHook(core_->add_idle(std::move(hook))); }
LoopHook Loop::on_prepare(std::function<void()> hook) { return LoopHook(core_->add_prepare(std::move(hook))); }

LoopStats Loop::stats() const { return core_->stats(); }
LoopPhase Loop::phase() const noexcept { return core_->phase.load(); }
const runtime::Heartbeat& Loop::heartbeat() const noexcept { return core_->heartbeat; }
int Loop::thread_id() const noexcept { return core_->thread_id.load(); }

}  // namespace galley
