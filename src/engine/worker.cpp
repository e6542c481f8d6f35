#include "engine/worker.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "base/duration.hpp"
#include "engine/explain_rooms.hpp"
#include "engine/worker_run.hpp"
#include "job/validate.hpp"
#include "store/store.hpp"

namespace galley {

struct Worker::Impl {
  Impl(StorePtr from, WorkerOptions wanted, const base::Clock* other)
      : store(std::move(from)), options(std::move(wanted)), clock(other != nullptr ? *other : system_clock) {}

  StorePtr store;
  WorkerOptions options;
  base::SystemClock system_clock;
  const base::Clock& clock;
  engine::Handlers handlers;
  engine::CoroutineHandlers coroutines;
  std::map<std::string, Duration, std::less<>> timeouts;
  std::vector<job::PoolSpec> pools;

  std::mutex mutex;  ///< of what follows
  engine::WorkerRun* active = nullptr;
  bool stop_wanted = false;
  bool hurry_wanted = false;
};

namespace {

[[noreturn]] void refuse(std::string message) { throw Exception({Errc::InvalidInput, std::move(message)}); }

std::string host_and_pid() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return std::string(host.data()) + ":" + std::to_string(getpid());
}

store::WorkerCard card_of(const engine::CoreOptions& core, std::string name) {
  store::WorkerCard card;
  card.name = std::move(name);
  card.pools = engine::text_of(core.pools, core.reserve);
  for (const job::PoolSpec& pool : core.pools) {
    card.slots += pool.slots;
    for (const job::PoolQueue& queue : pool.queues) {
      const bool known = std::find(card.queues.begin(), card.queues.end(), queue.name) != card.queues.end();
      if (!known) card.queues.push_back(queue.name);
    }
  }
  card.kinds = core.can.kinds;
  card.any_command = core.can.any_command;
  card.programs = core.can.programs;
  return card;
}

job::PoolSpec default_pool() {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return {"default", std::min(cores, limits::kMaxSlots), {{"default", 0}}};
}

Result<void> check(const WorkerOptions& options) {
  using namespace std::chrono_literals;
  if (!job::reserve_named(options.reserve)) {
    return Error{Errc::InvalidInput,
                 "reserve '" + options.reserve + "' is not allowed; allowed are auto, express, slots and off"};
  }
  if (options.lease < 1s || options.lease > 1h) {
    return Error{Errc::InvalidInput, "the lease " + base::format_duration(options.lease) + " is not within 1s and 1h"};
  }
  if (options.shutdown_grace < 0s || options.shutdown_grace > limits::kMaxTimeout) {
    return Error{Errc::InvalidInput, "the shutdown grace must be between 0s and 366d"};
  }
  if (options.pulse_every < 10ms || options.pulse_every > 1h) {
    return Error{Errc::InvalidInput,
                 "a pulse every " + base::format_duration(options.pulse_every) + " is not within 10ms and 1h"};
  }
  return {};
}

Result<base::Logger> logger_of(const WorkerOptions& options) {
  const auto level = base::log_level_from(options.log_level);
  if (!level) return level.error();
  const auto format = base::log_format_from(options.log_format);
  if (!format) return format.error();
  return *level == base::LogLevel::Off ? base::Logger::silent() : base::Logger(*level, *format);
}

Result<engine::AllowedPrograms> programs_of(const WorkerOptions& options) {
  const char* path = std::getenv("PATH");
  return engine::AllowedPrograms::resolve(options.allow_any_command, options.allow_commands,
                                          path != nullptr ? path : "");
}

}  // namespace

std::unique_ptr<Worker> WorkerSeam::make(StorePtr store, WorkerOptions options, const base::Clock& clock) {
  return std::unique_ptr<Worker>(
      new Worker(std::make_unique<Worker::Impl>(std::move(store), std::move(options), &clock)));
}

const std::map<std::string, Handler, std::less<>>& WorkerSeam::handlers(const Worker& worker) {
  return worker.impl_->handlers;
}

const std::map<std::string, std::shared_ptr<CoroutineHandler>, std::less<>>& WorkerSeam::coroutines(
    const Worker& worker) {
  return worker.impl_->coroutines;
}

Worker::Worker(StorePtr store, WorkerOptions options)
    : Worker(std::make_unique<Impl>(std::move(store), std::move(options), nullptr)) {}

Worker::Worker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Worker::~Worker() = default;

void Worker::check_new(std::string_view kind, bool empty) const {
  if (auto checked = job::check_kind(kind); !checked) throw Exception(checked.error());
  if (empty) refuse("the handler of the kind '" + std::string(kind) + "' is empty");
  if (impl_->handlers.size() + impl_->coroutines.size() >= limits::kMaxClaimKinds) {
    refuse("a worker has at most " + std::to_string(limits::kMaxClaimKinds) + " kinds");
  }
  const bool there = impl_->handlers.contains(kind) || impl_->coroutines.contains(kind);
  if (there) refuse("the kind '" + std::string(kind) + "' has a handler already");
}

