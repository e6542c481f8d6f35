#include "cli/demo_menu.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace galley::cli::demo {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kBurgerBytes = 6 << 20;  // about 0.3 s of zlib's level 9
constexpr std::uintmax_t kDrinkBytes = 8 << 10;
constexpr std::size_t kMaxFilesLookedAt = 200'000;
constexpr std::array kPlaces{"/usr/share", "/usr/include", "/usr/lib", "/usr/bin"};

struct Ingredient {
  std::string path;
  std::uintmax_t size;
};

std::vector<Ingredient> ingredients(std::uintmax_t enough_bytes) {
  std::vector<Ingredient> found;
  std::uintmax_t bytes = 0;
  for (const char* place : kPlaces) {
    std::error_code failed;
    auto files = fs::recursive_directory_iterator(place, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && files != fs::recursive_directory_iterator(); files.increment(failed)) {
      if (found.size() >= kMaxFilesLookedAt || bytes >= enough_bytes) return found;
      std::error_code unreadable;
      if (files->is_symlink(unreadable) || !files->is_regular_file(unreadable)) continue;
      const std::uintmax_t size = files->file_size(unreadable);
      if (unreadable || size == 0 || access(files->path().c_str(), R_OK) != 0) continue;
      found.push_back({files->path().string(), size});
      bytes += size;
    }
  }
  return found;
}

struct GzClose {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzWriter = std::unique_ptr<gzFile_s, GzClose>;

/// `gzip -dc PATH` as a child process; its output is read from fd().
class Gunzip {
 public:
  explicit Gunzip(const std::string& path) {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::array<char*, 5> argv{const_cast<char*>("gzip"), const_cast<char*>("-dc"), const_cast<char*>("--"),
                              const_cast<char*>(path.c_str()), nullptr};
    if (posix_spawnp(&child_, "gzip", &actions, nullptr, argv.data(), environ) != 0) child_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    fd_ = ends[0];
  }
  ~Gunzip() {
    if (fd_ >= 0) close(fd_);
    if (child_ > 0) waitpid(child_, nullptr, 0);
  }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  [[nodiscard]] std::size_t read_some(char* into, std::size_t most) const {
    const ssize_t got = fd_ >= 0 ? read(fd_, into, most) : 0;
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  [[nodiscard]] bool ended_well() {
    int status = 0;
    const bool well =
        child_ > 0 && waitpid(child_, &status, 0) == child_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    child_ = -1;
    return well;
  }

 private:
  int fd_ = -1;
  pid_t child_ = -1;
};

Error trouble(const std::string& path, const std::string& what) { return {Errc::Io, path + ": " + what}; }

}  // namespace

Result<Menu> find_menu(std::size_t burgers, std::size_t drinks) {
  const auto pantry = ingredients(burgers * kBurgerBytes + (std::uintmax_t{32} << 20));
  Menu menu;
  for (const Ingredient& one : pantry) {
    if (menu.drinks.size() < drinks && one.size <= kDrinkBytes) menu.drinks.push_back(one.path);
  }
  std::size_t at = 0;
  std::size_t walked = 0;
  while (menu.burgers.size() < burgers && walked < 20 * pantry.size()) {
    std::uintmax_t bytes = 0;
    std::vector<std::string> files;
    for (; bytes < kBurgerBytes && walked < 20 * pantry.size(); at = (at + 1) % pantry.size(), ++walked) {
      if (pantry[at].size > kBurgerBytes) continue;
      files.push_back(pantry[at].path);
      bytes += pantry[at].size;
    }
    if (bytes >= kBurgerBytes) menu.burgers.push_back(std::move(files));
  }
  if (menu.burgers.size() < burgers || menu.drinks.size() < drinks) {
    return Error{Errc::NotFound, "this machine has too few readable files under /usr for the demo"};
  }
  return menu;
}

Outcome cook(Attempt& attempt, const Meal& meal) {
  const GzWriter out(gzopen(meal.output.c_str(), "wb9"));
  if (!out) return Outcome::fail(meal.output + ": " + std::strerror(errno));
  std::array<char, 64 << 10> buffer{};
  for (std::size_t i = 0; i < meal.files.size(); ++i) {
    if (attempt.stop_requested()) return Outcome::pause();
    std::ifstream in(meal.files[i], std::ios::binary);
    if (!in) return Outcome::fail(meal.files[i] + ": " + std::strerror(errno));
    while (in.read(buffer.data(), buffer.size()), in.gcount() > 0) {
      const auto size = static_cast<unsigned>(in.gcount());
      if (gzwrite(out.get(), buffer.data(), size) != static_cast<int>(size))
        return Outcome::fail(meal.output + ": cannot write");
    }
    attempt.progress(std::to_string(i + 1) + "/" + std::to_string(meal.files.size()) + " files");
  }
  return Outcome::done();
}

Result<void> taste(const Meal& meal) {
  Gunzip gunzip(meal.output);
  std::array<char, 64 << 10> expected{};
  std::array<char, 64 << 10> got{};
  for (const std::string& path : meal.files) {
    std::ifstream in(path, std::ios::binary);
    std::uintmax_t offset = 0;
    while (in.read(expected.data(), expected.size()), in.gcount() > 0) {
      const auto size = static_cast<std::size_t>(in.gcount());
      std::size_t have = 0;
      while (have < size) {
        const std::size_t more = gunzip.read_some(got.data() + have, size - have);
        if (more == 0) return trouble(meal.output, "gzip -dc gave too little for " + path);
        have += more;
      }
      const auto wrong =
          std::mismatch(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(size), got.begin());
      if (const auto at = static_cast<std::uintmax_t>(wrong.first - expected.begin()); at < size) {
        return trouble(meal.output, "wrong at byte " + std::to_string(offset + at) + " of " + path);
      }
      offset += size;
    }
  }
  if (gunzip.read_some(got.data(), 1) != 0) return trouble(meal.output, "gzip -dc gave more than the files hold");
  if (!gunzip.ended_well()) return trouble(meal.output, "gzip -dc refused it");
  return {};
}

}  // namespace galley::cli::demo
