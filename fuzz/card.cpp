#include "store/sqlite/card.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

/// Nothing is refused: what a newer program has written is left out.
void card(std::string_view input) {
  const auto read = store::sqlite::card_from(input);
  const auto again = store::sqlite::card_from(store::sqlite::card_text(read));
  require(again.slots == read.slots && again.any_command == read.any_command && again.queues == read.queues &&
              again.kinds == read.kinds && again.programs == read.programs,
          "a card that was written reads the same");
}

}  // namespace galley::fuzz