Worker& Worker::handle_bytes(std::string_view kind, Handler handler) {
  check_new(kind, !handler);
  impl_->handlers.emplace(kind, std::move(handler));
  return *this;
}

Worker& Worker::handle_coroutine(std::string_view kind, std::shared_ptr<CoroutineHandler> handler) {
  check_new(kind, handler == nullptr);
  impl_->coroutines.emplace(kind, std::move(handler));
  return *this;
}

Worker& Worker::alias(std::string_view other, std::string_view kind) {
  const auto coroutine = impl_->coroutines.find(kind);
  if (coroutine != impl_->coroutines.end()) return handle_coroutine(other, coroutine->second);
  const auto handler = impl_->handlers.find(kind);
  if (handler == impl_->handlers.end()) refuse("the kind '" + std::string(kind) + "' has no handler yet");
  return handle_bytes(other, handler->second);
}

Worker& Worker::timeout(std::string_view kind, Duration timeout) {
  if (auto checked = job::check_kind(kind); !checked) throw Exception(checked.error());
  if (timeout <= Duration{0} || timeout > limits::kMaxTimeout) {
    refuse("the time-out " + base::format_duration(timeout) + " of the kind '" + std::string(kind) +
           "' is not allowed; allowed is more than 0s, at most 366d");
  }
  impl_->timeouts.insert_or_assign(std::string(kind), timeout);
  return *this;
}

Worker& Worker::pool(std::string_view name, int slots, std::string_view queues) {
  if (auto checked = job::check_queue("pool", name); !checked) throw Exception(checked.error());
  std::string text = std::string(name) + "=" + std::to_string(slots);
  if (!queues.empty()) text += ":" + std::string(queues);
  auto spec = job::pool_spec_from(text);
  if (!spec) throw Exception(spec.error());
  const bool there = std::any_of(impl_->pools.begin(), impl_->pools.end(),
                                 [&](const job::PoolSpec& other) { return other.name == spec->name; });
  if (there) refuse("the pool '" + spec->name + "' is there already");
  if (impl_->pools.size() >= limits::kMaxPools) {
    refuse("a worker has at most " + std::to_string(limits::kMaxPools) + " pools");
  }
  impl_->pools.push_back(*std::move(spec));
  return *this;
}

Result<WorkerReport> Worker::run() {
  const WorkerOptions& options = impl_->options;
  if (auto checked = check(options); !checked) return checked.error();
  auto logger = logger_of(options);
  if (!logger) return logger.error();
  auto programs = programs_of(options);
  if (!programs) return programs.error();
  const auto middleware = impl_->store->middleware();
  for (const auto& [kind, handler] : impl_->coroutines) {
    if (auto checked = engine::check_middleware(kind, middleware); !checked) return checked.error();
  }

  engine::RunSettings settings;
  settings.core.pools = impl_->pools.empty() ? std::vector{default_pool()} : impl_->pools;
  for (const auto& [kind, handler] : impl_->handlers) settings.core.can.kinds.push_back(kind);
  for (const auto& [kind, handler] : impl_->coroutines) settings.core.can.kinds.push_back(kind);
  settings.core.can.any_command = programs->any();
  settings.core.can.programs = programs->claimable();
  settings.core.lease = options.lease;
  settings.core.timeouts = impl_->timeouts;
  settings.core.shutdown_grace = options.shutdown_grace;
  settings.core.drain = options.drain;
  settings.core.reserve = *job::reserve_named(options.reserve);  // checked above
  settings.core.may_abandon = static_cast<bool>(options.exit_process);
  settings.core.random = base::Random::seeded_by_system();
  settings.card = card_of(settings.core, options.name.empty() ? host_and_pid() : options.name);
  settings.exit_process = options.exit_process;
  settings.on_pulse = options.on_pulse;
  settings.pulse_every = options.pulse_every;
  settings.stack_signal = options.stack_signal;

  engine::WorkerRun run(*impl_->store, std::move(settings),
                        engine::Executor(impl_->handlers, *std::move(programs), impl_->clock, middleware,
                                         impl_->store.get(), impl_->coroutines),
                        impl_->clock, *std::move(logger));
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->active = &run;
    if (impl_->stop_wanted) run.stop();
    if (impl_->hurry_wanted) run.hurry();
  }
  auto report = run.run();
  const std::lock_guard lock(impl_->mutex);
  impl_->active = nullptr;
  impl_->stop_wanted = false;
  impl_->hurry_wanted = false;
  return report;
}

void Worker::stop() noexcept {
  const std::lock_guard lock(impl_->mutex);
  impl_->stop_wanted = true;
  if (impl_->active != nullptr) impl_->active->stop();
}

void Worker::hurry() noexcept {
  const std::lock_guard lock(impl_->mutex);
  impl_->hurry_wanted = true;
  if (impl_->active != nullptr) impl_->active->hurry();
}

}  // namespace galley
