// Every fuzz target over its corpus, and over some thousand mutations of it, so that the targets build, pass and
// are worth something without libFuzzer. GALLEY_SEED=S repeats a failure.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/clock.hpp"
#include "base/rubbish.hpp"
#include "base/text.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

static void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

constexpr int kMutations = 4'000;
constexpr std::chrono::milliseconds kTime{250};  // a target; the slow ones open a store for each input

/// By name: what is met first does not depend on the file system.
std::vector<std::string> corpus_of(const std::string& target) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GALLEY_CORPUS) + "/" + target)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// Keeps the input that is being tried in a file of the working directory, which a crash leaves there.
class LastInput {
 public:
  explicit LastInput(const std::string& target) : path_("fuzz_input." + target), file_(path_, std::ios::binary) {}
  void set(std::string_view input) {
    std::error_code ignored;
    file_.seekp(0).write(input.data(), static_cast<std::streamsize>(input.size())).flush();
    if (input.size() < size_) std::filesystem::resize_file(path_, input.size(), ignored);
    size_ = input.size();
  }
  void forget() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  std::string path_;
  std::ofstream file_;
  std::size_t size_ = 0;
};

class Replay : public testing::TestWithParam<Target> {
 protected:
  void run(const std::string& input) {
    last_.set(input);
    try {
      GetParam().run(input);
    } catch (const std::exception& fault) {
      ADD_FAILURE() << fault.what() << "\ninput: " << base::quoted(input);
    }
  }
  void TearDown() override { last_.forget(); }

 private:
  LastInput last_{GetParam().name};
};

TEST_P(Replay, KeepsItsPromises) {
  const auto corpus = corpus_of(GetParam().name);
  ASSERT_FALSE(corpus.empty()) << "fuzz/corpus/" << GetParam().name << " has no inputs";
  for (const std::string& input : corpus) run(input);
  run("");
  test::Rubbish rubbish(corpus);
  SCOPED_TRACE("GALLEY_SEED=" + std::to_string(rubbish.seed()));
  const base::SystemClock clock;
  const base::Mono end = clock.mono() + kTime;
  for (int i = 0; i < kMutations && clock.mono() < end && !HasFailure(); ++i) run(rubbish.next());
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace galley::fuzz
