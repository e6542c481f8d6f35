#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "galley/runtime/uncaught.hpp"
#include "runtime/symbols.hpp"
#include "runtime/thread_times.hpp"
#include "runtime/unwind.hpp"

namespace galley {

namespace {

TerminateOptions checked(TerminateOptions options) {
  if (options.limit >= std::chrono::milliseconds(1) && options.limit <= std::chrono::minutes(1)) return options;
  throw Exception(
      Error{Errc::InvalidInput, "limit " + std::to_string(options.limit.count()) + " us is not allowed: 1 ms..1 min"});
}

void to_stderr(const UncaughtReport& report) {
  const std::string text = report.text();
  static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
}

}  // namespace

class TerminateReport::Impl {
 public:
  explicit Impl(TerminateOptions options) : options_(checked(std::move(options))) {
    if (!options_.on_report) options_.on_report = &to_stderr;
    Impl* none = nullptr;
    if (!current.compare_exchange_strong(none, this)) {
      throw Exception(Error{Errc::WrongState, "there is a TerminateReport already, and a program has one handler"});
    }
    before_ = std::set_terminate(&on_terminate);
  }
  ~Impl() {
    std::set_terminate(before_);
    current.store(nullptr);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

 private:
  /// What the terminate handler, which takes no argument, works on. As global as that handler is.
  static constinit std::atomic<Impl*> current;

  [[noreturn]] static void on_terminate() {
    Impl* const self = current.load();
    if (self == nullptr) std::abort();
    pid_t first = 0;
    if (!self->thread_.compare_exchange_strong(first, ::gettid())) {
      if (first == ::gettid() || self->is_helper()) self->end();  // what was to report it has failed as well
      while (true) ::pause();                                     // the first ends the process within its limit
    }
    self->handle();
    self->end();
  }

  void handle() noexcept {
    error_ = std::current_exception();
    task_ = current_task();
    runtime::unwind(stack_);
    // Not a std::thread: its destructor would terminate once more.
    pthread_t helper{};
    if (::pthread_create(&helper, nullptr, &run_helper, this) != 0) return;
    std::unique_lock lock(mutex_);
    static_cast<void>(changed_.wait_for(lock, options_.limit, [this] { return done_; }));
  }

  static void* run_helper(void* self) {
    static_cast<Impl*>(self)->helper_.store(::gettid());
    static_cast<Impl*>(self)->report();
    return nullptr;
  }

  void report() {
    try {
      UncaughtReport report;
      report.error = describe(error_);
      if (task_ != nullptr) report.task = *task_;
      report.thread_id = thread_.load();
      report.thread = runtime::thread_name(report.thread_id);
      report.stack = runtime::symbolise(stack_.frames());
      options_.on_report(report);
    } catch (...) {  // the process ends all the same, and on_fatal is still worth a try
    }
    try {
      if (options_.on_fatal) options_.on_fatal();
    } catch (...) {  // as above
    }
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

  [[nodiscard]] bool is_helper() const noexcept { return helper_.load() == ::gettid(); }

  [[noreturn]] void end() const noexcept {
    if (before_ != nullptr) before_();
    std::abort();
  }

  TerminateOptions options_;
  std::terminate_handler before_ = nullptr;

  std::atomic<pid_t> thread_{0};  ///< that failed first
  std::atomic<pid_t> helper_{0};
  std::exception_ptr error_;
  const TaskInfo* task_ = nullptr;
  runtime::RawStack stack_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

constinit std::atomic<TerminateReport::Impl*> TerminateReport::Impl::current{nullptr};

TerminateReport::TerminateReport(TerminateOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

TerminateReport::~TerminateReport() = default;

}  // namespace galley
