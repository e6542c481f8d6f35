#pragma once
// A bounded line of values between coroutines, on one loop or on several.
//
//   galley::Channel<Order> orders{100};
//   if (co_await orders.send(std::move(order)) == galley::Sent::Closed) co_return;   // waits while it is full
//   while (auto next = co_await orders.receive()) handle(*next);                     // until it is closed and empty
//
// First in, first out, for values, for senders that wait and for receivers that wait; each value goes to one receiver.
// Memory: `capacity` values, taken at once; one that waits stands in its sender's coroutine.
//
// A wait that is cancelled throws boost::system::system_error (operation_aborted), and then the value was not sent, or
// none was received. Where cancellation and hand-over meet, the hand-over counts. So nothing is lost and nothing comes
// twice, also inside with_timeout. A value that was handed to a coroutine whose execution context is destroyed before
// it goes on is the next receiver's.
//
// Thread-safety: every function from any thread, but for the destructor; a coroutine goes on on its own executor. Its
// execution context may be destroyed meanwhile: who waits on it leaves the line.

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "galley/error.hpp"
#include "galley/runtime/detail/children.hpp"
#include "galley/runtime/detail/waiting.hpp"

namespace galley {

enum class Sent : std::uint8_t {
  Accepted,
  Full,    ///< of try_send: no room; the value is still the caller's
  Closed,  ///< the channel takes no more
};

namespace detail {

template <class T>
class ChannelCore final : public WaitSource, public std::enable_shared_from_this<ChannelCore<T>> {
 public:
  using Outcome = Waiter::Outcome;

  /// One in line: a sender with its value, or a receiver that wants one.
  struct Place : Waiter {
    ChannelCore& core;
    const bool sends;
    std::optional<T> value;
    explicit Place(ChannelCore& channel) noexcept : Waiter(channel), core(channel), sends(false) {}
    Place(ChannelCore& channel, T&& what) noexcept
        : Waiter(channel), core(channel), sends(true), value(std::move(what)) {}
    ~Place() {
      if (!sends && outcome == Outcome::Done && value) core.put_back(std::move(*value));
    }
    std::optional<T> take() noexcept { return std::exchange(value, std::nullopt); }
  };

  explicit ChannelCore(std::size_t capacity) : ring_(capacity) {}

  Sent try_send(T& value) {
    std::unique_lock lock(mutex_);
    if (closed_) return Sent::Closed;
    if (Waiter* const receiver = receivers_.pop_front()) {
      hand_over(*receiver, std::move(value));
      lock.unlock();
      receiver->complete();
      return Sent::Accepted;
    }
    if (count_ == ring_.size()) return Sent::Full;
    push(std::move(value));
    return Sent::Accepted;
  }

  std::optional<T> try_receive() {
    Waiter* sender = nullptr;
    std::optional<T> value;
    {
      const std::lock_guard lock(mutex_);
      value = take(sender);
    }
    if (sender != nullptr) sender->complete();
    return value;
  }

  void close() {
    WaitList all;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      end(senders_, all);
      end(receivers_, all);
    }
    all.complete_all();
  }

  bool begin(Waiter& waiter) override {
    Waiter* sender = nullptr;
    bool ready = false;
    auto& place = static_cast<Place&>(waiter);
    Waiter* receiver = nullptr;
    {
      const std::lock_guard lock(mutex_);
      ready = place.sends ? begin_send(place, receiver) : begin_receive(place, sender);
    }
    if (sender != nullptr) sender->complete();
    if (receiver != nullptr) receiver->complete();
    return ready;
  }
  void cancel(Waiter& waiter) override {
    {
      const std::lock_guard lock(mutex_);
      if (!WaitList::has(waiter)) return;
      (static_cast<Place&>(waiter).sends ? senders_ : receivers_).remove(waiter);
      waiter.outcome = Outcome::Cancelled;
    }
    waiter.complete();
  }
  bool abandon(Waiter& waiter) override {
    const std::lock_guard lock(mutex_);
    if (!WaitList::has(waiter)) return false;
    (static_cast<Place&>(waiter).sends ? senders_ : receivers_).remove(waiter);
    return true;
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return count_ + returned_.size();
  }
  std::size_t capacity() const noexcept { return ring_.size(); }

