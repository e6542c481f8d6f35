// One place for what is to happen with every job: here a trace that goes on in the handler, and payloads that nobody
// who reads the store can read. The cipher is a toy; put your library's in its place.

#include <algorithm>
#include <galley/galley.hpp>
#include <iostream>

namespace {

class Tracing : public galley::Middleware {
 public:
  galley::Result<void> on_enqueue(galley::Draft& draft) override {
    draft.options.headers.emplace_back("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    return {};
  }
  std::optional<galley::Outcome> on_attempt(galley::Attempt& attempt, std::string_view payload,
                                            const galley::Next& next) override {
    std::cout << attempt.kind() << " goes on with " << attempt.header("traceparent") << "\n";
    return next(payload);
  }
};

class Sealing : public galley::Middleware {
 public:
  galley::Result<void> on_enqueue(galley::Draft& draft) override {
    draft.payload = toy_cipher(draft.payload);
    draft.options.redacted = true;  // `galley jobs` does not show it either
    return {};
  }
  std::optional<galley::Outcome> on_attempt(galley::Attempt&, std::string_view payload,
                                            const galley::Next& next) override {
    return next(toy_cipher(payload));
  }

 private:
  static std::string toy_cipher(std::string_view text) {
    std::string other(text);
    std::transform(other.begin(), other.end(), other.begin(), [](char c) { return static_cast<char>(c ^ 0x2a); });
    return other;
  }
};

}  // namespace

int main() {
  const auto store = galley::open_store("sqlite:jobs.db").value();
  galley::use(store, std::make_shared<Tracing>());
  galley::use(store, std::make_shared<Sealing>());

  galley::Queue mail{store, "mail"};
  mail.enqueue("welcome", std::string("ann@example.com")).value();

  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle<std::string>(
      "welcome", [](galley::Attempt&, const std::string& address) { std::cout << "welcome, " << address << "\n"; });
  return worker.pool("mail", 1).run().value().completed == 1 ? 0 : 1;
}
