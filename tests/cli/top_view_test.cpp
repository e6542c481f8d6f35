#include "cli/top_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace galley::cli::top {
namespace {

using namespace std::chrono_literals;

const Time kNow = base::ManualClock().wall() + 30min;  // a whole minute: five minutes are 300 s

store::Minute minute(Time at, const std::string& queue, const std::string& kind, std::int64_t enqueued,
                     std::int64_t completed, std::int64_t failed) {
  store::Minute one;
  one.minute = at;
  one.enqueued = enqueued;
  one.measured.queue = queue;
  one.measured.kind = kind;
  one.measured.completed = completed;
  one.measured.failed = failed;
  one.measured.wait.add(20ms, completed);
  one.measured.run.add(3s, completed);
  return one;
}

store::QueueStats queue(const std::string& name, std::int64_t ready, std::int64_t running) {
  store::QueueStats stats;
  stats.queue = name;
  stats.count[static_cast<std::size_t>(JobState::Ready)] = ready;
  stats.count[static_cast<std::size_t>(JobState::Running)] = running;
  return stats;
}

Snapshot kitchen() {
  Snapshot seen;
  seen.now = kNow;
  seen.info.backend = "sqlite";
  seen.info.location = "jobs.db";
  seen.info.bytes = 3 << 20;
  seen.queues = {queue("burgers", 2, 1), queue("drinks", 40, 3)};
  seen.queues[0].paused = true;
  seen.queues[1].oldest_ready = 90s;
  store::WorkerStats worker;
  worker.card.name = "host:1";
  worker.card.pools = "fast=4:drinks slow=2:burgers";
  worker.card.slots = 6;
  worker.running = 4;
  worker.started_at = kNow - 1h;
  seen.workers = {worker};
  seen.minutes = {minute(kNow - 1min, "drinks", "pour", 600, 300, 30), minute(kNow, "burgers", "fry", 0, 0, 0)};
  store::LaneStats lane;
  lane.queue = "drinks";
  lane.kind = "pour";
  lane.count[static_cast<std::size_t>(JobState::Dead)] = 7;
  seen.lanes = {lane};
  return seen;
}

std::string text_of(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) text += line.text + "\n";
  return text;
}

std::string line_with(const std::vector<Line>& lines, const std::string& start) {
  const auto at =
      std::find_if(lines.begin(), lines.end(), [&](const Line& line) { return line.text.starts_with(start); });
  return at == lines.end() ? "" : at->text;
}

/// Cells that stand apart by two blanks or more.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find("  ", at), line.size());
    all.push_back(line.substr(at, end - at));
    at = std::min(line.find_first_not_of(' ', end), line.size());
  }
  return all;
}

TEST(TopScreen, ShowsTheStoreItsQueuesWorkersAndFailingKinds) {
  const Snapshot seen = kitchen();
  Look look{.seen = seen};
  look.pace = PerSecond{12, 11.04, 0};
  look.errors[{"drinks", "pour"}] = "SpillError";
  const auto lines = screen(look, {});
  EXPECT_EQ(lines.at(0).text, "2026-01-01T00:30:00.000Z  sqlite:jobs.db  3.0 MiB");
  EXPECT_EQ(lines.at(1).text, "1 worker, 4 of 6 slots busy; a second: enqueued 12, completed 11, failed 0.0");
  EXPECT_EQ(lines.at(2).text, "a second over five minutes: enqueued 2.0, completed 1.0, failed 0.1");
  EXPECT_EQ(cells(line_with(lines, "drinks ")),
            (std::vector<std::string>{"drinks", "-", "0", "40", "3", "0", "1m30s", "2.0", "1.0", "0.1", "20ms", "20ms",
                                      "3s", "3s"}));
  EXPECT_EQ(cells(line_with(lines, "burgers ")), (std::vector<std::string>{"burgers", "paused", "0", "2", "1", "0", "-",
                                                                           "0.0", "0.0", "0.0", "-", "-", "-", "-"}));
  EXPECT_EQ(cells(line_with(lines, "host:1")),
            (std::vector<std::string>{"host:1", "6", "4", "0", "1h", "fast=4:drinks slow=2:burgers"}));
  EXPECT_EQ(cells(line_with(lines, "pour")), (std::vector<std::string>{"pour", "drinks", "6.0", "7", "SpillError"}));
  EXPECT_LT(text_of(lines).find("drinks"), text_of(lines).find("burgers")) << "the busiest first";
}

