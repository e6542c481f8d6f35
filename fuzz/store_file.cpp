#include <algorithm>
#include <iterator>

#include "fuzz/scratch.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "galley/store.hpp"
#include "store/store.hpp"

namespace galley::fuzz {

namespace {

constexpr const char* kName = "galley.db";

/// Whatever it says about a damaged file: a sentence.
template <class T>
bool answered(const Result<T>& result) {
  if (!result) require_message(result.error());
  return result.has_value();
}

job::NewJob a_job(std::string kind) {
  job::NewJob job;
  job.kind = std::move(kind);
  job.payload = R"({"a": "b"})";
  return job;
}

void fill(store::Store& store) {
  std::vector<job::NewJob> jobs = {a_job("k"), a_job("k"), a_job("later"), a_job("unique")};
  jobs[1].tags = {"red"};
  jobs[1].key = "tenant";
  jobs[2].delay = std::chrono::hours(1);
  jobs[3].unique.key = "only";
  require(store.enqueue(jobs).has_value(), "a new store takes jobs");
  store::Schedule schedule;
  schedule.name = "nightly";
  schedule.rule.expression = "0 3 * * *";
  schedule.job = a_job("night");
  require(store.put_schedule(schedule).has_value(), "a new store takes schedules");
  store::Measured measured{"default", "k", 1, 0, {}, {}};
  measured.wait.add(Duration(1'000));
  require(store.report(std::span(&measured, 1)).has_value(), "a new store takes statistics");
}

/// A small store, written once.
std::string image(const Scratch& scratch) {
  {
    const auto store = open_store("sqlite:" + scratch.file("image.db") + "?durability=normal");
    require(store.has_value(), "a store can be made");
    fill(**store);
    require((*store)->backup(scratch.file("copy.db")).has_value(), "a store can be copied");
  }
  std::ifstream in(scratch.file("copy.db"), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// One byte of the input chooses what is wrong with the file.
void plant(const Scratch& scratch, const std::string& good, Bytes bytes) {
  std::string file = good;
  switch (bytes.byte() % 4) {
    case 0:  // single bytes: three for the place, one for what stands there
      while (!bytes.empty()) {
        const auto at = static_cast<std::size_t>(bytes.number(3));
        file[at % file.size()] = static_cast<char>(bytes.byte());
      }
      break;
    case 1: file.resize(bytes.number(3) % file.size()); break;
    case 2: scratch.write(std::string(kName) + "-wal", bytes.rest()); break;
    default: file = bytes.rest();
  }
  scratch.write(kName, file);
}

void use(store::Store& store) {
  store::Filter by_tag;
  by_tag.tag = "red";
  static_cast<void>(answered(store.list({}, "", 10)));
  static_cast<void>(answered(store.list(by_tag, "", 10)));
  for (const JobId id : {1, 2, 3}) {
    static_cast<void>(answered(store.find(id)));
    static_cast<void>(answered(store.attempts(id)));
    static_cast<void>(answered(store.standing(id)));
  }
  static_cast<void>(answered(store.queues()) && answered(store.lanes()) && answered(store.workers()));
  static_cast<void>(answered(store.schedules()) && answered(store.minutes(60)) && answered(store.limits()));
  static_cast<void>(answered(store.batches(0, 10)) && answered(store.info()));
  static_cast<void>(answered(store.examine(false)));
  static_cast<void>(answered(store.step(100)));
  const std::vector<job::NewJob> jobs = {a_job("k")};
  static_cast<void>(answered(store.enqueue(jobs)));
  const std::vector<JobId> ids = {1, 2};
  static_cast<void>(answered(store.cancel(ids)));
  static_cast<void>(answered(store.erase(ids)));
  if (const auto found = store.examine(true); answered(found)) {
    for (const store::Finding& finding : *found) {
      require(!finding.code.empty() && base::is_printable(finding.what), "a finding is a sentence", finding.what);
    }
  }
  static_cast<void>(answered(store.examine(false)));
}

}  // namespace

void store_file(std::string_view input) {
  static const Scratch scratch;
  static const std::string good = image(scratch);
  for (const char* end : {"", "-wal", "-shm"}) scratch.remove(std::string(kName) + end);
  plant(scratch, good, Bytes(input));
  const auto store = open_store("sqlite:" + scratch.file(kName) + "?durability=normal&busy_timeout=0");
  if (answered(store)) use(**store);
}

}  // namespace galley::fuzz
