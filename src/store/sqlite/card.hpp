#pragma once
// A worker's card as text: a line each, "slots 6", "any_command", "queue NAME", "kind NAME", "program PATH", in any
// order; a line end in a path is written "\n" and a backslash "\\". Unknown lines are left to newer programs. Name and
// pools have columns of their own. Pure.

#include <string>
#include <string_view>

#include "store/store.hpp"

namespace galley::store::sqlite {

[[nodiscard]] std::string card_text(const WorkerCard& card);
[[nodiscard]] WorkerCard card_from(std::string_view text);

}  // namespace galley::store::sqlite
