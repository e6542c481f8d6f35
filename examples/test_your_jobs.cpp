// How a program's own tests run its jobs: in memory, at any time of day, on the calling thread, without waiting.

#include <galley/galley.hpp>
#include <galley/testkit.hpp>
#include <iostream>
#include <vector>

using namespace std::chrono_literals;

namespace {

// What is to be tested: a sign-up that greets at once and asks again a day later.
void sign_up(const galley::StorePtr& store, const std::string& address) {
  galley::Queue mail{store, "mail"};
  mail.enqueue("welcome", address).value();
  mail.enqueue("how_is_it_going", address, galley::delay(24h)).value();
}

}  // namespace

int main() {
  galley::testkit::Clock clock;
  const auto store = galley::testkit::memory_store(clock);
  galley::testkit::Drain drain{store, clock};
  std::vector<std::string> sent;
  for (const char* kind : {"welcome", "how_is_it_going"}) {
    drain.worker().handle<std::string>(kind, [&sent](galley::Attempt& attempt, const std::string& address) {
      sent.push_back(attempt.kind() + " " + address);
    });
  }

  sign_up(store, "ann@example.com");
  drain.run().value();
  const bool greeted = sent == std::vector<std::string>{"welcome ann@example.com"};

  clock.advance(24h);
  drain.run().value();
  const bool asked = sent.back() == "how_is_it_going ann@example.com";

  std::cout << (greeted && asked ? "it works\n" : "it does not work\n");
  return greeted && asked ? 0 : 1;
}
