#pragma once
// What happened, move by move: the last ones for a person, all of them as one number to compare two runs by.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace galley::simulation {

class Trace {
 public:
  static constexpr std::size_t kKept = 60;

  explicit Trace(const base::Clock& clock) : clock_(clock), begin_(clock.mono()) {}

  void say(std::string_view who, std::string_view what) {
    std::string line = "+" + std::to_string((clock_.mono() - begin_).count()) + "us ";
    line.append(who).append(": ").append(what);
    for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ull;  // FNV-1a
    last_.push_back(std::move(line));
    if (last_.size() > kKept) last_.pop_front();
  }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const std::string& line : last_) text += line + "\n";
    return text;
  }

 private:
  const base::Clock& clock_;
  base::Mono begin_;
  std::deque<std::string> last_;
  std::uint64_t hash_ = 14'695'981'039'346'656'037ull;
};

}  // namespace galley::simulation
