#include "engine/programs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace galley::engine {
namespace {

namespace fs = std::filesystem;

/// A folder of its own with two folders of programs; the working directory is inside while it lives.
class AllowedProgramsOf : public testing::Test {
 protected:
  AllowedProgramsOf() : before_(fs::current_path()) {
    std::string form = (fs::temp_directory_path() / "galley-programs-XXXXXX").string();
    root_ = ::mkdtemp(form.data());
    for (const std::string folder : {"one", "two", "here"}) fs::create_directory(root_ + "/" + folder);
    program("one/convert");
    program("two/convert");
    program("two/only-two");
    program("here/planted");
    std::ofstream(root_ + "/one/data") << "text";
    fs::create_directory(root_ + "/one/folder");
    fs::current_path(root_ + "/here");
  }
  ~AllowedProgramsOf() override {
    fs::current_path(before_);
    fs::remove_all(root_);
  }
  void program(const std::string& name) const {
    std::ofstream(root_ + "/" + name) << "#!/bin/sh\n";
    fs::permissions(root_ + "/" + name, fs::perms::owner_all);
  }
  [[nodiscard]] std::string path() const { return ":" + root_ + "/one::.:../here:here:" + root_ + "/two/:"; }
  [[nodiscard]] AllowedPrograms listed(const std::vector<std::string>& names) const {
    return AllowedPrograms::resolve(false, names, path()).value();
  }
  [[nodiscard]] std::string refused(const std::string& name) const {
    const auto allowed = AllowedPrograms::resolve(false, {name}, path());
    if (allowed) return "resolved";
    EXPECT_EQ(allowed.error().code, Errc::InvalidInput);
    return allowed.error().message;
  }
  static Result<std::string> run(const AllowedPrograms& allowed, const std::string& name, const std::string& cwd = {}) {
    Command command;
    command.argv = {name, "argument"};
    command.cwd = cwd;
    return allowed.executable_for(command);
  }
  static std::vector<std::string> sorted(std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string root_;

 private:
  fs::path before_;
};

TEST_F(AllowedProgramsOf, NothingRunsNothing) {
  const AllowedPrograms allowed = listed({});
  EXPECT_TRUE(allowed.none());
  EXPECT_TRUE(allowed.claimable().empty());
  for (const std::string& name : {std::string("convert"), root_ + "/one/convert", std::string("sh"), std::string()}) {
    EXPECT_EQ(run(allowed, name).error().code, Errc::NotAllowed);
  }
}

TEST_F(AllowedProgramsOf, ANameRunsUnderItselfAndItsPathAndNothingElse) {
  const AllowedPrograms allowed = listed({"convert"});
  EXPECT_FALSE(allowed.any());
  EXPECT_FALSE(allowed.none());
  EXPECT_EQ(allowed.claimable(), sorted({"convert", root_ + "/one/convert"}));
  EXPECT_EQ(run(allowed, "convert").value(), root_ + "/one/convert");
  EXPECT_EQ(run(allowed, root_ + "/one/convert").value(), root_ + "/one/convert");
  for (const std::string& other : {root_ + "/two/convert", root_ + "/one/../one/convert", std::string("./convert"),
                                   std::string("../one/convert"), std::string("only-two"), std::string("/bin/sh")}) {
    EXPECT_EQ(run(allowed, other, root_ + "/one").error().code, Errc::NotAllowed) << other;
  }
  EXPECT_EQ(run(allowed, "rm").error().message, "this worker is not allowed to run \"rm\"");
}

TEST_F(AllowedProgramsOf, APathRunsUnderItsBaseNameOnlyWhereThePathLeadsToTheSameFile) {
  EXPECT_EQ(listed({root_ + "/one/convert"}).claimable(), sorted({"convert", root_ + "/one/convert"}));
  EXPECT_EQ(listed({root_ + "/two/convert"}).claimable(), std::vector{root_ + "/two/convert"});
  EXPECT_EQ(run(listed({root_ + "/two/convert"}), "convert").error().code, Errc::NotAllowed);
}

TEST_F(AllowedProgramsOf, AreWhatTheirNamesMeantAtTheStart) {
  const AllowedPrograms allowed = listed({"only-two"});
  program("one/only-two");
  EXPECT_EQ(run(allowed, "only-two").value(), root_ + "/two/only-two");
}

TEST_F(AllowedProgramsOf, AreNeverFoundInTheWorkingDirectory) {
  EXPECT_EQ(refused("planted"),
            "allowed command \"planted\": no executable file of this name in an absolute folder of PATH");
  const AllowedPrograms any = AllowedPrograms::resolve(true, {}, path()).value();
  EXPECT_EQ(run(any, "planted", root_ + "/here").error().code, Errc::NotFound);
}

TEST_F(AllowedProgramsOf, AWrongListIsRefusedAtTheStartByName) {
  EXPECT_EQ(refused("./planted"), "allowed command \"./planted\": a path must be absolute");
  EXPECT_EQ(refused("/no/such"), "allowed command \"/no/such\": there is no executable file");
  EXPECT_EQ(refused(root_ + "/one/data"), "allowed command \"" + root_ + "/one/data\": there is no executable file");
  EXPECT_EQ(refused(""), "allowed command \"\": it must be a name or a path");
  for (const std::string name : {"data", "folder", ".", "..", "nowhere"}) EXPECT_NE(refused(name), "resolved") << name;
}

TEST_F(AllowedProgramsOf, AnyLooksNamesUpAndTakesPathsAsTheyAre) {
  const AllowedPrograms any = AllowedPrograms::resolve(true, {}, path()).value();
  EXPECT_TRUE(any.any());
  EXPECT_TRUE(any.claimable().empty());
  EXPECT_EQ(run(any, "convert").value(), root_ + "/one/convert");
  EXPECT_EQ(run(any, "only-two").value(), root_ + "/two/only-two");
  EXPECT_EQ(run(any, "/no/such").value(), "/no/such");
  EXPECT_EQ(run(any, "tools/run", "/site").value(), "/site/tools/run");
  EXPECT_EQ(run(any, "./planted").value(), (fs::current_path() / "./planted").string());
  EXPECT_EQ(run(any, "nowhere").error().message,
            "no program \"nowhere\" on the PATH that this worker was started with");
  EXPECT_EQ(run(any, "").error().code, Errc::NotAllowed);
}

TEST_F(AllowedProgramsOf, HandTheirCommandsAPathWithoutTheWorkingDirectory) {
  Command command;
  command.argv = {"convert"};
  const ProcessSpec spec = listed({"convert"}).spec_for(command).value();
  EXPECT_EQ(spec.executable, root_ + "/one/convert");
  EXPECT_EQ(spec.path, root_ + "/one:" + root_ + "/two/");
  command.argv = {"rm"};
  EXPECT_EQ(listed({"convert"}).spec_for(command).error().code, Errc::NotAllowed);
}

}  // namespace
}  // namespace galley::engine
