// What the program refuses, and where its settings come from.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

struct Refusal {
  std::vector<std::string> arguments;
  std::string named;  ///< stands in the message
};

std::vector<Refusal> refusals() {
  return {
      {{}, "command is missing"},
      {{"bogus"}, "'bogus'"},
      {{"retry"}, "there is 'galley jobs retry'"},
      {{"--bogus"}, "no option \"--bogus\""},
      {{"jobs", "--bogus"}, "--bogus"},
      {{"jobs", "bogus"}, "\"bogus\": 'galley jobs' takes no such thing; its verbs are show, retry"},
      {{"demo", "--bogus", "x"}, "\"--bogus\" \"x\": 'galley demo'"},
      {{"enqueue", "--queue", "--", "true"}, "--queue: its value is missing; allowed is --queue NAME"},
      {{"enqueue", "--redact=x", "--", "true"}, "--redact: \"x\" is not allowed; allowed is --redact without a value"},
      {{"enqueue"}, "nothing to enqueue"},
      {{"enqueue", "--"}, "nothing to enqueue"},
      {{"enqueue", "true"}, "put --"},
      {{"enqueue", "ls", "-l"}, "behind --"},
      {{"enqueue", "--priority", "11", "--", "true"}, "--priority"},
      {{"enqueue", "--priority", "x", "--", "true"}, "--priority"},
      {{"enqueue", "--delay", "soon", "--", "true"}, "\"soon\""},
      {{"enqueue", "--at", "noon", "--", "true"}, "\"noon\""},
      {{"enqueue", "--delay", "1s", "--at", "@1", "--", "true"}, "--at"},
      {{"enqueue", "--timeout", "-1", "--", "true"}, "--timeout"},
      {{"enqueue", "--grace", "x", "--", "true"}, "--grace"},
      {{"enqueue", "--on-timeout", "explode", "--", "true"}, "explode"},
      {{"enqueue", "--attempts", "0", "--", "true"}, "--attempts"},
      {{"enqueue", "--backoff", "never", "--", "true"}, "\"never\""},
      {{"enqueue", "--queue", "a b", "--", "true"}, "\"a b\""},
      {{"enqueue", "--kind", "a b", "--", "true"}, "\"a b\""},
      {{"enqueue", "--token", std::string(65, 't'), "--", "true"}, "token"},
      {{"enqueue", "--key", std::string(201, 'k'), "--", "true"}, "key"},
      {{"enqueue", "--env", "=x", "--", "true"}, "--env"},
      {{"enqueue", "--output", "xml", "--", "true"}, "xml"},
      {{"enqueue", "--json", "1"}, "--kind"},
      {{"enqueue", "--kind", "k", "--json", "{"}, "not JSON"},
      {{"enqueue", "--kind", "k", "--json", "1 2"}, "not JSON"},
      {{"enqueue", "--kind", "k", "--json", "1", "--", "true"}, "--json"},
      {{"enqueue", "--kind", "k", "--each", "--json", "1"}, "--json -"},
      {{"enqueue", "--each", "--stdin", "--", "true"}, "--stdin"},
      {{"enqueue", "--each", "--token", "t", "--", "true"}, "--token"},
      {{"enqueue", "-0", "--", "true"}, "--each"},
      {{"work", "--allow-commands", "--pool", "x"}, "\"x\""},
      {{"work", "--allow-commands", "--pool", "x=0"}, "pool"},
      {{"work", "--allow-commands", "--pool", "x=10001"}, "pool"},
      {{"work", "--allow-commands", "--pool", "x=1", "--queue", "q"}, "--queue"},
      {{"work", "--allow-commands", "--lease", "1ms"}, "lease"},
      {{"work", "--allow-commands", "--grace", "x"}, "--grace"},
      {{"work", "--allow-commands", "--log-level", "loud"}, "loud"},
      {{"work", "--allow-commands", "--log-format", "xml"}, "xml"},
      {{"work", "--allow-commands", "--allow-commands=true"}, "not both"},
      {{"jobs", "--state", "undead"}, "undead"},
      {{"jobs", "--limit", "-1"}, "--limit"},
      {{"jobs", "show"}, "ID"},
      {{"jobs", "show", "x"}, "ID: \"x\" is not allowed; allowed is a whole number"},
      {{"jobs", "retry", "1", "2", "x"}, "ID: \"x\" is not allowed"},
      {{"jobs", "--queue", "q", "show", "1"}, "--queue"},
      {{"jobs", "retry"}, "--all"},
      {{"jobs", "retry", "1", "--all"}, "not both"},
      {{"jobs", "cancel", "1", "--state", "dead"}, "--all"},
      {{"jobs", "--", "x"}, "enqueue"},
      {{"queues", "pause"}, "NAME"},
      {{"queues", "pause", "a/b"}, "a/b"},
      {{"limits", "set", "smtp"}, "--running N"},
      {{"limits", "set", "smtp", "--running", "0"}, "--running: Value 0 not in range 1 to 1000000"},
      {{"limits", "set", "smtp", "--rate", "1/1s", "--burst", "x"}, "--burst: Value x not in range 1 to 1000000"},
      {{"stats", "--store", "redis:"}, "redis:"},
      {{"stats", "--store", "sqlite:"}, "sqlite:"},
      {{"stats", "--store", "sqlite:galley.db?durability=some"}, "durability=some"},
      {{"stats", "--store", "memory:"}, "memory:"},
  };
}

