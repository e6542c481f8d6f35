#include "galley/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "base/random.hpp"
#include "engine/worker_fixture.hpp"
#include "galley/batch.hpp"
#include "galley/resume.hpp"
#include "store/temp_dir.hpp"

namespace galley::engine {
namespace {

struct Album {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(Album, (), (name))

Parts numbers(int count, int size) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return chunks(std::move(all), size);
}

class SplitTest : public WorkerTest {
 protected:
  std::vector<job::JobRecord> jobs_of(BatchId batch) {
    store::Filter filter;
    filter.batch = batch;
    return store->list(filter, "", limits::kMaxPage).value().jobs;
  }
  /// Each part gives its numbers as text, and the join all of theirs.
  Result<WorkerReport> work(std::string& joined) {
    const auto worker = make_worker(store, drain(), clock);
    worker->pool("q", 4).handle<std::vector<int>>("add", [](Attempt& attempt, const std::vector<int>& some) {
      std::string text;
      for (const int one : some) text += std::to_string(one) + " ";
      attempt.result(text).value();
    });
    worker->handle<Album>("join", [&](Attempt& attempt, const Album& album) {
      joined += album.name + ": ";
      Results parts = results(store, attempt);
      while (auto part = parts.next().value()) joined += part->result;
    });
    return worker->run();
  }
  Queue q{store, "q"};
};

TEST_F(SplitTest, JoinsWhatItsPartsGaveInTheirOrder) {
  const auto answer = split(q, "add", numbers(10, 3)).join(q, "join", Album{"all"}).enqueue().value();
  EXPECT_EQ(answer.parts, 4);
  EXPECT_EQ(find(answer.join).state, JobState::Blocked);
  std::string joined;
  ASSERT_TRUE(work(joined));
  EXPECT_EQ(joined, "all: 0 1 2 3 4 5 6 7 8 9 ");
}

TEST_F(SplitTest, ItsPartsAreALaneOfTheirOwnUnlessTheyHaveAKey) {
  const auto one = split(q, "add", numbers(2, 1)).enqueue().value();
  const auto two = split(q, "add", numbers(2, 1)).enqueue().value();
  const auto third = split(q, "add", numbers(2, 1), key("ann")).enqueue().value();
  std::set<std::string> keys;
  for (const BatchId batch : {one.batch, two.batch, third.batch}) {
    for (const auto& job : jobs_of(batch)) keys.insert(job.key);
  }
  EXPECT_EQ(keys.size(), 3U);
  EXPECT_TRUE(keys.contains("ann"));
}

TEST_F(SplitTest, RepeatingItWithItsTokenAddsNothing) {
  const auto again = [&] { return split(q, "add", numbers(5, 1), token("t")).join(q, "join", Album{"a"}).enqueue(); };
  const auto first = again().value();
  EXPECT_EQ(again().value().join, first.join);
  std::string joined;
  EXPECT_EQ(work(joined).value().completed, 6);
  const auto last = again().value();
  EXPECT_EQ(last.batch, first.batch);
  EXPECT_EQ(last.join, first.join);
  EXPECT_EQ(work(joined).value().completed, 0) << "also after its end";
  EXPECT_EQ(jobs_of(first.batch).size(), 5U);
}

TEST_F(SplitTest, ARepetitionGoesOnWhereAnotherOneWasKilled) {
  // What a process leaves that dies in the middle: an open batch with some of the parts.
  const BatchId batch = store->open_batch("add", "t").value();
  const JobId part = q.enqueue("add", std::vector<int>{0}, token("t/0"), galley::batch(batch)).value();
  const auto answer = split(q, "add", numbers(3, 1), token("t")).join(q, "join", Album{"a"}).enqueue().value();
  EXPECT_EQ(answer.batch, batch);
  ASSERT_EQ(jobs_of(batch).size(), 3U);
  EXPECT_EQ(jobs_of(batch).front().id, part);
  std::string joined;
  ASSERT_TRUE(work(joined));
  EXPECT_EQ(joined, "a: 0 1 2 ");
}

TEST_F(SplitTest, OfNothingIsJoinedAtOnce) {
  ASSERT_TRUE(split(q, "add", numbers(0, 1)).join(q, "join", Album{"none"}).enqueue());
  std::string joined;
  ASSERT_TRUE(work(joined));
  EXPECT_EQ(joined, "none: ");
}

TEST_F(SplitTest, WithoutATokenAFullQueueLeavesNothingOfIt) {
  ASSERT_TRUE(store->set_max_waiting("q", 3));
  const auto refused = split(q, "add", numbers(5, 1)).enqueue();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::QueueFull);
  EXPECT_EQ(refused.error().written, Written::Nothing);
  store::Filter ready;
  ready.state = JobState::Ready;
  EXPECT_TRUE(store->list(ready, "", 10).value().jobs.empty()) << "they are cancelled";
}

TEST_F(SplitTest, WithATokenAFullQueueIsFilledByARepetition) {
  ASSERT_TRUE(store->set_max_waiting("q", 3));
  const auto refused = split(q, "add", numbers(5, 1), token("t")).enqueue();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().written, Written::Unknown);
  EXPECT_NE(refused.error().message.find("repeat the split with its token"), std::string::npos);
  ASSERT_TRUE(store->set_max_waiting("q", std::nullopt));
  EXPECT_EQ(jobs_of(split(q, "add", numbers(5, 1), token("t")).enqueue().value().batch).size(), 5U);
}

