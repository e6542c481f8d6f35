#include "overload_model.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <sstream>

namespace galley::test {

namespace {

class Server {
 public:
  Server(const Model& model, Rule& rule) : model_(model), rule_(rule), random_(model.seed), stalls_(model.stalls) {
    next_ = Nanos{0};
    advance_arrivals();
  }

  Outcome run() {
    while (now_ < model_.length) turn();
    std::sort(times_.begin(), times_.end());
    if (!times_.empty()) outcome_.p99 = times_[times_.size() * 99 / 100];
    const Nanos measured = end_ - model_.measured_from;
    std::int64_t good = 0;
    for (const auto count : outcome_.good) good += count;
    outcome_.goodput =
        static_cast<double>(good) * static_cast<double>(model_.service.count()) / static_cast<double>(measured.count());
    return std::move(outcome_);
  }

 private:
  [[nodiscard]] bool counts(Nanos at) const { return at >= model_.measured_from && at < end_; }

  void turn() {
    if (!stalls_.empty() && now_ >= stalls_.front().at) {
      spend(stalls_.front().length);
      stalls_.erase(stalls_.begin());
    }
    rule_.turn(now_);
    accept();
    for (std::size_t left = inside_.size(); left > 0; --left) {
      const Arrival arrival = inside_.front();
      inside_.pop_front();
      serve(arrival);
    }
    if (inside_.empty()) wait();
  }

  /// Requests come while time goes on, and find room in the backlog or not.
  void spend(Nanos time) {
    now_ += time;
    while (next_ <= now_) arrive();
  }

  void arrive() {
    Arrival arrival;
    arrival.at = next_;
    arrival.request_class = draw_class();
    if (model_.send_deadlines) arrival.deadline = next_ + model_.deadline;
    if (counts(next_)) ++outcome_.came[static_cast<std::size_t>(arrival.request_class)];
    if (backlog_.size() < limit_) {
      backlog_.push_back(arrival);
    } else {
      ++outcome_.dropped;
      now_ += model_.refusal / 10;
    }
    advance_arrivals();
  }

  void accept() {
    while (!backlog_.empty()) {
      const AcceptAnswer answer = rule_.accept(now_);
      limit_ = answer.backlog == 0 ? model_.backlog : static_cast<std::size_t>(answer.backlog);
      if (!answer.open) {
        ask_at_ = answer.ask_at;
        return;
      }
      inside_.push_back(backlog_.front());
      backlog_.pop_front();
    }
    ask_at_.reset();
  }

  void serve(const Arrival& arrival) {
    const bool taken = rule_.takes(arrival, now_);
    note_state();
    if (!taken) {
      outcome_.refused.push_back(arrival.at);
      outcome_.refusals.push_back(now_);
      spend(model_.refusal);
      rule_.refused(model_.refusal, now_);
      return;
    }
    const Nanos began = now_;
    spend(model_.service);
    rule_.served(now_ - began);
    const Nanos took = now_ - arrival.at;
    if (!counts(arrival.at)) return;
    ++outcome_.answered;
    times_.push_back(took);
    if (took <= model_.deadline) ++outcome_.good[static_cast<std::size_t>(arrival.request_class)];
  }

  void note_state() {
    const bool busy = rule_.busy(now_);
    if (busy != busy_) outcome_.turned.push_back(now_);
    busy_ = busy;
  }

  void wait() {
    Nanos until = next_;
    if (ask_at_ && !backlog_.empty()) until = std::min(until, *ask_at_);
    if (backlog_.empty() || ask_at_) now_ = std::max(now_, until);
    while (next_ <= now_) arrive();
  }

  [[nodiscard]] double load_at(Nanos at) const {
    double load = 0;
    for (const Traffic& traffic : model_.traffic) {
      if (traffic.from <= at) load = traffic.load;
    }
    return load;
  }

  void advance_arrivals() {
    const double mean = static_cast<double>(model_.service.count()) / load_at(next_);
    const double gap = model_.poisson ? -std::log(1 - random_.unit()) * mean : mean;
    next_ += Nanos(1 + static_cast<std::int64_t>(gap));
  }

  RequestClass draw_class() {
    double left = random_.unit();
    for (int i = 0; i < kRequestClasses; ++i) {
      left -= model_.classes[static_cast<std::size_t>(i)];
      if (left < 0) return static_cast<RequestClass>(i);
    }
    return RequestClass::Normal;
  }

  const Model& model_;
  Rule& rule_;
  base::Random random_;
  std::vector<Stall> stalls_;
  /// Who comes later may not have been answered when the run ends.
  const Nanos end_ = model_.length - 2 * model_.deadline;
  Nanos now_{0};
  Nanos next_{0};
  std::deque<Arrival> backlog_;
  std::deque<Arrival> inside_;
  std::size_t limit_ = model_.backlog;
  std::optional<Nanos> ask_at_;
  bool busy_ = false;
  std::vector<Nanos> times_;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Model& model, Rule& rule) { return Server(model, rule).run(); }

Model at_load(double load) {
  Model model;
  model.traffic = {{Nanos{0}, load}};
  return model;
}

std::string text(const Model& model, const Outcome& outcome) {
  std::ostringstream out;
  out << "seed " << model.seed << ": goodput " << outcome.goodput << ", p99 "
      << static_cast<double>(outcome.p99.count()) / 1e6 << " ms, " << outcome.answered << " answered, "
      << outcome.refused.size() << " refused, " << outcome.dropped << " dropped, " << outcome.turned.size()
      << " turns of the state";
  return out.str();
}

}  // namespace galley::test
