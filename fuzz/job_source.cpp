#include "cli/job_source.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.hpp"
#include "cli/lines.hpp"
#include "engine/process.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

constexpr std::size_t kMaxRecord = 64;

engine::Fd file_of(std::string_view bytes) {
  engine::Fd fd(::memfd_create("galley-fuzz", MFD_CLOEXEC));
  require(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "memory has room");
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

/// Nothing: a record was too long.
std::optional<std::vector<std::string>> records_of(std::string_view input, char delimiter) {
  const engine::Fd fd = file_of(input);
  cli::LineReader reader(fd.get(), delimiter, kMaxRecord);
  std::vector<std::string> records;
  std::string joined;
  while (true) {
    auto record = reader.next();
    if (refused(record)) return std::nullopt;
    if (!*record) break;
    require((*record)->find(delimiter) == std::string::npos, "a record holds no delimiter");
    require((*record)->size() <= kMaxRecord, "a record is bounded");
    records.push_back(std::move(**record));
    require(reader.number() == static_cast<std::int64_t>(records.size()), "records are numbered from 1");
    joined += records.back() + delimiter;
  }
  if (!input.ends_with(delimiter) && !joined.empty()) joined.pop_back();
  require(joined == input, "the records are all that was read", joined);
  return records;
}

void check_line(std::string_view pattern, const std::string& line) {
  Command command;
  command.argv = {"echo", std::string(pattern), "{}"};
  const auto with = cli::with_line(command, line);
  if (refused(with)) return;
  require(with->argv.size() == 3 && with->argv[0] == "echo" && with->argv[2] == line, "a line stands in its place");
  if (pattern.find("{}") == std::string_view::npos) require(with->argv[1] == pattern, "the rest stays as it is");
}

}  // namespace

/// A byte for the delimiter, a line as a command's pattern, then the records.
void job_source(std::string_view input) {
  Bytes bytes(input);
  const char delimiter = bytes.byte() % 2 == 0 ? '\n' : '\0';
  const std::string_view pattern = bytes.line();
  const auto whole = cli::read_all(file_of(bytes.rest()).get(), 4'096, "the input");
  if (!refused(whole)) require(*whole == bytes.rest(), "all is read");
  const auto records = records_of(bytes.rest(), delimiter);
  if (!records) return;
  for (const std::string& record : *records) {
    check_line(pattern, record);
    const auto job = cli::json_job("k", record);
    if (!refused(job)) require(job->payload == record && job->kind == "k", "a payload is kept as it is");
  }
  static_cast<void>(refused(cli::json_job("k", std::string(bytes.rest()))));
  const auto variables = cli::environment_of(*records, [](const char*) -> const char* { return nullptr; });
  if (refused(variables)) return;
  require(variables->size() == records->size(), "each variable is there");
}

}  // namespace galley::fuzz
