#include "http/deadlines.hpp"

namespace galley::http {

void Deadlines::set(Member& member, std::size_t line, base::Mono since) {
  auto& to = lines_[line];
  if (member.deadlines_ == nullptr) {
    to.push_back(&member);
    member.at_ = std::prev(to.end());
  } else {
    to.splice(to.end(), lines_[member.line_], member.at_);
  }
  member.deadlines_ = this;
  member.line_ = line;
  member.since_ = since;
}

void Deadlines::clear(Member& member) noexcept {
  if (member.deadlines_ == nullptr) return;
  lines_[member.line_].erase(member.at_);
  member.deadlines_ = nullptr;
}

std::optional<base::Mono> Deadlines::next() const {
  std::optional<base::Mono> next;
  for (std::size_t line = 0; line < lines_.size(); ++line) {
    if (lines_[line].empty()) continue;
    const base::Mono due = lines_[line].front()->since_ + lengths_[line];
    if (!next || due < *next) next = due;
  }
  return next;
}

Deadlines::Member* Deadlines::take_due(base::Mono now) {
  for (std::size_t line = 0; line < lines_.size(); ++line) {
    if (lines_[line].empty()) continue;
    Member* const member = lines_[line].front();
    if (member->since_ + lengths_[line] > now) continue;
    clear(*member);
    return member;
  }
  return nullptr;
}

Deadlines::Member* Deadlines::oldest(std::size_t line) const noexcept {
  return lines_[line].empty() ? nullptr : lines_[line].front();
}

}  // namespace galley::http