engine::PoolRoom room(const std::string& pool, int extra, const std::string& why) {
  engine::PoolRoom one;
  one.pool = pool;
  one.kinds = {"drink"};
  one.decision.kinds = {{job::KindClass::Short, 0, 20, 1ms, 2ms, 0}};
  one.decision.slots = 4;
  one.decision.extra = extra;
  if (extra > 0) one.decision.reserved = {1};
  one.decision.why = why;
  return one;
}

TEST(TopScreen, ShowsOnceWhatPoolsThatDecideTheSameKeepForShortKinds) {
  Snapshot seen = kitchen();
  seen.rooms = {{room("fast", 1, "an express slot for drink"), room("slow", 0, "switched off")},
                {room("fast", 1, "an express slot for drink")}};
  const auto lines = screen({.seen = seen}, {});
  EXPECT_EQ(cells(line_with(lines, "fast")),
            (std::vector<std::string>{"fast", "2", "4+1", "an express slot for drink (drink: mean 1ms, p99 2ms)"}));
  EXPECT_EQ(cells(line_with(lines, "slow")),
            (std::vector<std::string>{"slow", "1", "4", "none: switched off (drink: mean 1ms, p99 2ms)"}));
}

TEST(TopScreen, ShowsRunningJobsThatTellTheirProgressOrAreStuck) {
  Snapshot seen = kitchen();
  seen.running = {{3, "burgers", "fry", "host:1", 10s, "", false},
                  {4, "burgers", "fry", "host:1", 20s, "", true},
                  {5, "drinks", "import", "host:1", 90s, "1,234 of 10,000, 12 %, about 3 min left", false},
                  {6, "drinks", "pour", "host:2", 1s, "half full\x1b[2J", true}};
  const auto lines = screen({.seen = seen}, {});
  EXPECT_EQ(cells(line_with(lines, "          5  import")),
            (std::vector<std::string>{"", "5", "import", "drinks", "host:1", "1m30s",
                                      "1,234 of 10,000, 12 %, about 3 min left"}));
  EXPECT_TRUE(line_with(lines, "          4  fry").ends_with("  20s  stuck")) << text_of(lines);
  EXPECT_TRUE(line_with(lines, "          6  pour").ends_with("stuck: half full\\x1b[2J")) << text_of(lines);
  EXPECT_EQ(line_with(lines, "          3"), "") << "it has nothing to tell";
  EXPECT_EQ(cells(line_with(lines, "host:1")).at(3), "1") << "a slot of its own is stuck";
  EXPECT_LT(text_of(lines).find("  5  import"), text_of(lines).find("  4  fry")) << "the longest first";
}

TEST(TopScreen, OfAnEmptyStoreSaysSo) {
  Snapshot seen;
  seen.now = kNow;
  const std::string text = text_of(screen({.seen = seen}, {}));
  EXPECT_NE(text.find("there are no queues yet"), std::string::npos) << text;
  EXPECT_NE(text.find("no worker runs on this store"), std::string::npos) << text;
  EXPECT_EQ(text.find("FAILING"), std::string::npos) << text;
}

TEST(TopScreen, NeverIsLargerThanTheTerminal) {
  Snapshot seen = kitchen();
  for (int i = 0; i < 50; ++i) seen.queues.push_back(queue("queue" + std::to_string(i), i, 0));
  for (int i = 0; i < 50; ++i) seen.workers.push_back(seen.workers[0]);
  for (const std::size_t columns : {1U, 20U, 40U, 80U, 200U}) {
    for (const std::size_t height : {1U, 3U, 8U, 12U, 24U, 60U}) {
      const auto lines = screen({.seen = seen, .keys = true}, {columns, height});
      EXPECT_LE(lines.size(), height);
      for (const Line& line : lines) EXPECT_LE(line.text.size(), std::max<std::size_t>(columns, 3)) << line.text;
    }
  }
}

