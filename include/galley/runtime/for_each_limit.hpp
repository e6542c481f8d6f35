#pragma once
// Many items, a coroutine each, so many at a time.
//
//   const auto fetched = co_await galley::for_each_limit(urls, 8, fetch);   // awaitable<Page> fetch(std::string url)
//   for (const auto& page : fetched) {
//     if (page) keep(*page); else report(page.error());                     // std::exception_ptr
//   }
//
// Thread-safety: on one executor, that runs one handler at a time: a loop, an io_context of one thread, a strand.

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/result.hpp>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "galley/runtime/detail/children.hpp"
#include "galley/runtime/detail/waiting.hpp"

namespace galley {

/// What one item gave: a value, or what it threw. value() throws that again.
template <class T>
using ItemResult = boost::system::result<T, std::exception_ptr>;

struct ForEachOptions {
  /// The first error cancels the items that run, and those that have not begun never do: they get operation_aborted.
  /// Without it one bad item disturbs no other.
  bool fail_fast = false;
  ForEachOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

namespace detail {

template <class T>
struct AwaitedBy;
template <class T>
struct AwaitedBy<boost::asio::awaitable<T>> {
  using Type = T;
};

template <class Items, class F>
struct ForEach {
  using Item = std::ranges::range_reference_t<Items>;
  using Value = typename AwaitedBy<std::invoke_result_t<F&, Item>>::Type;

  Items items;
  F f;
  bool fail_fast;
  std::ranges::iterator_t<Items> next;
  std::size_t begun = 0;
  std::vector<ItemResult<Value>> results;

  template <class I, class G>
  ForEach(I&& all, G&& function, const ForEachOptions& options)
      : items(std::forward<I>(all)), f(std::forward<G>(function)), fail_fast(options.fail_fast) {
    next = std::ranges::begin(items);
    const auto size = static_cast<std::size_t>(std::ranges::distance(items));
    const std::exception_ptr none = cancellation();
    results.reserve(size);
    for (std::size_t i = 0; i < size; ++i) results.emplace_back(boost::system::in_place_error, none);
  }
};

/// Takes items until none is left. `all` and `runners` stand in the coroutine that awaits this one.
template <class Items, class F>
boost::asio::awaitable<void> run_items(ForEach<Items, F>& all, Children& runners) {
  using Value = typename ForEach<Items, F>::Value;
  while (all.begun < all.results.size() && !runners.cancelled()) {
    if (!may_go_on()) co_await give_way();
    if (all.begun == all.results.size()) break;
    auto& result = all.results[all.begun++];
    const auto item = all.next++;
    bool failed = false;
    try {
      auto one = all.f(*item);
      if constexpr (std::is_void_v<Value>) {
        co_await std::move(one);
        result = ItemResult<Value>(boost::system::in_place_value);
      } else {
        result = ItemResult<Value>(boost::system::in_place_value, co_await std::move(one));
      }
    } catch (...) {
      result = ItemResult<Value>(boost::system::in_place_error, std::current_exception());
      failed = true;
    }
    if (failed && all.fail_fast && !runners.cancelled()) runners.cancel();
  }
}

template <class Items, class F>
boost::asio::awaitable<std::vector<ItemResult<typename ForEach<Items, F>::Value>>> run_for_each(
    Items items, std::size_t at_once, F f, ForEachOptions options) {
  ForEach<Items, F> all(std::move(items), std::move(f), options);
  Children runners(co_await boost::asio::this_coro::executor);
  const std::size_t count = std::min(at_once, all.results.size());
  for (std::size_t i = 0; i < count; ++i) runners.add(run_items(all, runners));
  co_await runners.run();
  if (runners.cancelled_outside()) throw_cancelled();
  co_return std::move(all.results);
}

[[noreturn]] void refuse_at_once();

}  // namespace detail

/// co_await f(item) for each item, `at_once` of them at a time, begun in their order; results in their order. It holds
/// items and f until the last child has ended: they are copied, or moved from with std::move, so f may be a lambda with
/// captures that is a coroutine itself, and may take its item by reference. A std::span is not copied, and borrows.
///
/// Items can be gone through twice (std::ranges::forward_range): they are counted before the first begins.
///
/// Where it is cancelled, it cancels the items that run, waits for them, and throws operation_aborted.
///
/// Throws Exception: InvalidInput for at_once = 0, when it is called. Costs a coroutine for each of `at_once`, not for
/// each item, and a result for each item.
///
/// f and items are named on a line above: g++ 12 destroys a lambda that owns what it captures, or an aggregate, twice
/// when it is written inside a co_await expression. What could be one does not compile.
template <class Items, class F>
requires(std::ranges::forward_range<std::remove_cvref_t<Items>&>)
    [[nodiscard]] auto for_each_limit(Items&& items, std::size_t at_once, F&& f, const ForEachOptions& options = {}) {
  static_assert(
      detail::kSafeTemporary<F>,
      "name the callable on the line above and pass that name: g++ 12 destroys a temporary twice in co_await");
  static_assert(detail::kSafeTemporary<Items> || !std::is_aggregate_v<Items>,
                "name the items on the line above and pass that name: g++ 12 destroys a temporary twice in co_await");
  if (at_once == 0) detail::refuse_at_once();
  return detail::run_for_each<std::remove_cvref_t<Items>, std::decay_t<F>>(std::forward<Items>(items), at_once,
                                                                           std::forward<F>(f), options);
}

}  // namespace galley