TEST_F(SplitTest, RefusesWhatIsNoSplitBeforeItWritesAnything) {
  const auto refused = [&](Split split, const char* why) {
    const auto answer = split.enqueue();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::InvalidInput);
    EXPECT_NE(answer.error().message.find(why), std::string::npos) << answer.error().message;
  };
  refused(split(q, "add", numbers(5, 0)), "allowed is 1 or more");
  refused(split(q, "add", ranges(0, 100'001, 1)), "at most 100000 parts, not 100001");
  refused(split(q, "add", ranges(INT64_MIN, INT64_MAX, 1)), "too long");
  refused(split(q, "add", numbers(5, 1), token(std::string(49, 't'))), "at most 48");
  refused(split(q, "a b", numbers(5, 1)), "part 0: ");
  EXPECT_TRUE(store->batches(0, 10).value().empty());
  EXPECT_FALSE(split(q, "add", file_lines("/no/such/file", 1)).enqueue());
}

TEST_F(SplitTest, RangesCoverEveryNumberOnce) {
  for (const auto& [first, last, size] :
       {std::tuple{-7, 11, 4}, std::tuple{0, 12, 4}, std::tuple{0, 1, 100}, std::tuple{3, 3, 1}, std::tuple{5, 3, 1}}) {
    const Parts parts = ranges(first, last, size);
    std::int64_t next = first;
    for (std::int64_t i = 0; i < *parts.count; ++i) {
      const auto part = Codec<RangePart>::decode(parts.payload(i)).value();
      EXPECT_EQ(part.begin, next);
      EXPECT_GT(part.end, part.begin);
      EXPECT_LE(part.end - part.begin, size);
      next = part.end;
    }
    EXPECT_EQ(next, std::max(first, last < first ? first : last));
  }
  EXPECT_EQ(*ranges(INT64_MAX - 3, INT64_MAX, 2).count, 2);
}

// ---- results ----------------------------------------------------------------------------------------------------

TEST_F(SplitTest, ResultsLeaveNothingOutSilently) {
  EXPECT_EQ(results(store, BatchId{99}).next().error().code, Errc::NotFound);
  const auto answer = split(q, "add", numbers(3, 1)).enqueue().value();
  EXPECT_EQ(results(store, answer.batch).next().error().code, Errc::WrongState);
  std::string joined;
  ASSERT_TRUE(work(joined));
  const JobId second = jobs_of(answer.batch).at(1).id;
  ASSERT_TRUE(store->erase(std::span(&second, 1)));
  Results parts = results(store, answer.batch);
  EXPECT_EQ((*parts.next().value()).result, "0 ");
  EXPECT_EQ((*parts.next().value()).result, "2 ");
  const auto end = parts.next();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Errc::NotFound);
  EXPECT_NE(end.error().message.find("1 of the 3 jobs"), std::string::npos) << end.error().message;
}

TEST_F(SplitTest, ResultsAreReadPageByPage) {
  const auto answer = split(q, "add", numbers(2'500, 1)).enqueue().value();
  std::string joined;
  ASSERT_TRUE(work(joined));
  Results parts = results(store, answer.batch);
  for (int i = 0; i < 2'500; ++i) ASSERT_EQ((*parts.next().value()).result, std::to_string(i) + " ");
  EXPECT_FALSE(parts.next().value());
}

// ---- files ------------------------------------------------------------------------------------------------------

class FileParts : public testing::Test {
 protected:
  std::string file(const std::string& text) const {
    const std::string path = dir_.file("input");
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::vector<FilePart> all(const Parts& parts) {
    std::vector<FilePart> found;
    for (std::int64_t i = 0; i < parts.count.value(); ++i) {
      found.push_back(Codec<FilePart>::decode(parts.payload(i)).value());
    }
    return found;
  }
  static std::vector<std::string> texts(const Parts& parts) {
    std::vector<std::string> found;
    for (const FilePart& part : all(parts)) found.push_back(read_part(part).value());
    return found;
  }
  test::TempDir dir_;
};

using Texts = std::vector<std::string>;

TEST_F(FileParts, OfLinesHaveSoManyAndTheLastOneTheRest) {
  EXPECT_EQ(texts(file_lines(file("a\nbb\n\nc\nd"), 2)), (Texts{"a\nbb\n", "\nc\n", "d"}));
  EXPECT_EQ(texts(file_lines(file("a\nb\n"), 2)), (Texts{"a\nb\n"}));
  EXPECT_EQ(texts(file_lines(file("a"), 1)), (Texts{"a"}));
  EXPECT_EQ(texts(file_lines(file(""), 1)), Texts{});
}

TEST_F(FileParts, OfBytesEndWithALine) {
  EXPECT_EQ(texts(file_bytes(file("aaaa\nbb\ncc\n"), 3)), (Texts{"aaaa\n", "bb\n", "cc\n"}));
  EXPECT_EQ(texts(file_bytes(file("aaaa\nbb\ncc\n"), 6)), (Texts{"aaaa\nbb\n", "cc\n"}));
  EXPECT_EQ(texts(file_bytes(file("aaaaaaaa"), 3)), (Texts{"aaaaaaaa"}));
  EXPECT_EQ(texts(file_bytes(file("aaaa\nbb"), 1'000)), (Texts{"aaaa\nbb"}));
}

TEST_F(FileParts, CoverAnyFileAndTheirLinesAreThoseOfIt) {
  base::Random random(1);
  for (int round = 0; round < 60; ++round) {
    std::string text;
    const auto size = static_cast<std::size_t>(random.unit() * (round < 40 ? 300 : 300'000));
    const double ends = random.unit() * 0.3 * (round % 7 == 0 ? 0.0001 : 1);
    while (text.size() < size) text += random.unit() < ends ? '\n' : 'x';
    const std::string path = file(text);
    Texts expected;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      expected.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    const auto chunk = 1 + static_cast<std::int64_t>(random.unit() * 40) * (round < 40 ? 1 : 100);
    for (const Parts& parts : {file_lines(path, chunk), file_bytes(path, chunk)}) {
      const Texts pieces = texts(parts);
      EXPECT_EQ(std::accumulate(pieces.begin(), pieces.end(), std::string()), text) << "round " << round;
      Texts lines;
      for (const FilePart& part : all(parts)) {
        Lines some(part);
        while (const auto line = some.next()) lines.emplace_back(*line);
      }
      EXPECT_EQ(lines, expected) << "round " << round;
    }
  }
}

TEST_F(FileParts, AFileThatBecomesShorterWhileItIsReadIsNotReadToItsEnd) {
  const std::string path = file(std::string(300'000, 'x') + '\n' + std::string(300'000, 'y') + '\n');
  Lines all(path);
  ASSERT_TRUE(all.next());
  std::filesystem::resize_file(path, 300'001);
  EXPECT_THROW(while (all.next()){}, Exception);
}

TEST_F(FileParts, AreOfTheFileThatTheirPathLeadsTo) {
  const std::filesystem::path folder = dir_.path();
  std::filesystem::create_directories(folder / "real/inner");
  std::filesystem::create_directory_symlink(folder / "real/inner", folder / "link");
  std::ofstream(folder / "real/data") << "1\n";
  EXPECT_EQ(texts(file_lines(folder / "link/../data", 1)), Texts{"1\n"});
}

TEST_F(FileParts, LinesGoOnFromAnyPlaceOfTheirs) {
  const std::string path = file("a\nbb\n\nccc");
  std::vector<std::int64_t> places;
  Lines all(path);
  while (all.next()) places.push_back(all.cursor().value());
  EXPECT_EQ(places, (std::vector<std::int64_t>{2, 5, 6, 9}));
  Lines later(path);
  ASSERT_TRUE(later.seek(5));
  EXPECT_EQ(later.next(), "");
  EXPECT_EQ(later.next(), "ccc");
  EXPECT_EQ(later.next(), std::nullopt);
  ASSERT_TRUE(later.seek(9));
  EXPECT_EQ(later.next(), std::nullopt);
  EXPECT_FALSE(later.seek(10));
  EXPECT_FALSE(later.seek(3)) << "no line begins there";
}

TEST_F(FileParts, OfAFileThatHasChangedAreRefused) {
  const auto parts = all(file_lines(file("aa\nbb\ncc\n"), 1));
  (void)file("aa\nb");
  EXPECT_EQ(read_part(parts.at(0)).value(), "aa\n");
  EXPECT_EQ(read_part(parts.at(2)).error().code, Errc::InvalidInput);
  EXPECT_THROW(Lines{parts.at(2)}, Exception);
  (void)file("aabbccddeeffgg");
  EXPECT_THROW(Lines{parts.at(1)}, Exception) << "no line begins there any more";
  std::filesystem::remove(parts.at(0).path);
  EXPECT_EQ(read_part(parts.at(0)).error().code, Errc::NotFound);
  EXPECT_THROW(Lines{parts.at(0)}, Exception);
  EXPECT_FALSE(file_lines("/tmp", 1).count) << "a directory";
}

}  // namespace
}  // namespace galley::engine