TEST(TopScreen, SaysHowManyRowsItLeavesOutAndScrollsToThem) {
  Snapshot seen = kitchen();
  seen.queues.clear();
  for (int i = 0; i < 30; ++i) seen.queues.push_back(queue("queue" + std::to_string(i), 100 - i, 0));
  Look look{.seen = seen, .keys = true};
  auto lines = screen(look, {100, 24});
  EXPECT_EQ(lines.size(), 24U);
  EXPECT_TRUE(lines.back().text.starts_with("q quit")) << lines.back().text;
  std::size_t shown = 0;
  for (const Line& line : lines) shown += line.text.starts_with("queue") ? 1 : 0;
  EXPECT_EQ(line_with(lines, "and "), "and " + std::to_string(30 - shown) + " more");
  EXPECT_NE(line_with(lines, "queue0 "), "");
  EXPECT_EQ(line_with(lines, "queue29 "), "");
  look.scrolled = 1'000;
  lines = screen(look, {100, 24});
  EXPECT_EQ(line_with(lines, "queue0 "), "");
  EXPECT_NE(line_with(lines, "queue29 "), "");
  EXPECT_NE(line_with(lines, "host:1"), "") << "a section that fits does not scroll";
}

TEST(TopScreen, OnANarrowTerminalColumnsGoAndTheCountsStay) {
  const Snapshot seen = kitchen();
  const auto wide = cells(line_with(screen({.seen = seen}, {200, 40}), "QUEUE"));
  const auto narrow = cells(line_with(screen({.seen = seen}, {50, 40}), "QUEUE"));
  EXPECT_EQ(wide.size(), 14U);
  EXPECT_LT(narrow.size(), wide.size());
  for (const char* title : {"READY", "RUNNING", "DEAD", "OLDEST"}) {
    EXPECT_NE(std::find(narrow.begin(), narrow.end(), title), narrow.end()) << title;
  }
}

TEST(TopScreen, TellsTroubleAndAPauseAndNamesTheKeys) {
  const Snapshot seen = kitchen();
  EXPECT_NE(text_of(screen({.seen = seen, .paused = true}, {80, 24})).find("paused; p goes on"), std::string::npos);
  EXPECT_NE(text_of(screen({.seen = seen, .trouble = "disk full"}, {80, 24})).find("not answer: disk full"),
            std::string::npos);
  EXPECT_TRUE(screen({.seen = seen, .keys = true}, {80, 24}).back().text.starts_with("q quit"));
}

TEST(TopScreen, ShowsNoControlCharactersOfNames) {
  Snapshot seen = kitchen();
  seen.workers[0].card.name = "evil\x1b[2J";
  for (const Line& line : screen({.seen = seen}, {80, 24})) EXPECT_EQ(line.text.find('\x1b'), std::string::npos);
}

TEST(TopPace, IsWhatWasAddedSinceTheFirstOfTheLastLooks) {
  Pace pace;
  const base::Mono start{};
  pace.look(start, {minute(kNow, "q", "k", 100, 50, 0)});
  EXPECT_FALSE(pace.rates());
  pace.look(start + 2s, {minute(kNow, "q", "k", 120, 60, 4)});
  ASSERT_TRUE(pace.rates());
  EXPECT_DOUBLE_EQ(pace.rates()->enqueued, 10);
  EXPECT_DOUBLE_EQ(pace.rates()->completed, 5);
  EXPECT_DOUBLE_EQ(pace.rates()->failed, 2);
  for (int i = 1; i <= 10; ++i) pace.look(start + 2s + i * 2s, {minute(kNow, "q", "k", 120, 60, 4)});
  EXPECT_DOUBLE_EQ(pace.rates()->enqueued, 0) << "long ago";
}

TEST(TopPace, AMinuteThatBeginsAddsAndOneThatLeavesTakesNothingAway) {
  const Totals more = change({minute(kNow, "q", "k", 100, 0, 0), minute(kNow + 1min, "q", "k", 7, 0, 0)},
                             {minute(kNow + 1min, "q", "k", 9, 0, 0), minute(kNow + 2min, "q", "k", 3, 0, 0)});
  EXPECT_EQ(more.enqueued, 5);
}

TEST(TopKeys, AreReadFromWhatATerminalSends) {
  EXPECT_EQ(keys_from("p\x1b[A\x1b[B\x1b[5~\x1b[6~ q"),
            (std::vector<Key>{Key::Pause, Key::Up, Key::Down, Key::PageUp, Key::PageDown, Key::Refresh, Key::Quit}));
  EXPECT_EQ(keys_from("xyz\x1b"), std::vector<Key>{});
  EXPECT_EQ(keys_from("\x1b[1;5q"), std::vector<Key>{}) << "a sequence's letter is no key";
}

}  // namespace
}  // namespace galley::cli::top
