// galley store: what the store is and takes, and its bound.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

Result<int> show(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto info = (*store)->info();
  if (!info) return info.error();
  if (json) {
    boost::json::object object{{"backend", info->backend}, {"location", base::to_utf8(info->location)},
                               {"schema", info->schema},   {"durability", info->durability},
                               {"bytes", info->bytes},     {"max_bytes", nullptr}};
    if (info->max_bytes) object["max_bytes"] = *info->max_bytes;
    context.out.line(object);
    return kExitOk;
  }
  Table table({"BACKEND", "SCHEMA", "DURABILITY", "BYTES", "AT MOST", "LOCATION"});
  table.row({info->backend, std::to_string(info->schema), info->durability, std::to_string(info->bytes),
             info->max_bytes ? std::to_string(*info->max_bytes) : "-", base::to_utf8(info->location)});
  table.print(context.out, {3, 4});
  return kExitOk;
}

Result<int> limit(Context& context, const std::string& text) {
  const auto most = bound_from("--max-bytes", text);
  if (!most) return most.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto done = (*store)->set_max_bytes(*most); !done) return done.error();
  context.out.line(*most ? "the store takes at most " + std::to_string(**most) + (**most == 1 ? " byte" : " bytes")
                         : "the store has no bound");
  return kExitOk;
}

}  // namespace

void add_store(CLI::App& app, Context& context) {
  CLI::App* store = app.add_subcommand("store", "Show what the store is and takes; bound it");
  auto json = std::make_shared<bool>(false);
  store->add_flag("--json", *json, "One object");
  add_store_option(*store, context);
  store->require_subcommand(0, 1);
  store->footer("Example: galley store --json");
  CLI::App* bound = store->add_subcommand("limit", "Bound the bytes that jobs may take; enqueues over it are refused");
  auto most = std::make_shared<std::string>();
  bound->add_option("--max-bytes", *most, "Of all that is stored; none: no bound")->type_name("N|none")->required();
  add_store_option(*bound, context);
  bound->footer("Example: galley store limit --max-bytes 10000000000");
  bound->callback([&context, most] { context.action = [&context, most] { return limit(context, *most); }; });
  store->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return show(context, *json); };
  });
}

}  // namespace galley::cli
