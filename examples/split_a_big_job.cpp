// Counts the words of a file in parts of a hundred lines, four at a time, and adds up what they found.

#include <fstream>
#include <galley/galley.hpp>
#include <iostream>
#include <sstream>

struct Total {
  std::string of;
};
BOOST_DESCRIBE_STRUCT(Total, (), (of))

namespace {

std::int64_t words_in(std::string_view line) {
  std::istringstream words{std::string(line)};
  std::int64_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

}  // namespace

int main() {
  std::ofstream text("book.txt");
  for (int line = 0; line < 1'000; ++line) text << "it is a truth universally acknowledged\n";
  text.close();

  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::Queue queue{store, "books"};
  galley::split(queue, "count", galley::file_lines("book.txt", 100), galley::token("book.txt"))
      .join(queue, "add-up", Total{"book.txt"})
      .enqueue()
      .value();

  std::int64_t total = 0;
  galley::WorkerOptions options;
  options.drain = true;  // end when nothing is left; usually a worker is a process of its own
  galley::Worker worker{store, options};
  worker.handle<galley::FilePart>("count", [](galley::Attempt& attempt, const galley::FilePart& part) {
    std::int64_t words = 0;
    galley::Lines lines{part};
    while (const auto line = lines.next()) words += words_in(*line);
    attempt.result(std::to_string(words)).value();
  });
  worker.handle<Total>("add-up", [&](galley::Attempt& attempt, const Total& job) {
    galley::Results parts = galley::results(store, attempt);
    while (const auto part = parts.next().value()) total += std::stoll(part->result);
    std::cout << job.of << " has " << total << " words\n";
  });
  const auto did = worker.pool("books", 4).run().value();
  return did.completed == 11 && total == 6'000 ? 0 : 1;
}
