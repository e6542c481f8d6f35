#include "engine/command.hpp"

#include <gtest/gtest.h>

#include <string>

namespace galley::engine {
namespace {

using namespace std::string_literals;

Command round_trip(const Command& command) {
  return decode_command(command_job(command, "kind").value().payload).value();
}

std::string refusal(const Command& command) {
  const auto job = command_job(command, "");
  if (job) return "accepted";
  EXPECT_EQ(job.error().code, Errc::InvalidInput);
  return job.error().message;
}

std::string refused_payload(std::string_view payload) {
  const auto command = decode_command(payload);
  if (command) return "accepted";
  EXPECT_EQ(command.error().code, Errc::InvalidInput);
  return command.error().message;
}

TEST(CommandJob, IsPlainJsonThatAPersonCanRead) {
  Command command;
  command.argv = {"/usr/bin/convert", "größe.png", "a\"b"};
  command.input = "line\n";
  command.cwd = "/work";
  command.env = {{"LANG", "C"}, {"EMPTY", ""}};
  const auto job = command_job(command, "").value();
  EXPECT_EQ(job.payload, R"({"argv":["/usr/bin/convert","größe.png","a\"b"],"input":"line\n","cwd":"/work",)"
                         R"("env":{"LANG":"C","EMPTY":""}})");
  EXPECT_EQ(job.content, job::Content::Command);
  EXPECT_EQ(job.program, "/usr/bin/convert");
  EXPECT_EQ(job.kind, "convert");
  EXPECT_EQ(command_job(command, "thumbnail").value().kind, "thumbnail");
}

TEST(CommandJob, KeepsWhereItsInputComesFromAndItsOutputGoes) {
  Command command;
  command.argv = {"wc"};
  command.input_part = {"/data/gr\xff\xfe", 10, 20};
  command.keep_output = true;
  Command read = round_trip(command);
  EXPECT_EQ(read.input_part.path, command.input_part.path);
  EXPECT_EQ(read.input_part.begin, 10);
  EXPECT_EQ(read.input_part.end, 20);
  EXPECT_TRUE(read.keep_output);
  command = {};
  command.argv = {"wc"};
  command.input_batch = 7;
  command.output_file = "/data/sum";
  EXPECT_EQ(command_job(command, "").value().payload, R"({"argv":["wc"],"output_file":"/data/sum","input_batch":7})");
  read = round_trip(command);
  EXPECT_EQ(read.input_batch, 7);
  EXPECT_EQ(read.output_file, "/data/sum");
}

TEST(CommandJob, RefusesStreamsThatCannotBe) {
  const auto refused = [](void (*change)(Command&), const char* why) {
    Command command;
    command.argv = {"wc"};
    change(command);
    EXPECT_NE(refusal(command).find(why), std::string::npos) << refusal(command);
  };
  refused([](Command& c) { c.input = "x", c.input_batch = 1; }, "exclude each other");
  refused([](Command& c) { c.input_part.path = "/f", c.input_batch = 1; }, "exclude each other");
  refused([](Command& c) { c.keep_output = true, c.output_file = "/f"; }, "exclude each other");
  refused([](Command& c) { c.input_part = {"f", 0, 1}; }, "must be an absolute path");
  refused([](Command& c) { c.output_file = "f"; }, "must be an absolute path");
  refused([](Command& c) { c.input_part = {"/f", 2, 1}; }, "end later");
  refused([](Command& c) { c.input_part = {"/f", 0, (256 << 20) + 1}; }, "at most 268435456");
  EXPECT_NE(refused_payload(R"({"argv":["wc"],"input_begin":-1})").find("0 or more"), std::string::npos);
  EXPECT_NE(refused_payload(R"({"argv":["wc"],"keep_output":1})").find("true or false"), std::string::npos);
}

TEST(CommandJob, LeavesOutWhatIsEmpty) {
  Command command;
  command.argv = {"true"};
  EXPECT_EQ(command_job(command, "").value().payload, R"({"argv":["true"]})");
}

TEST(CommandJob, KeepsEveryByteOfEveryMember) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (std::size_t length = 0; length < 5; ++length) {
    Command command;
    command.argv = {"cat", "\xff\xfe", "plain", "", all.substr(1)};
    command.input = all + all.substr(250, length);
    command.cwd = "/tmp/\xc3";
    command.env = {{"A", "\xed\xa0\x80"}, {"B", "b"}};
    const Command back = round_trip(command);
    EXPECT_EQ(back.argv, command.argv);
    EXPECT_EQ(back.input, command.input);
    EXPECT_EQ(back.cwd, command.cwd);
    EXPECT_EQ(back.env, command.env);
  }
}

