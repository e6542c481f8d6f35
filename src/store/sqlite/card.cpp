#include "store/sqlite/card.hpp"

#include <charconv>

namespace galley::store::sqlite {

namespace {

void add(std::string& text, std::string_view word, std::string_view value) {
  text += word;
  text += ' ';
  for (const char c : value) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  text += '\n';
}

std::string value_of(std::string_view escaped) {
  std::string value;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const bool escape = escaped[i] == '\\' && i + 1 < escaped.size();
    if (escape) ++i;
    value += escape && escaped[i] == 'n' ? '\n' : escaped[i];
  }
  return value;
}

void read_line(std::string_view line, WorkerCard& card) {
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  const std::string_view rest = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  if (word == "slots") std::from_chars(rest.data(), rest.data() + rest.size(), card.slots);
  if (word == "any_command") card.any_command = true;
  if (word == "queue") card.queues.push_back(value_of(rest));
  if (word == "kind") card.kinds.push_back(value_of(rest));
  if (word == "program") card.programs.push_back(value_of(rest));
}

}  // namespace

std::string card_text(const WorkerCard& card) {
  std::string text;
  add(text, "slots", std::to_string(card.slots));
  if (card.any_command) text += "any_command\n";
  for (const std::string& queue : card.queues) add(text, "queue", queue);
  for (const std::string& kind : card.kinds) add(text, "kind", kind);
  for (const std::string& program : card.programs) add(text, "program", program);
  return text;
}

WorkerCard card_from(std::string_view text) {
  WorkerCard card;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    read_line(text.substr(0, end), card);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return card;
}

}  // namespace galley::store::sqlite
