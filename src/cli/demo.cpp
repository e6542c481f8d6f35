// galley demo: the fast-food counter, on real files: how long the drinks wait behind the burgers in one line, in
// one that keeps room for what is short, and with queues and pools of their own.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/duration.hpp"
#include "cli/commands.hpp"
#include "cli/demo_counter.hpp"

namespace galley::cli {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// About a quarter of a minute on two cores: 16 burgers of some 0.3 s on four slots, and a drink every 20 ms meanwhile.
constexpr std::size_t kBurgers = 16;
constexpr std::size_t kDrinks = 100;
constexpr Duration kPause = 20ms;
constexpr const char* kMark = ".galley-demo";  // a folder with it is ours to make anew

const std::array kRounds{
    demo::Round{"plain", "one line, first come, first served", "line", "line", {"line=4:line"}, "off"},
    demo::Round{"shared", "one line, with room for what is short", "line", "line", {"line=4:line"}, "auto"},
    demo::Round{"separate",
                "a line each, with slots of their own",
                "burgers",
                "drinks",
                {"burgers=3:burgers", "drinks=1:drinks"},
                "off"},
};

Result<void> prepare(const fs::path& folder) {
  if (folder.empty())
    return usage_error("--dir: is empty; allowed is a new or empty folder, or one of an earlier demo");
  std::error_code failed;
  if (fs::exists(folder, failed) && !fs::exists(folder / kMark, failed) && !fs::is_empty(folder, failed)) {
    return usage_error("--dir: " + folder.string() +
                       " holds other files; allowed is a new or empty folder, or one of an earlier demo");
  }
  fs::remove_all(folder, failed);
  if (!failed) fs::create_directories(folder / "meals", failed);
  if (failed) return Error{Errc::Io, folder.string() + ": " + failed.message()};
  std::ofstream(folder / kMark) << "galley demo makes this folder anew\n";
  return {};
}

/// One line that is written over on a terminal; nothing elsewhere.
class Progress {
 public:
  explicit Progress(Context& context) : err_(context.err), shown_(context.err.is_terminal()) {}
  void show(const std::string& what, std::size_t burgers, std::size_t drinks) {
    if (!shown_) return;
    err_.write("\r" + what + ": " + std::to_string(burgers) + "/" + std::to_string(kBurgers) + " burgers, " +
               std::to_string(drinks) + "/" + std::to_string(kDrinks) + " drinks   ");
    static_cast<void>(err_.flush());
  }
  void done() {
    if (shown_) err_.write("\r\033[K");
    static_cast<void>(err_.flush());
  }

 private:
  Output& err_;
  bool shown_;
};

Result<int> serve(Context& context, const fs::path& folder) {
  if (auto ready = prepare(folder); !ready) return ready.error();
  const auto menu = demo::find_menu(kBurgers, kDrinks);
  if (!menu) return menu.error();
  const std::string path = (folder / "galley.db").string();
  const auto store = open_store("sqlite:" + path);
  if (!store) return store.error();

  context.out.line("The counter: " + std::to_string(kBurgers) +
                   " burgers (sets of files, 6 MB each, to compress) are ordered at once,");
  context.out.line("then a drink (one small file) every " + base::format_duration(kPause) +
                   ". Four slots. How long do the drinks wait?");
  context.out.line("");
  Table table({"LINE", "DRINKS WAIT p50", "p99", "MAX", "ALL SERVED AFTER"});
  std::size_t meals = 0;
  Progress progress(context);
  for (const demo::Round& round : kRounds) {
    const auto report = demo::open_counter(*store, context.clock, *menu, round, (folder / "meals").string(), kPause,
                                           [&](std::size_t b, std::size_t d) { progress.show(round.line, b, d); });
    progress.done();
    if (!report) return report.error();
    const demo::Waits& waits = report->drinks;
    table.row({round.line, base::format_duration(waits.p50), base::format_duration(waits.p99),
               base::format_duration(waits.max), base::format_duration(report->whole)});
    for (const demo::Meal& meal : report->meals) {
      if (auto right = demo::taste(meal); !right) return right.error();
      ++meals;
    }
  }
  table.print(context.out, {1, 2, 3, 4});
  context.out.line("");
  context.out.line("All " + std::to_string(meals) +
                   " results were unpacked by the real gzip and are byte for byte the files they were made of.");
  context.out.line("The second line is what a worker does unless it is told otherwise (galley work --reserve off).");
  context.out.line("The jobs are still there: galley jobs --store sqlite:" + path);
  return kExitOk;
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("demo", "The fast-food counter: burgers and drinks in one line, and apart");
  auto folder = std::make_shared<std::string>("galley-demo");
  command->add_option("--dir", *folder, "Where its store and results go (default galley-demo)")->type_name("DIR");
  command->footer("Example: galley demo");
  command->callback([&context, folder] { context.action = [&context, folder] { return serve(context, *folder); }; });
}

}  // namespace galley::cli