 private:
  static void hand_over(Waiter& receiver, T&& value) noexcept {
    static_cast<Place&>(receiver).value.emplace(std::move(value));
    receiver.outcome = Outcome::Done;
  }
  static void end(WaitList& line, WaitList& all) noexcept {
    while (Waiter* const waiter = line.pop_front()) {
      waiter->outcome = Outcome::Closed;
      all.push_back(*waiter);
    }
  }
  void push(T&& value) noexcept {
    const std::size_t at = first_ + count_;
    ring_[at < ring_.size() ? at : at - ring_.size()].emplace(std::move(value));
    ++count_;
  }
  std::optional<T> pop() noexcept {
    std::optional<T> value = std::exchange(ring_[first_], std::nullopt);
    if (++first_ == ring_.size()) first_ = 0;
    --count_;
    return value;
  }
  /// The oldest value; the sender that could then put its own is to be completed.
  std::optional<T> take(Waiter*& sender) {
    if (!returned_.empty()) {
      std::optional<T> value(std::move(returned_.front()));
      returned_.pop_front();
      return value;
    }
    sender = senders_.pop_front();
    if (sender != nullptr) sender->outcome = Outcome::Done;
    if (count_ == 0) return sender == nullptr ? std::nullopt : static_cast<Place&>(*sender).take();
    std::optional<T> value = pop();
    if (sender != nullptr) push(std::move(*static_cast<Place&>(*sender).take()));
    return value;
  }
  bool begin_send(Place& place, Waiter*& receiver) {
    if (closed_) {
      place.outcome = Outcome::Closed;
      return true;
    }
    receiver = receivers_.pop_front();
    if (receiver != nullptr) {
      hand_over(*receiver, std::move(*place.take()));
    } else if (count_ < ring_.size()) {
      push(std::move(*place.take()));
    } else {
      senders_.push_back(place);
      return false;
    }
    place.outcome = Outcome::Done;
    return true;
  }
  bool begin_receive(Place& place, Waiter*& sender) {
    place.value = take(sender);
    if (place.value) {
      place.outcome = Outcome::Done;
    } else if (closed_) {
      place.outcome = Outcome::Closed;
    } else {
      receivers_.push_back(place);
      return false;
    }
    return true;
  }
  /// A value whose receiver was destroyed before it went on: before all others.
  void put_back(T&& value) {
    Waiter* receiver = nullptr;
    {
      const std::lock_guard lock(mutex_);
      receiver = receivers_.pop_front();
      if (receiver != nullptr) {
        hand_over(*receiver, std::move(value));
      } else {
        returned_.push_back(std::move(value));  // bounded by the receivers that there were
      }
    }
    if (receiver != nullptr) receiver->complete();
  }

  mutable std::mutex mutex_;
  std::vector<std::optional<T>> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  bool closed_ = false;
  std::deque<T> returned_;
  WaitList senders_;
  WaitList receivers_;
};

template <class T>
boost::asio::awaitable<Sent> send(ChannelCore<T>* channel, T value) {
  if (!may_go_on()) {
    const auto hold = channel->shared_from_this();
    co_await give_way();
  }
  if (const Sent now = channel->try_send(value); now != Sent::Full) co_return now;
  const auto hold = channel->shared_from_this();
  typename ChannelCore<T>::Place place(*channel, std::move(value));
  co_await wait(place);
  if (place.outcome == Waiter::Outcome::Cancelled) throw_cancelled();
  co_return place.outcome == Waiter::Outcome::Done ? Sent::Accepted : Sent::Closed;
}

template <class T>
boost::asio::awaitable<std::optional<T>> receive(ChannelCore<T>* channel) {
  if (!may_go_on()) {
    const auto hold = channel->shared_from_this();
    co_await give_way();
  }
  if (auto now = channel->try_receive()) co_return std::move(now);
  const auto hold = channel->shared_from_this();
  typename ChannelCore<T>::Place place(*channel);
  co_await wait(place);
  if (place.outcome == Waiter::Outcome::Cancelled) throw_cancelled();
  co_return place.take();
}

/// A U that becomes a T can be written as a temporary inside a co_await expression: g++ 12 destroys twice there an
/// aggregate, and a lambda that owns what it captures, which is told by its lack of a default constructor.
template <class U, class T = U>
inline constexpr bool kSafeToSend = kSafeTemporary<U> || (!std::is_aggregate_v<U> &&
                                                          (std::is_same_v<U, T> || std::is_default_constructible_v<U>));

[[nodiscard]] std::size_t checked_capacity(std::size_t capacity);

}  // namespace detail

template <class T>
class Channel {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a value that cannot be moved could be lost on its way");

 public:
  static constexpr std::size_t kMaxCapacity = 10'000'000;

  /// 0..kMaxCapacity values may wait; with 0 a sender waits until its value is received. Throws Exception:
  /// InvalidInput.
  explicit Channel(std::size_t capacity)
      : core_(std::make_shared<detail::ChannelCore<T>>(detail::checked_capacity(capacity))) {}
  /// Closes it.
  ~Channel() { core_->close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Accepted, as soon as there is room; Closed: the value is dropped.
  template <class U = T>
  requires std::is_convertible_v<U, T>
  [[nodiscard]] boost::asio::awaitable<Sent> send(U&& value) {
    static_assert(detail::kSafeToSend<T>,
                  "give T a constructor: g++ 12 destroys a temporary aggregate twice in co_await channel.send(T{...})");
    static_assert(detail::kSafeToSend<U, T>,
                  "name it on the line above, as a T: g++ 12 destroys a temporary lambda twice in co_await");
    return detail::send<T>(core_.get(), std::forward<U>(value));
  }
  /// Never waits; moves from the value only where it is accepted. Full also where others wait to send.
  [[nodiscard]] Sent try_send(T&& value) { return core_->try_send(value); }

  /// The next value; nothing: the channel is closed, and all values have been received.
  [[nodiscard]] boost::asio::awaitable<std::optional<T>> receive() { return detail::receive(core_.get()); }
  /// Never waits. Nothing: there is none now, and none will come where it is closed().
  [[nodiscard]] std::optional<T> try_receive() { return core_->try_receive(); }

  /// Takes no more: who waits to send gets Closed, and keeps nothing; what was accepted is still received. May be
  /// repeated.
  void close() { core_->close(); }
  [[nodiscard]] bool closed() const { return core_->closed(); }

  /// Values that were accepted and not received.
  [[nodiscard]] std::size_t size() const { return core_->size(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return core_->capacity(); }

 private:
  std::shared_ptr<detail::ChannelCore<T>> core_;
};

}  // namespace galley
