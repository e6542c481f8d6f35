#include "engine/attempt.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace galley::engine {

namespace {

Result<void> check_size(std::string_view what, std::size_t size, std::size_t max) {
  if (size <= max) return {};
  return Error{Errc::InvalidInput, "the " + std::string(what) + " has " + std::to_string(size) + " bytes; at most " +
                                       std::to_string(max) + " are allowed"};
}

}  // namespace

RunningAttempt::RunningAttempt(job::Claim claim, std::optional<base::Mono> deadline, const base::Clock& clock,
                               std::function<void()> on_news)
    : claim_(std::move(claim)), deadline_(deadline), clock_(clock), on_news_(std::move(on_news)) {}

std::string_view RunningAttempt::header(std::string_view name) const noexcept {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(a) == lower(b);
  };
  for (const auto& [known, value] : claim_.headers) {
    if (std::equal(known.begin(), known.end(), name.begin(), name.end(), same)) return value;
  }
  return {};
}

std::optional<Duration> RunningAttempt::time_left() const {
  if (!deadline_) return std::nullopt;
  return std::max(Duration{0}, *deadline_ - clock_.mono());
}

bool RunningAttempt::stop_requested() const noexcept {
  if (!stop_.stop_requested()) return false;
  looked_ = true;
  return true;
}

std::stop_token RunningAttempt::stop_token() const noexcept {
  took_token_ = true;
  return stop_.get_token();
}

void RunningAttempt::log(std::string_view line) {
  const std::lock_guard lock(mutex_);
  base::append_tail(log_, base::to_utf8(line), limits::kMaxLogBytes);
  base::append_tail(log_, "\n", limits::kMaxLogBytes);
}

void RunningAttempt::progress(std::string_view text) {
  put(progress_, std::string(base::head_of(base::to_utf8(text), limits::kMaxProgressBytes)));
}

Result<void> RunningAttempt::save_checkpoint(std::string bytes) {
  if (auto checked = check_size("checkpoint", bytes.size(), limits::kMaxCheckpointBytes); !checked) return checked;
  put(checkpoint_, std::move(bytes));
  return {};
}

Result<void> RunningAttempt::result(std::string bytes) {
  if (auto checked = check_size("result", bytes.size(), limits::kMaxResultBytes); !checked) return checked;
  const std::lock_guard lock(mutex_);
  result_ = std::move(bytes);
  return {};
}

/// The call goes out without the lock: it takes the worker's, which is held where renewals are made.
void RunningAttempt::put(News& news, std::string text) {
  {
    const std::lock_guard lock(mutex_);
    news.text = std::move(text);
    ++news.version;
    if (std::exchange(announced_, true)) return;
  }
  on_news_();
}

void RunningAttempt::enter() noexcept {
  const std::lock_guard lock(mutex_);
  thread_ = ::gettid();
  has_begun_ = true;
}

void RunningAttempt::leave() noexcept {
  const std::lock_guard lock(mutex_);
  thread_.reset();
}

/// With the lock held, so that the thread stays with this attempt meanwhile.
std::string RunningAttempt::stack(runtime::StackTaker& taker) {
  const std::lock_guard lock(mutex_);
  if (thread_) return taker.take(*thread_);
  return has_begun_ ? "it has just ended" : "no thread has begun it";
}

void RunningAttempt::request_stop() noexcept {
  stop_.request_stop();
  const std::lock_guard lock(mutex_);
  if (process_ == nullptr) return;
  signalled_ = true;
  process_->terminate();
}

void RunningAttempt::kill() noexcept {
  const std::lock_guard lock(mutex_);
  kill_wanted_ = true;
  if (process_ == nullptr) return;
  signalled_ = true;
  process_->kill();
}

void RunningAttempt::attach(Process& process) noexcept {
  const std::lock_guard lock(mutex_);
  process_ = &process;
  if (!stop_.stop_requested() && !kill_wanted_) return;
  signalled_ = true;
  if (kill_wanted_) {
    process_->kill();
  } else {
    process_->terminate();
  }
}

void RunningAttempt::let_go() noexcept {
  const std::lock_guard lock(mutex_);
  process_ = nullptr;
}

void RunningAttempt::watch(const CheckpointFile& file) noexcept {
  const std::lock_guard lock(mutex_);
  checkpoint_file_ = &file;
}

void RunningAttempt::unwatch() {
  const std::lock_guard lock(mutex_);
  look_at_file();
  checkpoint_file_ = nullptr;
}

/// With the lock. One that is too large is not taken; the last that was not stays.
void RunningAttempt::look_at_file() {
  if (checkpoint_file_ == nullptr) return;
  auto text = checkpoint_file_->read();
  if (!text || text->size() > limits::kMaxCheckpointBytes) return;
  if (*text == (checkpoint_.version > 0 ? checkpoint_.text : claim_.checkpoint)) return;
  checkpoint_.text = *std::move(text);
  ++checkpoint_.version;
}

store::Renewal RunningAttempt::renewal() {
  const std::lock_guard lock(mutex_);
  look_at_file();
  announced_ = false;
  store::Renewal renewal{claim_.id, {}, {}};
  if (progress_.version > progress_.told) renewal.progress = progress_.text;
  if (checkpoint_.version > checkpoint_.told) renewal.checkpoint = checkpoint_.text;
  progress_.sent = progress_.version;
  checkpoint_.sent = checkpoint_.version;
  return renewal;
}

void RunningAttempt::told() {
  const std::lock_guard lock(mutex_);
  progress_.told = progress_.sent;
  checkpoint_.told = checkpoint_.sent;
}

void RunningAttempt::collect(AttemptEnd& end) const {
  const std::lock_guard lock(mutex_);
  end.saw_stop = looked_ || signalled_ || (took_token_ && stop_.stop_requested());
  end.report.log = base::tail_of(log_, limits::kMaxLogBytes);
  end.result = result_;
  end.completed_itself = completes_itself_;
  end.moved_on = checkpoint_.version > 0 && checkpoint_.text != claim_.checkpoint;
  if (checkpoint_.version > checkpoint_.told) end.checkpoint = checkpoint_.text;
}

}  // namespace galley::engine