TEST(CommandJob, WritesOnlyValidUtf8AsText) {
  for (const std::string& odd : {"\x80"s, "\xc0\x80"s, "\xed\xbf\xbf"s, "\xe2\x82"s}) {
    Command command;
    command.argv = {"x"};
    command.input = odd;
    EXPECT_NE(command_job(command, "").value().payload.find("input_base64"), std::string::npos);
    EXPECT_EQ(round_trip(command).input, odd);
  }
  for (const std::string& fine : {"\0"s, "\xc2\x80"s, "\xf4\x8f\xbf\xbf"s}) {
    Command command;
    command.argv = {"x"};
    command.input = fine;
    EXPECT_NE(command_job(command, "").value().payload.find("\"input\""), std::string::npos);
    EXPECT_EQ(round_trip(command).input, fine);
  }
}

TEST(CommandJob, IsRefusedWithTheFaultNamed) {
  EXPECT_EQ(refusal({}), "command: argv[0], the program, is missing");
  EXPECT_EQ(refusal({{""}, {}, {}, {}}), "command: argv[0], the program, is missing");
  EXPECT_EQ(refusal({{"a", "b\0c"s}, {}, {}, {}}), "command: argv[1] must not hold a NUL byte");
  EXPECT_EQ(refusal({std::vector<std::string>(4097, "a"), {}, {}, {}}),
            "command: argv has 4097 entries; at most 4096 are allowed");
  EXPECT_EQ(refusal({std::vector<std::string>(4096, "a"), {}, {}, {}}), "accepted");
  EXPECT_EQ(refusal({{"a"}, {}, "tmp", {}}), "command: cwd \"tmp\" must be an absolute path");
  EXPECT_EQ(refusal({{"a/"}, {}, {}, {}}), "command: argv[0] \"a/\" is a directory");
  EXPECT_EQ(refusal({{"a"}, {}, {}, {{"", "x"}}}), "command: \"\" is no name of an environment variable");
  EXPECT_EQ(refusal({{"a"}, {}, {}, {{"A=B", "x"}}}), "command: \"A=B\" is no name of an environment variable");
  EXPECT_EQ(refusal({{"a"}, {}, {}, {{"A", "\0"s}}}), "command: the value of variable \"A\" must not hold a NUL byte");
  EXPECT_EQ(refusal({{"a"}, {}, {}, {{"A", "1"}, {"A", "2"}}}), "command: variable \"A\" is given twice");
}

TEST(CommandPayload, IsReadStrictlyWhereItIsKnown) {
  EXPECT_EQ(refused_payload("rubbish").rfind("command: the payload is not JSON", 0), 0U);
  EXPECT_EQ(refused_payload("[]"), "command: the payload must be a JSON object");
  EXPECT_EQ(refused_payload("{}"), "command: argv must be an array of texts");
  EXPECT_EQ(refused_payload(R"({"argv":"ls"})"), "command: argv must be an array of texts");
  EXPECT_EQ(refused_payload(R"({"argv":[]})"), "command: argv[0], the program, is missing");
  EXPECT_EQ(refused_payload(R"({"argv":["a",1]})"), "command: argv must hold text");
  EXPECT_EQ(refused_payload(R"({"argv":["a"],"argv_base64":["YQ=="]})"),
            "command: both argv and argv_base64 are given; give one");
  EXPECT_EQ(refused_payload(R"({"argv":["a"],"env":[]})"), "command: env must be an object of texts");
  EXPECT_EQ(refused_payload(R"({"argv":["a"],"env":{"A":null}})"), "command: env must hold text");
  EXPECT_EQ(refused_payload(R"({"argv":["a"],"cwd":"x"})"), "command: cwd \"x\" must be an absolute path");
  for (const std::string bad : {"A", "A===", "====", "AA=A", "AB==", "A B=", "AAA", "\\u00e9AAA"}) {
    EXPECT_EQ(refused_payload(R"({"argv":["a"],"input_base64":")" + bad + "\"}"),
              "command: input_base64 must hold base64")
        << bad;
  }
}

TEST(CommandPayload, IgnoresMembersOfALaterVersion) {
  EXPECT_EQ(decode_command(R"({"argv":["a"],"nice":{"level":3}})").value().argv, std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace galley::engine
