#include "galley/middleware.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "galley/queue.hpp"
#include "galley/testkit.hpp"
#include "store/store.hpp"

namespace galley::engine {
namespace {

/// Notes what passes through it.
class Noting : public Middleware {
 public:
  Noting(std::string name, std::vector<std::string>& notes) : name_(std::move(name)), notes_(notes) {}
  Result<void> on_enqueue(Draft& draft) override {
    notes_.push_back(name_ + " enqueue " + draft.kind);
    return {};
  }
  std::optional<Outcome> on_attempt(Attempt&, std::string_view payload, const Next& next) override {
    notes_.push_back(name_ + " begins");
    auto outcome = next(payload);
    notes_.push_back(name_ + " ends");
    return outcome;
  }

 private:
  std::string name_;
  std::vector<std::string>& notes_;
};

/// As weak as a cipher can be, but it changes every byte and is no JSON.
class Sealing : public Middleware {
 public:
  Result<void> on_enqueue(Draft& draft) override {
    draft.payload = flipped(draft.payload);
    draft.options.redacted = true;
    return {};
  }
  std::optional<Outcome> on_attempt(Attempt&, std::string_view payload, const Next& next) override {
    return next(flipped(payload));
  }

 private:
  static std::string flipped(std::string_view text) {
    std::string other(text);
    std::transform(other.begin(), other.end(), other.begin(), [](char c) { return static_cast<char>(c ^ 0x55); });
    return other;
  }
};

class Refusing : public Middleware {
 public:
  Result<void> on_enqueue(Draft& draft) override {
    return Error{Errc::NotAllowed, "no " + draft.kind + " for this tenant"};
  }
};

class Throwing : public Middleware {
 public:
  std::optional<Outcome> on_attempt(Attempt&, std::string_view, const Next&) override {
    throw std::runtime_error("the span could not be opened");
  }
};

class MiddlewareTest : public testing::Test {
 protected:
  galley::testkit::Clock clock;
  StorePtr store = galley::testkit::memory_store(clock);
  Queue queue{store, "q"};
  galley::testkit::Drain drain{store, clock};
};

TEST_F(MiddlewareTest, TheFirstOneUsedIsTheOutermost) {
  std::vector<std::string> notes;
  use(store, std::make_shared<Noting>("outer", notes));
  use(store, std::make_shared<Noting>("inner", notes));
  drain.worker().handle("k", [&](Attempt&, std::string_view) { notes.emplace_back("handler"); });
  ASSERT_TRUE(queue.enqueue_json("k", "1"));
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(notes, (std::vector<std::string>{"outer enqueue k", "inner enqueue k", "outer begins", "inner begins",
                                             "handler", "inner ends", "outer ends"}));
}

TEST_F(MiddlewareTest, MaySealWhatIsStoredAndOpenItForTheHandler) {
  use(store, std::make_shared<Sealing>());
  std::string seen;
  drain.worker().handle("k", [&](Attempt&, std::string_view payload) { seen = payload; });
  const JobId id = queue.enqueue_json("k", R"({"card":"4711"})").value();
  const auto stored = store->find(id).value();
  EXPECT_EQ(stored.payload.find("4711"), std::string::npos);
  EXPECT_EQ(stored.content, job::Content::Bytes) << "it is no JSON any more";
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(seen, R"({"card":"4711"})");
}

TEST_F(MiddlewareTest, MayRefuseAnEnqueue) {
  use(store, std::make_shared<Refusing>());
  const auto refused = queue.enqueue_json("k", "1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::NotAllowed);
  EXPECT_EQ(refused.error().message, "no k for this tenant");
  EXPECT_TRUE(store->queues()->empty());
}

TEST_F(MiddlewareTest, WhatItThrowsIsTheAttemptsFailure) {
  use(store, std::make_shared<Throwing>());
  bool ran = false;
  drain.worker().handle("k", [&](Attempt&, std::string_view) { ran = true; });
  const JobId id = queue.enqueue_json("k", "1").value();
  EXPECT_EQ(drain.run().value().failed, 1);
  EXPECT_FALSE(ran);
  EXPECT_EQ(store->find(id)->error, "the span could not be opened");
}

TEST_F(MiddlewareTest, HasABound) {
  std::vector<std::string> notes;
  for (int i = 0; i < 32; ++i) use(store, std::make_shared<Noting>("one", notes));
  EXPECT_THROW(use(store, std::make_shared<Noting>("one too many", notes)), Exception);
  EXPECT_THROW(use(store, nullptr), Exception);
}

}  // namespace
}  // namespace galley::engine
