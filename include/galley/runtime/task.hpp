#pragma once
// A piece of work for a worker pool: a callable that is run at most once, by some thread of the pool.
//
// Thread-safety: a value; used by one thread at a time.

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace galley {

namespace runtime {
class OffloadState;
}

/// What a task sees of the thread that runs it.
class TaskContext {
 public:
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  /// From 0; a dispatcher's workers share what its generator made.
  [[nodiscard]] virtual int dispatcher() const noexcept = 0;
  /// From 0, within its dispatcher.
  [[nodiscard]] virtual int worker() const noexcept = 0;
  /// What PoolOptions::make_state made for this dispatcher; null: nothing.
  [[nodiscard]] virtual void* state() const noexcept = 0;
  /// Requested when the task has run for its run_timeout, and by WorkerPool::close(Cancel).
  [[nodiscard]] virtual std::stop_token stop_token() = 0;

 protected:
  TaskContext() = default;
  ~TaskContext() = default;

 private:
  friend class runtime::OffloadState;
  /// Said by a task that was withdrawn after it was accepted: it does not count as one that ran.
  virtual void withdrawn() noexcept {}
};

/// Move-only; a callable of up to kInline bytes that moves without throwing stands in the task itself, a larger one on
/// the heap. f() or f(TaskContext&); what it throws goes to the pool's error sink.
class Task {
 public:
  static constexpr std::size_t kInline = 40;

  Task() noexcept = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Task> &&
           (std::is_invocable_v<std::decay_t<F>&> || std::is_invocable_v<std::decay_t<F>&, TaskContext&>))
      Task(F&& f) {  // implicit: every callable is a task
    using Stored = std::decay_t<F>;
    if constexpr (fits<Stored>) {
      std::construct_at(static_cast<Stored*>(static_cast<void*>(bytes_)), std::forward<F>(f));
      operations_ = &kInPlace<Stored>;
    } else {
      using Owner = std::unique_ptr<Stored>;
      std::construct_at(static_cast<Owner*>(static_cast<void*>(bytes_)), std::make_unique<Stored>(std::forward<F>(f)));
      operations_ = &kOnHeap<Stored>;
    }
  }
  Task(Task&& other) noexcept { take(other); }
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Task() { reset(); }

  /// The callable, where it is an F; else null.
  template <class F>
  [[nodiscard]] F* target() noexcept {
    if constexpr (fits<F>) {
      return operations_ == &kInPlace<F> ? std::launder(static_cast<F*>(static_cast<void*>(bytes_))) : nullptr;
    } else {
      using Owner = std::unique_ptr<F>;
      if (operations_ != &kOnHeap<F>) return nullptr;
      return std::launder(static_cast<Owner*>(static_cast<void*>(bytes_)))->get();
    }
  }
  [[nodiscard]] explicit operator bool() const noexcept { return operations_ != nullptr; }
  /// Once; the task must not be empty.
  void operator()(TaskContext& context) { operations_->run(bytes_, context); }
  void reset() noexcept {
    if (operations_ == nullptr) return;
    const auto destroy = std::exchange(operations_, nullptr)->destroy;
    if (destroy != nullptr) destroy(bytes_);
  }

 private:
  struct Operations {
    void (*run)(void*, TaskContext&);
    void (*move)(void* from, void* to) noexcept;  ///< and destroys what stood in `from`; null: its bytes are copied
    void (*destroy)(void*) noexcept;              ///< null: nothing is to be done
  };

  template <class F>
  static constexpr bool fits = sizeof(F) <= kInline &&
                               alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static void call(F& f, TaskContext& context) {
    if constexpr (std::is_invocable_v<F&, TaskContext&>) {
      static_cast<void>(f(context));
    } else {
      static_cast<void>(f());
    }
  }
  template <class T>
  static void relocate(void* from, void* to) noexcept {
    T* const object = std::launder(static_cast<T*>(from));
    std::construct_at(static_cast<T*>(to), std::move(*object));
    std::destroy_at(object);
  }
  template <class T>
  static void destroy(void* at) noexcept {
    std::destroy_at(std::launder(static_cast<T*>(at)));
  }
  template <class F>
  static constexpr Operations kInPlace{
      [](void* at, TaskContext& context) { call(*std::launder(static_cast<F*>(at)), context); },
      std::is_trivially_copyable_v<F> ? nullptr : relocate<F>, std::is_trivially_copyable_v<F> ? nullptr : destroy<F>};
  template <class F>
  static constexpr Operations kOnHeap{
      [](void* at, TaskContext& context) { call(**std::launder(static_cast<std::unique_ptr<F>*>(at)), context); },
      relocate<std::unique_ptr<F>>, destroy<std::unique_ptr<F>>};

  void take(Task& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ == nullptr) return;
    if (operations_->move == nullptr) {
      std::memcpy(bytes_, other.bytes_, kInline);
    } else {
      operations_->move(other.bytes_, bytes_);
    }
  }

  const Operations* operations_ = nullptr;
  alignas(void*) std::byte bytes_[kInline];
};

}  // namespace galley
