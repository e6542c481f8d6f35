// The overload guard and toobusy as a server under load would see them, in virtual time; and rules with a fault, which
// the same checks must find.

#include "overload_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <tuple>

namespace galley::test {
namespace {

using namespace std::chrono_literals;
using MakeRule = std::function<std::unique_ptr<Rule>()>;
using Findings = std::vector<std::string>;

constexpr std::uint64_t kSeeds[] = {1, 2, 3};

OverloadOptions seeded() {
  OverloadOptions options;
  options.seed = 1;
  return options;
}

std::unique_ptr<Rule> make_guard() { return std::make_unique<GuardRule>(seeded()); }

std::unique_ptr<Rule> make_too_busy() {
  TooBusyOptions options;
  options.seed = 1;
  return std::make_unique<TooBusyRule>(options);
}

double ms(Nanos duration) { return static_cast<double>(duration.count()) / 1e6; }

/// Carries the model out with each seed; `fault` says what is wrong with an outcome, or nothing.
Findings with_seeds(const std::string& what, Model model, const MakeRule& make,
                    const std::function<std::string(const Outcome&)>& fault) {
  Findings findings;
  for (const std::uint64_t seed : kSeeds) {
    model.seed = seed;
    const auto rule = make();
    const Outcome outcome = run(model, *rule);
    const std::string said = fault(outcome);
    if (!said.empty()) findings.push_back(what + ": " + said + " (" + text(model, outcome) + ")");
  }
  return findings;
}

void append(Findings& all, Findings more) { all.insert(all.end(), more.begin(), more.end()); }

/// Answers in time, of what the server could give; nobody who is answered has waited long.
Findings goodput(const MakeRule& make, Nanos refusal, const std::vector<std::pair<double, double>>& least) {
  Findings findings;
  for (const auto& [load, good] : least) {
    Model model = at_load(load);
    model.refusal = refusal;
    model.backlog = 4'096;
    append(findings, with_seeds("goodput", model, make, [good = good](const Outcome& outcome) -> std::string {
             if (outcome.goodput < good) return "below " + std::to_string(good);
             return outcome.p99 > 50ms ? "a p99 above 50 ms" : "";
           }));
  }
  return findings;
}

/// Who comes after a stall of a second, when that is over by 100 ms, is served.
Findings stall(const MakeRule& make) {
  Findings findings;
  for (const double load : {0.01, 0.3, 0.5, 0.7}) {
    Model model = at_load(load);
    model.stalls = {{4s, 1s}};
    model.backlog = 4'096;
    append(findings, with_seeds("stall", model, make, [load](const Outcome& outcome) -> std::string {
             if (load < 0.1 && !outcome.refused.empty()) return "an idle server refuses";
             for (const Nanos came : outcome.refused) {
               if (came > 5'100ms) return "refused who came " + std::to_string(ms(came - 5s)) + " ms after it";
             }
             return "";
           }));
  }
  return findings;
}

/// From half to five times the capacity: somebody is told within 100 ms. And back: 100 ms later, nobody any more.
Findings step(const MakeRule& make) {
  Model model = at_load(0.5);
  model.traffic.push_back({4s, 5});
  model.traffic.push_back({7s, 0.5});
  return with_seeds("step", model, make, [](const Outcome& outcome) -> std::string {
    if (outcome.refusals.empty()) return "nobody was told";
    if (outcome.refusals.front() < 4s) return "told before it";
    if (outcome.refusals.front() > 4'100ms)
      return "told " + std::to_string(ms(outcome.refusals.front() - 4s)) + " ms late";
    return outcome.refused.back() > 7'100ms ? "refused after it was over" : "";
  });
}

/// At five times the capacity, a tenth of it High: that is answered, and so is the system.
Findings classes(const MakeRule& make) {
  Model model = at_load(5);
  model.classes = {0.6, 0.29, 0.1, 0.01};
  return with_seeds("classes", model, make, [](const Outcome& outcome) -> std::string {
    if (outcome.success(RequestClass::High) < 0.99) return "High below 0.99";
    if (outcome.success(RequestClass::System) < 0.99) return "System below 0.99";
    if (outcome.success(RequestClass::Low) > 0.01) return "Low above 0.01";
    return outcome.goodput < 0.9 ? "at the others' cost" : "";
  });
}

/// It becomes busy once and stays so. Near the capacity it may come and go, twice a second at most.
Findings flapping(const MakeRule& make) {
  Findings findings;
  for (const auto& [load, most] :
       std::vector<std::pair<double, std::size_t>>{{0.8, 0}, {1.05, 20}, {1.2, 3}, {2, 1}, {5, 1}, {10, 1}}) {
    append(findings, with_seeds("flapping", at_load(load), make, [most = most](const Outcome& outcome) -> std::string {
             return outcome.turned.size() > most ? "more than " + std::to_string(most) + " turns" : "";
           }));
  }
  return findings;
}

Findings all_checks(const MakeRule& make) {
  Findings findings = goodput(make, 20us, {{0.8, 0.78}, {1.2, 0.97}, {2, 0.95}, {5, 0.90}, {10, 0.90}});
  append(findings, goodput(make, 100us, {{1.2, 0.95}, {2, 0.93}, {5, 0.87}, {10, 0.80}}));
  append(findings, stall(make));
  append(findings, step(make));
  append(findings, classes(make));
  append(findings, flapping(make));
  return findings;
}

TEST(OverloadModel, TheGuardKeepsAServerUsefulAtEachLoad) {
  EXPECT_THAT(goodput(make_guard, 20us, {{0.8, 0.78}, {1.2, 0.97}, {2, 0.95}, {5, 0.90}, {10, 0.90}}),
              testing::IsEmpty());
}

TEST(OverloadModel, TheAcceptGateHelpsWhereSayingNoIsExpensive) {
  EXPECT_THAT(goodput(make_guard, 100us, {{1.2, 0.95}, {2, 0.93}, {5, 0.87}, {10, 0.80}}), testing::IsEmpty());
  OverloadOptions open = seeded();
  open.accept_gate = false;
  const auto without = [open] { return std::make_unique<GuardRule>(open); };
  EXPECT_EQ(goodput(without, 100us, {{5, 0.60}, {10, 0.30}}).size(), 2 * std::size(kSeeds));
}

TEST(OverloadModel, AStallOfASecondIsForgottenWithin100Milliseconds) {
  EXPECT_THAT(stall(make_guard), testing::IsEmpty());
}

TEST(OverloadModel, AStepToFiveTimesTheCapacityIsShedWithin100Milliseconds) {
  EXPECT_THAT(step(make_guard), testing::IsEmpty());
}

TEST(OverloadModel, TheHighestClassIsServedAtFiveTimesTheCapacity) {
  EXPECT_THAT(classes(make_guard), testing::IsEmpty());
}

TEST(OverloadModel, TheGuardDoesNotFlap) { EXPECT_THAT(flapping(make_guard), testing::IsEmpty()); }

TEST(OverloadModel, DeadlinesThatAreKnownAreNotMissed) {
  for (const std::uint64_t seed : kSeeds) {
    OverloadOptions options = seeded();
    options.admit_gate = options.accept_gate = false;
    GuardRule rule(options);
    Model model = at_load(1.5);
    model.send_deadlines = true;
    model.stalls = {{4s, 300ms}};
    model.seed = seed;
    const Outcome outcome = run(model, rule);
    EXPECT_LE(outcome.p99, 200ms) << text(model, outcome);
    EXPECT_GT(rule.guard().status(model.length).refused_by(Refusal::Deadline), 0) << text(model, outcome);
  }
}

TEST(OverloadModel, WithoutARuleAServerUnderOverloadIsOfNoUse) {
  Rule none;
  Model model = at_load(2);
  model.backlog = 4'096;
  EXPECT_LT(run(model, none).goodput, 0.05);
}

TEST(OverloadModel, TooBusyGivesAwayMostOfTheCapacityAndShedsForTwoSecondsAfterAStall) {
  for (const auto& [load, least, most] :
       std::vector<std::tuple<double, double, double>>{{2, 0.25, 0.5}, {5, 0.15, 0.3}, {10, 0.1, 0.2}}) {
    Model model = at_load(load);
    model.backlog = 4'096;
    const Outcome outcome = run(model, *make_too_busy());
    EXPECT_GT(outcome.goodput, least) << text(model, outcome);
    EXPECT_LT(outcome.goodput, most) << text(model, outcome);
  }
  Model model = at_load(0.3);
  model.stalls = {{4s, 1s}};
  model.backlog = 4'096;
  const Outcome outcome = run(model, *make_too_busy());
  ASSERT_FALSE(outcome.refusals.empty());
  EXPECT_NEAR(ms(outcome.refusals.back() - 5s), 2'000, 20);
}

// Rules with a fault.

class Inverted : public GuardRule {  // sheds the important first
 public:
  Inverted() : GuardRule(seeded()) {}
  bool takes(const Arrival& arrival, Nanos now) override {
    Arrival other = arrival;
    if (arrival.request_class == RequestClass::High) other.request_class = RequestClass::Low;
    if (arrival.request_class == RequestClass::Low) other.request_class = RequestClass::High;
    return GuardRule::takes(other, now);
  }
};

class Sticky : public GuardRule {  // goes on for 300 ms after it was busy
 public:
  Sticky() : GuardRule(seeded()) {}
  bool takes(const Arrival& arrival, Nanos now) override {
    const bool taken = GuardRule::takes(arrival, now);
    if (guard().busy()) until_ = now + 300ms;
    return taken && (guard().busy() || now >= until_);
  }

 private:
  Nanos until_{0};
};

class Nervous : public Rule {  // no hysteresis
 public:
  bool takes(const Arrival& arrival, Nanos now) override {
    late_ = now - arrival.at > 20ms;
    return !late_;
  }
  bool busy(Nanos) override { return late_; }

 private:
  bool late_ = false;
};

class Shut : public GuardRule {  // accepts nobody while busy, for 50 ms each
 public:
  Shut() : GuardRule(seeded()) {}
  AcceptAnswer accept(Nanos now) override {
    AcceptAnswer answer = GuardRule::accept(now);
    if (guard().busy() && now - asked_ < 50ms) {
      answer.open = false;
      answer.ask_at = asked_ + 50ms;
    } else if (guard().busy()) {
      asked_ = now;
    }
    return answer;
  }

 private:
  Nanos asked_{0};
};

MakeRule guard_with(const std::function<void(OverloadOptions&)>& change) {
  OverloadOptions options = seeded();
  change(options);
  return [options] { return std::make_unique<GuardRule>(options); };
}

std::set<std::string> found(const Findings& findings) {
  std::set<std::string> checks;
  for (const std::string& finding : findings) checks.insert(finding.substr(0, finding.find(':')));
  return checks;
}

TEST(OverloadModel, FindsRulesWithAFault) {
  using testing::Contains;
  EXPECT_THAT(found(classes([] { return std::make_unique<Inverted>(); })), Contains("classes"));
  EXPECT_THAT(found(stall([] { return std::make_unique<Sticky>(); })), Contains("stall"));
  EXPECT_THAT(found(flapping([] { return std::make_unique<Nervous>(); })), Contains("flapping"));
  EXPECT_THAT(found(goodput([] { return std::make_unique<Shut>(); }, 20us, {{2, 0.95}})), Contains("goodput"));
  EXPECT_THAT(found(step(guard_with([](auto& o) { o.interval = 1s, o.target = 60ms; }))), Contains("step"));
  EXPECT_THAT(found(goodput(guard_with([](auto& o) { o.admit_gate = o.start_gate = false; }), 20us, {{5, 0.9}})),
              Contains("goodput"));
  EXPECT_THAT(found(all_checks(make_too_busy)), testing::IsSupersetOf({"goodput", "stall", "step", "classes"}));
}

}  // namespace
}  // namespace galley::test
