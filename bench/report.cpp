#include "bench/report.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/stopwatch.hpp"

namespace bench {

namespace {

/// 1,234,567 or 12.3: three digits at least, none that noise would have written.
std::string number(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), value < 100 ? "%.1f" : "%.0f", value);
  std::string digits = text.data();
  const std::size_t whole = std::min(digits.find('.'), digits.size());
  for (std::size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string ratio(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

const Series* find(const Result& result, const std::string& who) {
  for (const Series& series : result.series) {
    if (series.who == who) return &series;
  }
  return nullptr;
}

/// How far the slowest run is below the fastest, of the contender where that is worst, in percent.
std::string spread(const Result& result) {
  double worst = 0;
  for (const Series& series : result.series) {
    const auto [low, high] = std::minmax_element(series.runs.begin(), series.runs.end());
    if (*high > 0) worst = std::max(worst, (*high - *low) / *high);
  }
  return number(worst * 100) + " %";
}

using Row = std::vector<std::string>;

void print(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      line += i == 0 ? "  " + row[i] + gap : "  " + gap + row[i];
    }
    std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << "\n";
  }
}

std::string first_line_with(const char* file, const std::string& start) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(start)) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown";
}

std::string file_system(const std::filesystem::path& dir) {
  struct statfs status {};
  if (statfs(dir.c_str(), &status) != 0) return "unknown";
  switch (static_cast<unsigned long>(status.f_type)) {
    case 0xEF53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683E: return "btrfs";
    case 0x794C7630: return "overlay";
    case 0x01021994: return "tmpfs, where a sync costs nothing";
    default: break;
  }
  std::ostringstream magic;
  magic << "0x" << std::hex << status.f_type;
  return magic.str();
}

/// What durability costs here: a few pages, appended and synced one by one.
std::string sync_cost(const std::filesystem::path& dir) {
  const std::string path = (dir / "galley-bench-sync").string();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot write in " + dir.string());
  const std::array<char, 4096> page{};
  std::vector<double> runs;
  for (int i = 0; i < 201; ++i) {
    const Stopwatch watch;
    if (write(fd, page.data(), page.size()) < 0 || fdatasync(fd) != 0) throw std::runtime_error("cannot sync " + path);
    runs.push_back(watch.seconds() * 1e6);
  }
  close(fd);
  std::filesystem::remove(path);
  return number(median(runs)) + " us, at worst " + number(*std::max_element(runs.begin(), runs.end())) + " us";
}

double seconds_of(const rusage& usage) {
  const auto of = [](const timeval& at) {
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace

double median(std::vector<double> runs) {
  std::sort(runs.begin(), runs.end());
  return runs.at(runs.size() / 2);
}

void Report::facts(const Facts& facts) const {
  std::vector<Row> rows;
  boost::json::object object;
  for (const auto& [name, value] : facts) {
    rows.push_back({name + ": " + value});
    object[name] = value;
  }
  if (json_) {
    std::cout << boost::json::object{{"facts", object}} << std::endl;
  } else {
    print(rows);
  }
}

void Report::results(const std::string& heading, const std::vector<Result>& results) const {
  std::vector<Row> rows{{heading + ", " + results.front().unit}};
  for (const Series& series : results.front().series) {
    rows[0].push_back(series.who);
    if (!series.against.empty()) rows[0].emplace_back("ratio");
  }
  rows[0].emplace_back("spread");
  const bool aims = std::any_of(results.begin(), results.end(), [](const Result& one) { return !one.aim.empty(); });
  if (aims) rows[0].emplace_back("aim");
  for (const Result& result : results) {
    Row row{result.what};
    for (const Series& series : result.series) {
      boost::json::object object{{"measure", heading + ", " + result.what},
                                 {"unit", result.unit},
                                 {"who", series.who},
                                 {"median", median(series.runs)},
                                 {"runs", boost::json::value_from(series.runs)}};
      if (&series == &result.series.front() && !result.aim.empty()) object["aim"] = result.aim;
      row.push_back(number(median(series.runs)));
      if (const Series* other = find(result, series.against); other != nullptr) {
        const double times = median(series.runs) / median(other->runs);
        object["against"] = other->who;
        object["ratio"] = times;
        row.push_back(ratio(times));
      }
      if (json_) std::cout << object << std::endl;
    }
    row.push_back(spread(result));
    if (aims) row.push_back(result.aim);
    rows.push_back(row);
  }
  if (json_) return;
  std::cout << "\n";
  print(rows);
  std::cout << std::flush;
}

CpuTime cpu_time() {
  std::ifstream stat("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft_irq = 0, stolen = 0;
  stat >> name >> user >> nice >> system >> idle >> wait >> irq >> soft_irq >> stolen;
  rusage self{}, children{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double busy = (user + nice + system + irq + soft_irq + stolen) / ticks;
  return {busy + (idle + wait) / ticks, busy - seconds_of(self) - seconds_of(children)};
}

std::string share_of_others(const CpuTime& before, const CpuTime& after) {
  const double share = (after.others - before.others) / (after.all - before.all);
  return number(100 * std::max(0.0, share)) + " %";  // two ways of counting, so a little below zero is possible
}

Facts machine_facts() {
  utsname system{};
  uname(&system);
  std::ifstream load("/proc/loadavg");
  std::string load_1, load_5;
  load >> load_1 >> load_5;
  return {{"galley", GALLEY_VERSION},
          {"compiler", __VERSION__},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"processor", first_line_with("/proc/cpuinfo", "model name")},
          {"kernel", system.release},
          {"load average before", load_1 + " in 1 minute, " + load_5 + " in 5"}};
}

Facts disk_facts(const std::filesystem::path& dir) {
  return {{"file system", file_system(dir)}, {"a synced write of 4 KiB there", sync_cost(dir)}};
}

}  // namespace bench
