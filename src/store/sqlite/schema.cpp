#include "store/sqlite/schema.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace galley::store::sqlite {

namespace {

// Names start with galley_, because an application may keep its own tables in the same file.
// Small hot tables say where a job is; galley_jobs holds what it is, and is not touched by a claim.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE galley_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE galley_clock (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  next_id INTEGER NOT NULL,
  tick INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  signals INTEGER NOT NULL
) STRICT;
CREATE TABLE galley_queues (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  paused INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE galley_lanes (
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  kind TEXT NOT NULL,
  program TEXT NOT NULL,
  scheduled INTEGER NOT NULL DEFAULT 0,
  ready INTEGER NOT NULL DEFAULT 0,
  blocked INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  discarded INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0,
  UNIQUE (queue, kind, program)
) STRICT;
CREATE TABLE galley_jobs (
  id INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  state TEXT NOT NULL,
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  priority INTEGER NOT NULL,
  key TEXT,
  payload BLOB NOT NULL,
  timeout_us INTEGER,
  grace_us INTEGER,
  on_timeout TEXT,
  max_attempts INTEGER,
  max_pauses INTEGER,
  max_crashes INTEGER,
  backoff TEXT,
  resumable INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  pauses INTEGER NOT NULL DEFAULT 0,
  snoozes INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  enqueued_us INTEGER NOT NULL,
  started_us INTEGER,
  epoch INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  extras INTEGER NOT NULL DEFAULT 0,
  token TEXT
) STRICT;
CREATE UNIQUE INDEX galley_jobs_token ON galley_jobs (token) WHERE token IS NOT NULL;
CREATE TABLE galley_ready (
  lane INTEGER NOT NULL, rank INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (lane, rank, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_scheduled (
  queue INTEGER NOT NULL, due_us INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (queue, due_us, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_running (
  id INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  worker INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  lease_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL,
  cancel INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE galley_ended (
  lane INTEGER NOT NULL, state TEXT NOT NULL, ended_us INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (lane, state, ended_us, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_extras (
  job INTEGER NOT NULL, what TEXT NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (job, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_attempts (
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL,
  worker TEXT NOT NULL,
  run_time_us INTEGER NOT NULL,
  error TEXT,
  exit_code INTEGER,
  signal INTEGER,
  out TEXT,
  err TEXT,
  log TEXT,
  PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_workers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  pools TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  lock_file TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE VIEW galley_job AS
  SELECT j.id, q.name AS queue, l.kind, CASE WHEN r.id IS NULL THEN j.state ELSE 'running' END AS state,
         j.priority, j.key, j.content, j.payload, j.attempts, j.errors, j.error,
         datetime(j.enqueued_us / 1000000, 'unixepoch') AS enqueued_at, w.name AS worker
  FROM galley_jobs j JOIN galley_lanes l ON l.id = j.lane JOIN galley_queues q ON q.id = l.queue
  LEFT JOIN galley_running r ON r.id = j.id LEFT JOIN galley_workers w ON w.id = r.worker;
INSERT INTO galley_clock VALUES (1, 1, 0, 0, 0);
INSERT INTO galley_meta VALUES ('schema_version', '1');
)sql";

// What most jobs do not have stands in tables of its own, and galley_jobs.extras says which of them to look into.
// A program of version 1 may have the file open. It would not give up unique keys or count names; so the column with
// which each of its transactions begins has another name, and it stops there.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE galley_jobs ADD COLUMN expires_us INTEGER;
ALTER TABLE galley_jobs ADD COLUMN deadline_us INTEGER;
ALTER TABLE galley_jobs ADD COLUMN error_class TEXT;
ALTER TABLE galley_jobs ADD COLUMN batch INTEGER;
ALTER TABLE galley_jobs ADD COLUMN redacted INTEGER;
ALTER TABLE galley_attempts ADD COLUMN error_class TEXT;
ALTER TABLE galley_clock RENAME COLUMN next_id TO next_job;
ALTER TABLE galley_clock ADD COLUMN enqueued_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE galley_clock ADD COLUMN names INTEGER NOT NULL DEFAULT 0;
ALTER TABLE galley_clock ADD COLUMN config INTEGER NOT NULL DEFAULT 0;
UPDATE galley_clock SET enqueued_us = (SELECT coalesce(max(enqueued_us), 0) FROM galley_jobs);
ALTER TABLE galley_jobs ADD COLUMN due_us INTEGER;
CREATE INDEX galley_jobs_key ON galley_jobs (key) WHERE key IS NOT NULL;
CREATE INDEX galley_jobs_error_class ON galley_jobs (error_class) WHERE error_class IS NOT NULL;
CREATE INDEX galley_jobs_batch ON galley_jobs (batch) WHERE batch IS NOT NULL;
CREATE TABLE galley_tags (
  tag TEXT NOT NULL, job INTEGER NOT NULL,
  PRIMARY KEY (tag, job)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_unique (
  job INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  until TEXT NOT NULL,
  held INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX galley_unique_held ON galley_unique (kind, key) WHERE held = 1;
CREATE TABLE galley_expiring (
  at_us INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (at_us, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_groups (
  job INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  key TEXT NOT NULL,
  open INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  max_jobs INTEGER NOT NULL,
  max_bytes INTEGER NOT NULL,
  max_age_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX galley_groups_open ON galley_groups (lane, key) WHERE open = 1;
CREATE TABLE galley_members (
  job INTEGER NOT NULL, number INTEGER NOT NULL, payload BLOB NOT NULL,
  PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_batches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  token TEXT,
  opened_us INTEGER NOT NULL,
  sealed INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  present INTEGER NOT NULL DEFAULT 0,
  failed_us INTEGER,
  finished_us INTEGER
) STRICT;
CREATE UNIQUE INDEX galley_batches_token ON galley_batches (token) WHERE token IS NOT NULL;
CREATE INDEX galley_batches_empty ON galley_batches (finished_us) WHERE present = 0;
CREATE TABLE galley_callbacks (
  batch INTEGER NOT NULL, trigger TEXT NOT NULL, job INTEGER NOT NULL,
  PRIMARY KEY (batch, trigger, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX galley_callbacks_job ON galley_callbacks (job);
CREATE TABLE galley_schedules (
  name TEXT PRIMARY KEY,
  queue INTEGER NOT NULL,
  expression TEXT NOT NULL,
  zone TEXT NOT NULL,
  misfire TEXT NOT NULL,
  overlap TEXT NOT NULL,
  jitter_us INTEGER NOT NULL,
  spread_us INTEGER NOT NULL,
  job TEXT NOT NULL,
  payload BLOB NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  anchor_us INTEGER NOT NULL,
  next_us INTEGER,
  last_us INTEGER,
  last_job INTEGER,
  enqueued INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX galley_schedules_next ON galley_schedules (queue, next_us) WHERE next_us IS NOT NULL;
CREATE TABLE galley_minutes (
  minute INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  enqueued INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  wait BLOB,
  run BLOB,
  PRIMARY KEY (minute, lane)
) STRICT, WITHOUT ROWID;
ALTER TABLE galley_queues ADD COLUMN max_waiting INTEGER;
ALTER TABLE galley_queues ADD COLUMN waiting INTEGER;
ALTER TABLE galley_workers ADD COLUMN card TEXT NOT NULL DEFAULT '';
UPDATE galley_meta SET value = '2' WHERE name = 'schema_version';
)sql";

// Jobs with a key or limits stand in lanes of their own, which come and go; ids from 2^40 on, so that galley_ready
// holds both sorts of lanes. The ready jobs that have a key go there; nobody has a turn before another yet.
// A program of version 2 that has the file open knows nothing of them, and is stopped as one of version 1 is.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE galley_clock RENAME COLUMN config TO settings;
ALTER TABLE galley_jobs ADD COLUMN limits TEXT;
ALTER TABLE galley_jobs ADD COLUMN ordered INTEGER;
ALTER TABLE galley_jobs ADD COLUMN expect_us INTEGER;
ALTER TABLE galley_running ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE galley_lanes ADD COLUMN expect_us INTEGER;
ALTER TABLE galley_queues ADD COLUMN run_order TEXT;
CREATE TABLE galley_keys (
  id INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  key TEXT NOT NULL,
  limits TEXT NOT NULL,
  ordered INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  holder INTEGER NOT NULL DEFAULT 0,
  standing INTEGER,
  rank INTEGER,
  job INTEGER,
  under TEXT,
  idle_us INTEGER,
  full_limit INTEGER,
  full_until_us INTEGER,
  UNIQUE (lane, key, limits, ordered)
) STRICT;
CREATE INDEX galley_keys_idle ON galley_keys (idle_us) WHERE idle_us IS NOT NULL AND holder = 0;
CREATE INDEX galley_keys_full ON galley_keys (full_limit, key) WHERE full_limit IS NOT NULL;
CREATE INDEX galley_keys_until ON galley_keys (full_until_us) WHERE full_until_us IS NOT NULL;
CREATE TABLE galley_turns (
  lane INTEGER NOT NULL, under TEXT NOT NULL, standing INTEGER NOT NULL, rank INTEGER NOT NULL, job INTEGER NOT NULL,
  keyed INTEGER NOT NULL,
  PRIMARY KEY (lane, under, standing, rank, job)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_shares (lane INTEGER PRIMARY KEY, time INTEGER NOT NULL, plain INTEGER NOT NULL) STRICT;
CREATE TABLE galley_weights (
  queue INTEGER NOT NULL, key TEXT NOT NULL, weight INTEGER NOT NULL,
  PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_limits (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  queue TEXT NOT NULL,
  name TEXT NOT NULL,
  max_running INTEGER NOT NULL,
  rate INTEGER NOT NULL,
  period_us INTEGER NOT NULL,
  burst INTEGER NOT NULL,
  UNIQUE (scope, queue, name)
) STRICT;
CREATE TABLE galley_uses (
  limit_id INTEGER NOT NULL, key TEXT NOT NULL, running INTEGER NOT NULL, arrival_us INTEGER NOT NULL,
  PRIMARY KEY (limit_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX galley_uses_over ON galley_uses (arrival_us) WHERE running = 0;
CREATE TABLE galley_holds (
  job INTEGER NOT NULL, limit_id INTEGER NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (job, limit_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX galley_holds_limit ON galley_holds (limit_id, key);
INSERT INTO galley_keys (id, lane, key, limits, ordered, turn)
  SELECT 1099511627776 + row_number() OVER (ORDER BY lane, key), lane, key, '', 0, 0 FROM
    (SELECT DISTINCT j.lane, j.key FROM galley_ready r JOIN galley_jobs j ON j.id = r.id AND j.lane = r.lane
     WHERE j.key IS NOT NULL);
DELETE FROM galley_ready WHERE id IN (SELECT id FROM galley_jobs WHERE key IS NOT NULL);
INSERT INTO galley_ready (lane, rank, id)
  SELECT k.id, j.position, j.id FROM galley_jobs j JOIN galley_keys k ON k.lane = j.lane AND k.key = j.key
    WHERE j.state = 'ready' AND NOT EXISTS (SELECT 1 FROM galley_running r WHERE r.id = j.id)
  UNION ALL SELECT -j.lane, j.position, j.id FROM galley_jobs j WHERE j.state = 'ready' AND j.key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM galley_running r WHERE r.id = j.id);
UPDATE galley_keys SET (rank, job, standing, under) =
  (SELECT r.rank, r.id, -1000000000000 * j.priority, '' FROM galley_ready r JOIN galley_jobs j ON j.id = r.id
   WHERE r.lane = galley_keys.id ORDER BY r.rank, r.id LIMIT 1);
INSERT INTO galley_turns (lane, under, standing, rank, job, keyed)
  SELECT w.id, '', k.standing, k.rank, k.job, k.id FROM galley_keys k JOIN galley_lanes l ON l.id = k.lane
    JOIN galley_lanes w ON w.queue = l.queue AND CASE l.program WHEN '' THEN w.id = l.id
      ELSE w.kind = '' AND w.program IN (l.program, '') END;
UPDATE galley_meta SET value = '3' WHERE name = 'schema_version';
)sql";

// What a claim counts under stands in its own row, where it costs nothing to begin and to end it. A program of version
// 3 would not give it back, and is stopped as the others are.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE galley_clock RENAME COLUMN settings TO options;
ALTER TABLE galley_running RENAME COLUMN held TO noted;
ALTER TABLE galley_running ADD COLUMN holds TEXT;
UPDATE galley_running SET noted = (noted & 2) / 2, holds =
  (SELECT group_concat(limit_id, ',') FROM (SELECT limit_id FROM galley_holds WHERE job = galley_running.id
   ORDER BY key <> '', limit_id)) || coalesce((SELECT ':' || key FROM galley_holds WHERE job = galley_running.id
   AND key <> ''), '');
DROP TABLE galley_holds;
UPDATE galley_meta SET value = '4' WHERE name = 'schema_version';
)sql";

constexpr std::array kVersions{kVersion1, kVersion2, kVersion3, kVersion4};
static_assert(kVersions.size() == kSchemaVersion);

constexpr int kHeaderBytes = 100;  // of an SQLite file: https://sqlite.org/fileformat2.html, section 1.3

std::uint32_t big_endian(const unsigned char* at) {
  return (std::uint32_t{at[0]} << 24U) | (std::uint32_t{at[1]} << 16U) | (std::uint32_t{at[2]} << 8U) | at[3];
}

std::string errno_text() { return std::strerror(errno); }

[[noreturn]] void refuse(Errc code, const std::string& path, const std::string& why) {
  throw Refused{{code, path + ": " + why, Written::Nothing}};
}

/// The type of the file system that holds `status`' file, from /proc/self/mountinfo; empty where it is not listed.
std::string fs_type(const struct stat& status) {
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string device = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string id, parent, dev, word;
    fields >> id >> parent >> dev;
    if (dev != device) continue;
    while (fields >> word && word != "-") {
    }
    fields >> word;
    return word;
  }
  return {};
}

bool has_bytes(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

/// Reads the header through SQLite's own descriptor: opening the file once more and closing it again would drop the
/// locks that other connections of this process hold on it (https://sqlite.org/howtocorrupt.html, section 2.2).
void check_header(Database& db, const std::string& path) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db.raw(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  sqlite3_int64 size = 0;
  // Power that went while the file was made leaves half of it, and a journal by which SQLite puts it back first.
  if (has_bytes(db.file() + "-journal")) static_cast<void>(db.number("PRAGMA schema_version"));
  if (file == nullptr || file->pMethods == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK) {
    refuse(Errc::Io, path, "cannot be read");
  }
  if (size == 0) return;  // new
  std::array<unsigned char, kHeaderBytes> header{};
  if (size < static_cast<sqlite3_int64>(header.size()) ||
      file->pMethods->xRead(file, header.data(), kHeaderBytes, 0) != SQLITE_OK ||
      std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    refuse(Errc::NotAStore, path, "is not a Galley store (not an SQLite file); it was left as it is");
  }
  const unsigned stored = (unsigned{header[16]} << 8U) | header[17];
  const std::int64_t page = stored == 1 ? 65536 : stored;
  const std::int64_t pages = big_endian(&header[28]);
  if (!has_bytes(db.file() + "-wal") && big_endian(&header[24]) == big_endian(&header[92]) && size < page * pages) {
    refuse(Errc::NotAStore, path,
           "is truncated: it should have " + std::to_string(page * pages) + " bytes and has " + std::to_string(size) +
               "; restore a backup, or save what is readable with `sqlite3 FILE .recover`");
  }
}

int stored_version(Database& db, const std::string& path) {
  if (db.number("SELECT count(*) FROM sqlite_schema WHERE name = 'galley_meta'") == 0) return 0;
  const auto version =
      static_cast<int>(db.number("SELECT CAST(value AS INTEGER) FROM galley_meta WHERE name = 'schema_version'"));
  if (version < 1) refuse(Errc::NotAStore, path, "is damaged: it holds no schema version");
  if (version > kSchemaVersion) {
    refuse(Errc::NewerSchema, path,
           "was written by a newer Galley (schema " + std::to_string(version) + ", this program knows " +
               std::to_string(kSchemaVersion) + "); upgrade this program");
  }
  return version;
}

}  // namespace

bool is_network_fs(std::string_view type) noexcept {
  constexpr std::array<std::string_view, 18> kTypes{
      "nfs",       "nfs4",        "cifs",        "smb3",       "smbfs",          "ncpfs",
      "afs",       "9p",          "ceph",        "fuse.sshfs", "fuse.glusterfs", "fuse.ceph",
      "fuse.s3fs", "fuse.rclone", "fuse.davfs2", "lustre",     "gfs2",           "ocfs2"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

void prepare_file(const std::string& path, bool force_network_fs) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) refuse(Errc::Io, path, "cannot be opened: " + errno_text());
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
      const Errc code = errno == EROFS || errno == EACCES ? Errc::ReadOnly
                        : errno == ENOSPC                 ? Errc::DiskFull
                                                          : Errc::Io;
      refuse(code, path, "cannot be created: " + errno_text());
    }
    if (fd >= 0) close(fd);
    if (stat(path.c_str(), &status) != 0) refuse(Errc::Io, path, "cannot be opened: " + errno_text());
  }
  if (!S_ISREG(status.st_mode)) refuse(Errc::NotAStore, path, "is not a file");
  if (faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    refuse(Errc::ReadOnly, path, "cannot be read and written by this user: " + errno_text());
  }
  const std::string type = fs_type(status);
  if (!force_network_fs && is_network_fs(type)) {
    refuse(
        Errc::InvalidInput, path,
        "is on a network file system (" + type +
            "), where locks cannot be relied upon; use a local disk, or say ?force_network_fs=1 for a single process");
  }
}

void create_tables(Database& db) {
  for (const char* version : kVersions) db.execute(version);
}

std::string file_system_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? fs_type(status) : std::string();
}

void prepare_schema(Database& db, const std::string& path, bool adopt) {
  check_header(db, path);
  const auto version_of_ours = [&] {
    const int version = stored_version(db, path);
    if (version == 0 && db.number("SELECT count(*) FROM sqlite_schema") != 0) {
      if (!adopt) {
        refuse(Errc::NotAStore, path,
               "is an SQLite file of another program; it was left as it is (to keep jobs in it, say ?adopt=1)");
      }
      if (db.number("SELECT encoding = 'UTF-8' FROM pragma_encoding") == 0) {
        refuse(Errc::NotAStore, path, "is an SQLite file that keeps its texts as UTF-16; only UTF-8 can be adopted");
      }
    }
    return version;
  };
  db.execute("BEGIN");  // one snapshot, or tables that another process creates meanwhile would look foreign
  const int version = version_of_ours();
  db.execute("COMMIT");
  const bool in_wal = db.number("SELECT journal_mode = 'wal' FROM pragma_journal_mode") != 0;
  if (version == kSchemaVersion && in_wal) return;  // without a write: a full disk must not stop a reader
  db.execute_patiently("PRAGMA journal_mode = WAL");
  db.execute("BEGIN IMMEDIATE");
  try {
    // Again, because another process may have been quicker.
    for (int from = version_of_ours(); from < kSchemaVersion; ++from) {
      db.execute(kVersions[static_cast<std::size_t>(from)]);
    }
    db.execute("COMMIT");
  } catch (...) {
    if (db.in_transaction()) db.execute("ROLLBACK");
    throw;
  }
}

}  // namespace galley::store::sqlite