TEST(Usage, EveryBadOptionExitsWithTwoAndIsNamed) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  for (const Refusal& refusal : refusals()) {
    const Finished run = bench.run(refusal.arguments);
    std::string line;
    for (const std::string& word : refusal.arguments) line += word + " ";
    EXPECT_EQ(run.exit_code, 2) << line << run.err;
    EXPECT_TRUE(run.err.starts_with("galley: ")) << line << run.err;
    EXPECT_NE(run.err.find(refusal.named), std::string::npos) << line << run.err;
    EXPECT_NE(run.err.find("[invalid_input]"), std::string::npos) << line << run.err;
    EXPECT_TRUE(run.out.empty()) << line << run.out;
  }
  EXPECT_EQ(bench.run({"jobs", "--json"}).lines().size(), 1U);
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  const Bench bench;
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"enqueue"},
                                                       {"work"},
                                                       {"jobs"},
                                                       {"jobs", "show"},
                                                       {"jobs", "retry"},
                                                       {"jobs", "cancel"},
                                                       {"jobs", "delete"},
                                                       {"queues"},
                                                       {"queues", "pause"},
                                                       {"queues", "resume"},
                                                       {"stats"},
                                                       {"demo"}};
  for (std::vector<std::string> command : commands) {
    command.emplace_back("--help");
    const Finished run = bench.run(command);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_NE(run.out.find("Example"), std::string::npos) << run.out;
    const bool has_store = command.front() != "demo";  // it opens one of its own
    EXPECT_EQ(run.out.find("--store") != std::string::npos, has_store) << run.out;
    EXPECT_TRUE(run.err.empty());
  }
  EXPECT_TRUE(bench.run({"--version"}).out.starts_with("galley "));
}

TEST(Usage, AStoreThatIsNotThereIsNotMadeByLookingAtIt) {
  const Bench bench;
  const Finished run = bench.run({"jobs"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("galley.db"), std::string::npos) << run.err;
  EXPECT_FALSE(bench.exists("galley.db"));
}

TEST(Usage, AFileThatIsNoStoreIsRefusedAndLeftAlone) {
  const Bench bench;
  const std::string rubbish(5'000, 'r');
  bench.write("galley.db", rubbish);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"jobs"}, {"enqueue", "--", "true"}, {"work", "--allow-commands", "--drain"}}) {
    const Finished run = bench.run(arguments);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find("galley.db"), std::string::npos) << run.err;
  }
  EXPECT_EQ(bench.read("galley.db"), rubbish);
}

