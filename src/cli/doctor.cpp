// galley doctor: holds the store against itself, and puts right what can be.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

std::string_view standing(const store::Finding& finding) {
  if (finding.repaired) return "repaired";
  return finding.repairable ? "repairable" : "-";
}

void print(Output& out, const std::vector<store::Finding>& findings, bool json) {
  Table table({"CODE", "REPAIR", "FINDING"});
  for (const store::Finding& finding : findings) {
    if (json) {
      out.line({{"code", finding.code},
                {"what", base::to_utf8(finding.what)},
                {"repairable", finding.repairable},
                {"repaired", finding.repaired}});
    } else {
      table.row({finding.code, std::string(standing(finding)), to_terminal(finding.what)});
    }
  }
  if (!json && !findings.empty()) table.print(out);
}

Result<int> doctor(Context& context, bool repair, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto findings = (*store)->examine(repair);
  if (!findings) return findings.error();
  print(context.out, *findings, json);
  const auto left = std::count_if(findings->begin(), findings->end(), [](const auto& one) { return !one.repaired; });
  const bool more =
      std::any_of(findings->begin(), findings->end(), [](const auto& one) { return one.repairable && !one.repaired; });
  if (!json && findings->empty()) context.out.line("nothing is wrong");
  if (!json && more && !repair) context.out.line("galley doctor --repair puts right what is marked repairable");
  return left == 0 ? kExitOk : kExitFailure;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("doctor", "Look for what is wrong with the store, while others work");
  auto repair = std::make_shared<bool>(false);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--repair", *repair, "Put right what can be; also takes the long check of the file");
  command->add_flag("--json", *json, "One finding a line");
  add_store_option(*command, context);
  command->footer("Exit code 1: something is wrong, and was not repaired.\nExample: galley doctor --repair");
  command->callback([&context, repair, json] {
    context.action = [&context, repair, json] { return doctor(context, *repair, *json); };
  });
}

}  // namespace galley::cli
