#pragma once
// Coroutines on an io_context that a test drives by hand, step by step.

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>

namespace galley::test {

/// Goes to the end of its executor's line, so many times.
inline boost::asio::awaitable<void> turns(int times) {
  for (int i = 0; i < times; ++i) {
    co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
  }
}

/// Until it is cancelled.
inline boost::asio::awaitable<void> for_ever() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, std::chrono::hours(24));
  co_await timer.async_wait(boost::asio::use_awaitable);
}

/// "cancelled" for operation_aborted, else what it says.
inline std::string text_of(const std::exception_ptr& error) {
  if (error == nullptr) return "nothing";
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code() == boost::asio::error::operation_aborted ? "cancelled" : failure.what();
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

/// A coroutine that a test has started: how it ended, and its cancellation. Outlives its context's run.
class Started {
 public:
  Started(boost::asio::io_context& context, boost::asio::awaitable<void> work) {
    boost::asio::co_spawn(context, supervise(std::move(work)), End(*this));
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  void cancel() {
    cancelled_ = true;
    if (begun_ && !over_) signal_.emit(boost::asio::cancellation_type::terminal);
  }
  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] std::string error() const { return text_of(error_); }

 private:
  /// Without an executor of its own, as bind_cancellation_slot would give it: a cancellation takes effect at once.
  struct End {
    using cancellation_slot_type = boost::asio::cancellation_slot;
    Started* started;
    explicit End(Started& of) : started(&of) {}
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return started->signal_.slot(); }
    void operator()(const std::exception_ptr&) const { started->over_ = true; }
  };

  /// The last step of co_spawn throws out of the context where a coroutine is cancelled that has never waited.
  boost::asio::awaitable<void> supervise(boost::asio::awaitable<void> work) {
    begun_ = true;
    try {
      if (cancelled_) throw boost::system::system_error(boost::asio::error::operation_aborted);
      co_await std::move(work);
    } catch (...) {
      error_ = std::current_exception();
    }
    co_await boost::asio::this_coro::reset_cancellation_state();
  }

  boost::asio::cancellation_signal signal_;
  bool begun_ = false;
  bool cancelled_ = false;
  bool over_ = false;
  std::exception_ptr error_;
};

}  // namespace galley::test