TEST(Usage, AQueueThatNobodyHasFilledIsSetAndToldToBeNew) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--queue", "mail", "--", "true"}).exit_code, 0);
  EXPECT_EQ(bench.run({"queues", "pause", "mail"}).err, "");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"pause", "mial"},
                                                    {"limit", "miall", "--max-waiting", "1"},
                                                    {"set", "maill", "--order", "fifo"}}) {
    std::vector<std::string> words{"queues"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const Finished run = bench.run(words);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_NE(run.err.find("the queue \"" + arguments[1] + "\" is new"), std::string::npos) << run.err;
  }
  EXPECT_EQ(bench.run({"queues", "resume", "mial"}).err, "");
}

TEST(Usage, AReaderThatWentAwayEndsTheOutputQuietly) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  const Finished run = Process(bench.dir(), {.arguments = {"jobs"}, .reader_gone = true}).finish();
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_TRUE(run.err.empty()) << run.err;
}

TEST(Settings, ADirectoryInThePlaceOfTheFileIsNamed) {
  const Bench bench;
  std::filesystem::create_directory(bench.dir().file("galley.toml"));
  const Finished run = bench.run({"enqueue", "--", "true"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("galley.toml is a directory"), std::string::npos) << run.err;
}

TEST(Settings, TheFlagWinsOverTheEnvironmentOverTheFileOverTheDefault) {
  const Bench bench;
  const std::vector<std::string> environment{"GALLEY_STORE=sqlite:environment.db"};
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("galley.db"));
  bench.write("galley.toml", "store = \"sqlite:file.db\"\nqueue = \"named\"\n");
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("file.db"));
  EXPECT_EQ(bench.job(1).at("queue"), "named");
  ASSERT_EQ(bench.run({"enqueue", "--queue", "flagged", "--", "true"}, "", environment).exit_code, 0);
  EXPECT_TRUE(bench.exists("environment.db"));
  ASSERT_EQ(bench.run({"enqueue", "--store", "sqlite:flag.db", "--", "true"}, "", environment).exit_code, 0);
  EXPECT_TRUE(bench.exists("flag.db"));
  EXPECT_EQ(bench.run({"--store", "sqlite:environment.db", "jobs", "--json"}).objects().at(0).at("queue"), "flagged");
}

TEST(Settings, PoolsAndLogsComeFromTheFile) {
  const Bench bench;
  bench.write("galley.toml", "pools = [\"a=1:x\", \"b=2\"]\nlog_format = \"json\"\n");
  Finished run = bench.run({"work", "--allow-commands", "--drain"});
  std::swap(run.out, run.err);
  const auto log = run.objects();
  ASSERT_FALSE(log.empty());
  EXPECT_EQ(log[0].at("pools"), "a=1:x b=2:b");
}

TEST(Settings, ABadFileIsNamedWithItsLine) {
  const Bench bench;
  const std::vector<std::pair<std::string, std::string>> faults{
      {"store = \"sqlite:x.db\"\nstoer = 1\n", "galley.toml:2: the key \"stoer\""},
      {"\nstore = = 1\n", "galley.toml:2:"},
      {"store = 5\n", "galley.toml:1: 'store'"},
      {"pools = [\"a=1\",\n\"b\"]\n", "galley.toml:2:"},
      {"pools = \"a=1\"\n", "galley.toml:1: 'pools'"},
      {"log_level = \"loud\"\n", "galley.toml:1:"},
      {"store = \"file\"\n", "galley.toml:1:"},
  };
  for (const auto& [text, message] : faults) {
    bench.write("galley.toml", text);
    const Finished run = bench.run({"stats"});
    EXPECT_EQ(run.exit_code, 2) << text;
    EXPECT_NE(run.err.find(message), std::string::npos) << run.err;
  }
}

}  // namespace
}  // namespace galley::test
