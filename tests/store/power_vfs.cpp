#include "store/power_vfs.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace galley::test {

namespace {

constexpr std::size_t kSector = 512;

/// SQLite allocates it, with room for the system's own file behind it.
struct File {
  sqlite3_file base;
  PowerDisk* disk;
  PowerDisk::Content* content;  // null: a temporary file
  bool directory_too;           // its next sync keeps the names in its directory besides, as the system's does
  sqlite3_file* system;
};

File& file_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* system_of(sqlite3_file* file) { return file_of(file).system; }

int close_file(sqlite3_file* file) { return system_of(file)->pMethods->xClose(system_of(file)); }

int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  if (file_of(file).disk->is_off()) return SQLITE_IOERR_READ;
  return system_of(file)->pMethods->xRead(system_of(file), into, size, offset);
}

int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  File& ours = file_of(file);
  const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
  if (ours.content != nullptr && !ours.disk->write(*ours.content, bytes, offset)) return SQLITE_IOERR_WRITE;
  return ours.system->pMethods->xWrite(ours.system, from, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  File& ours = file_of(file);
  if (ours.content != nullptr && !ours.disk->truncate(*ours.content, size)) return SQLITE_IOERR_TRUNCATE;
  return ours.system->pMethods->xTruncate(ours.system, size);
}

// The system's sync is spared: what it would keep is what this file remembers, and a test makes thousands.
int sync_file(sqlite3_file* file, int) {
  File& ours = file_of(file);
  if (ours.content != nullptr && !ours.disk->sync(*ours.content, ours.directory_too)) return SQLITE_IOERR_FSYNC;
  ours.directory_too = false;
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (file_of(file).disk->is_off()) return SQLITE_IOERR_FSTAT;
  return system_of(file)->pMethods->xFileSize(system_of(file), size);
}

int lock_file(sqlite3_file* file, int level) { return system_of(file)->pMethods->xLock(system_of(file), level); }
int unlock_file(sqlite3_file* file, int level) { return system_of(file)->pMethods->xUnlock(system_of(file), level); }
int check_lock(sqlite3_file* file, int* held) {
  return system_of(file)->pMethods->xCheckReservedLock(system_of(file), held);
}
int control(sqlite3_file* file, int what, void* argument) {
  return system_of(file)->pMethods->xFileControl(system_of(file), what, argument);
}
int sector_size(sqlite3_file* file) { return system_of(file)->pMethods->xSectorSize(system_of(file)); }
int characteristics(sqlite3_file* file) { return system_of(file)->pMethods->xDeviceCharacteristics(system_of(file)); }
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** at) {
  return system_of(file)->pMethods->xShmMap(system_of(file), region, size, extend, at);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return system_of(file)->pMethods->xShmLock(system_of(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { system_of(file)->pMethods->xShmBarrier(system_of(file)); }
int shm_unmap(sqlite3_file* file, int remove) { return system_of(file)->pMethods->xShmUnmap(system_of(file), remove); }

constexpr sqlite3_io_methods kMethods{2,           close_file,  read_file,       write_file,  truncate_file,
                                      sync_file,   file_size,   lock_file,       unlock_file, check_lock,
                                      control,     sector_size, characteristics, shm_map,     shm_lock,
                                      shm_barrier, shm_unmap,   nullptr,         nullptr};

PowerDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<PowerDisk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given) {
  PowerDisk& disk = disk_of(vfs);
  file->pMethods = nullptr;
  if (disk.is_off()) return SQLITE_CANTOPEN;
  File& ours = file_of(file);
  ours.disk = &disk;
  ours.system = reinterpret_cast<sqlite3_file*>(&ours + 1);
  const int code = disk.system().xOpen(&disk.system(), path, ours.system, flags, given);
  if (code != SQLITE_OK) return code;
  ours.content = path == nullptr || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 ? nullptr : disk.content(path);
  constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  ours.directory_too = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kJournals) != 0;
  ours.base.pMethods = &kMethods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int synced) {
  PowerDisk& disk = disk_of(vfs);
  if (!disk.remove(path, synced != 0)) return SQLITE_IOERR_DELETE;
  return disk.system().xDelete(&disk.system(), path, 0);
}

int access_file(sqlite3_vfs* vfs, const char* path, int what, int* answer) {
  PowerDisk& disk = disk_of(vfs);
  if (disk.is_off()) return SQLITE_IOERR_ACCESS;
  return disk.system().xAccess(&disk.system(), path, what, answer);
}

void resize(std::string& bytes, std::int64_t size) { bytes.resize(static_cast<std::size_t>(size)); }

void put(std::string& into, std::string_view bytes, std::int64_t offset) {
  const auto at = static_cast<std::size_t>(offset);
  if (into.size() < at + bytes.size()) into.resize(at + bytes.size());
  into.replace(at, bytes.size(), bytes);
}

}  // namespace

