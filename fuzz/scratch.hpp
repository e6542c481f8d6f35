#pragma once
// A directory of a target's own, made by its first input and gone with the process. In memory where there is such a
// place: a target writes a file an input.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace galley::fuzz {

class Scratch {
 public:
  Scratch() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    const auto parent = memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string form = (parent / "galley-fuzz-XXXXXX").string();
    if (mkdtemp(form.data()) == nullptr) std::abort();
    path_ = form;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream out(file(name), std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file(name);
  }
  void remove(std::string_view name) const {
    std::error_code ignored;
    std::filesystem::remove(file(name), ignored);
  }

 private:
  std::string path_;
};

}  // namespace galley::fuzz