PowerDisk::PowerDisk(int cut, bool lies) : system_(sqlite3_vfs_find(nullptr)), cut_(cut), lies_(lies) {
  vfs_ = *system_;  // what is not replaced borrows nothing of the system's VFS but its functions
  vfs_.pNext = nullptr;
  vfs_.zName = "power";
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + system_->szOsFile;
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  vfs_.xAccess = access_file;
  sqlite3_vfs_register(&vfs_, 1);
}

PowerDisk::~PowerDisk() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(system_, 1);
}

PowerDisk::Content* PowerDisk::content(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Content*& known = names_[path];
  if (known == nullptr) {
    contents_.push_back(std::make_unique<Content>());
    known = contents_.back().get();
    std::ifstream file(path, std::ios::binary);  // what another program made before counts as synced
    known->synced.assign(std::istreambuf_iterator<char>(file), {});
  }
  return known;
}

bool PowerDisk::count(const char* what, const std::string& path) {
  if (off_) return false;
  off_ = calls_++ == cut_;
  if (off_) last_call_ = std::string(what) + " " + path;
  return !off_;
}

std::string PowerDisk::name_of(const Content& content) const {
  for (const auto& [path, of] : names_) {
    if (of == &content) return std::filesystem::path(path).filename().string();
  }
  return "a deleted file";
}

bool PowerDisk::write(Content& content, std::string_view bytes, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  const bool before = off_;
  const bool on = count("write", cut_ == calls_ ? name_of(content) : std::string());
  if (!before) content.pending.push_back({std::nullopt, offset, std::string(bytes), ++order_});
  return on;
}

bool PowerDisk::truncate(Content& content, std::int64_t size) {
  const std::lock_guard lock(mutex_);
  if (!count("truncate", cut_ == calls_ ? name_of(content) : std::string())) return false;
  content.pending.push_back({size, 0, {}, 0});
  return true;
}

bool PowerDisk::sync(Content& content, bool directory_too) {
  const std::lock_guard lock(mutex_);
  if (!count("sync", cut_ == calls_ ? name_of(content) : std::string())) return false;
  if (lies_) return true;
  for (const Change& change : content.pending) {
    if (change.size) {
      resize(content.synced, *change.size);
    } else {
      put(content.synced, change.bytes, change.offset);
    }
  }
  content.pending.clear();
  if (directory_too) synced_names_ = names_;
  for (const auto& [path, of] : names_) {
    if (of == &content) synced_names_[path] = of;  // as the usual file systems keep the name of a synced file
  }
  return true;
}

bool PowerDisk::remove(const std::string& path, bool synced) {
  const std::lock_guard lock(mutex_);
  if (!count("delete", std::filesystem::path(path).filename().string())) return false;
  names_.erase(path);
  if (synced && !lies_) synced_names_.erase(path);
  return true;
}

std::string PowerDisk::left_of(const Content& content, Remains remains, std::mt19937_64& coin) const {
  std::string left = content.synced;
  if (remains == Remains::Synced) return left;
  for (const Change& change : content.pending) {
    const bool all = remains == Remains::TornLast;
    if (change.size) {
      if (all || (coin() & 1U) != 0) resize(left, *change.size);
      continue;
    }
    const std::string_view bytes = change.bytes;
    if (all) {
      put(left, change.order == order_ ? bytes.substr(0, coin() % (bytes.size() + 1)) : bytes, change.offset);
      continue;
    }
    for (std::size_t at = 0; at < bytes.size();) {  // the sectors of the disk, not of the write
      const std::size_t end = kSector - (static_cast<std::size_t>(change.offset) + at) % kSector;
      const std::string_view sector = bytes.substr(at, end);
      if ((coin() & 1U) != 0) put(left, sector, change.offset + static_cast<std::int64_t>(at));
      at += sector.size();
    }
  }
  return left;
}

void PowerDisk::save(const std::string& dir, Remains remains, std::uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 coin(seed);
  std::map<std::string, Content*> names = synced_names_;
  if (remains != Remains::Synced) {
    for (const auto& [path, of] : names_) {
      if (remains == Remains::TornLast || (coin() & 1U) != 0 || !names.contains(path)) names[path] = of;
    }
    for (auto name = names.begin(); name != names.end();) {
      const bool gone = !names_.contains(name->first) && (remains == Remains::TornLast || (coin() & 1U) != 0);
      name = gone ? names.erase(name) : std::next(name);
    }
  }
  for (const auto& [path, of] : names) {
    const std::string left = left_of(*of, remains, coin);
    std::ofstream(dir + "/" + std::filesystem::path(path).filename().string(), std::ios::binary) << left;
  }
}

}  // namespace galley::test
