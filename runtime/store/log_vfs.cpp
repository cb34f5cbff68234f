#include "store/log_vfs.hpp"

#include <sqlite3.h>

#include <cstring>

namespace mlrt {

// SQLite allocates szOsFile bytes: this, then the file of the VFS below.
struct LogFile {
  sqlite3_file base;
  char* buffer;  // what is gathered and not written yet; null until there is something
  int used;
  bool gathers;
  bool is_last;              // the frame whose header came last ends its transaction
  sqlite3_int64 next;        // where the last write ended
  sqlite3_int64 written_to;  // where the buffer begins
};

namespace {

// A frame of the log is a header of this size and a page. No other write is as small: the log's own
// header is larger, and headers that SQLite changes afterwards are not written one after another.
constexpr int kLogFrameHeaderBytes = 24;
// Byte 4 on of the header: the pages of the database after a commit; 0 in other frames.
constexpr int kLogCommitOffset = 4;
constexpr int kLogBufferBytes = 128 << 10;
constexpr sqlite3_int64 kLogNowhere = -1;

sqlite3_vfs* log_vfs_base = nullptr;

LogFile* log_file(sqlite3_file* file) { return reinterpret_cast<LogFile*>(file); }
sqlite3_file* log_real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(log_file(file) + 1);
}

int log_flush(sqlite3_file* file) {
  LogFile* log = log_file(file);
  if (log->used == 0) return SQLITE_OK;
  const int size = log->used;
  log->used = 0;  // also when it fails: SQLite takes the transaction back then
  sqlite3_file* real = log_real(file);
  const int code = real->pMethods->xWrite(real, log->buffer, size, log->written_to);
  if (code != SQLITE_OK) log->next = kLogNowhere;
  return code;
}

// Before anything but a write: all is written, and the next write follows none.
int log_settle(sqlite3_file* file) {
  const int code = log_flush(file);
  log_file(file)->next = kLogNowhere;
  return code;
}

int log_close(sqlite3_file* file) {
  sqlite3_free(log_file(file)->buffer);
  sqlite3_file* real = log_real(file);
  return real->pMethods->xClose(real);
}

int log_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  if (const int code = log_settle(file)) return code;
  sqlite3_file* real = log_real(file);
  return real->pMethods->xRead(real, out, size, offset);
}

int log_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  LogFile* log = log_file(file);
  const bool is_header = size == kLogFrameHeaderBytes;
  const bool follows = log->gathers && offset == log->next;
  if (follows && log->buffer == nullptr && is_header)
    log->buffer = static_cast<char*>(sqlite3_malloc(kLogBufferBytes));
  if (follows && (log->used > 0 || is_header) && log->buffer != nullptr &&
      size <= kLogBufferBytes - log->used) {
    if (log->used == 0) log->written_to = offset;
    std::memcpy(log->buffer + log->used, bytes, static_cast<std::size_t>(size));
    log->used += size;
    log->next += size;
    if (is_header) {
      log->is_last =
          std::memcmp(static_cast<const char*>(bytes) + kLogCommitOffset, "\0\0\0\0", 4) != 0;
      return SQLITE_OK;
    }
    return log->is_last ? log_flush(file) : SQLITE_OK;
  }
  if (const int code = log_flush(file)) return code;
  log->next = offset + size;
  sqlite3_file* real = log_real(file);
  return real->pMethods->xWrite(real, bytes, size, offset);
}

int log_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = log_settle(file)) return code;
  sqlite3_file* real = log_real(file);
  return real->pMethods->xTruncate(real, size);
}

int log_sync(sqlite3_file* file, int flags) {
  if (const int code = log_settle(file)) return code;
  sqlite3_file* real = log_real(file);
  return real->pMethods->xSync(real, flags);
}

int log_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = log_settle(file)) return code;
  sqlite3_file* real = log_real(file);
  return real->pMethods->xFileSize(real, size);
}

int log_lock(sqlite3_file* file, int level) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xLock(real, level);
}

int log_unlock(sqlite3_file* file, int level) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xUnlock(real, level);
}

int log_check_reserved(sqlite3_file* file, int* out) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xCheckReservedLock(real, out);
}

int log_control(sqlite3_file* file, int operation, void* argument) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xFileControl(real, operation, argument);
}

int log_sector_size(sqlite3_file* file) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xSectorSize(real);
}

int log_characteristics(sqlite3_file* file) {
  sqlite3_file* real = log_real(file);
  return real->pMethods->xDeviceCharacteristics(real);
}

// Version 1: a log is not mapped, and what is shared of it belongs to the database's file.
const sqlite3_io_methods kLogMethods = {1,
                                        log_close,
                                        log_read,
                                        log_write,
                                        log_truncate,
                                        log_sync,
                                        log_size,
                                        log_lock,
                                        log_unlock,
                                        log_check_reserved,
                                        log_control,
                                        log_sector_size,
                                        log_characteristics,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr};

int log_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_WAL) == 0)
    return log_vfs_base->xOpen(log_vfs_base, name, file, flags, out_flags);
  file->pMethods = nullptr;
  sqlite3_file* real = log_real(file);
  const int code = log_vfs_base->xOpen(log_vfs_base, name, real, flags, out_flags);
  if (code != SQLITE_OK) {
    if (real->pMethods != nullptr) real->pMethods->xClose(real);
    return code;
  }
  LogFile* log = log_file(file);
  log->buffer = nullptr;
  log->used = 0;
  log->gathers = false;
  log->next = kLogNowhere;
  file->pMethods = &kLogMethods;
  return SQLITE_OK;
}

const char* log_make_vfs() {
  if (sqlite3_initialize() != SQLITE_OK) return nullptr;
  log_vfs_base = sqlite3_vfs_find(nullptr);
  if (log_vfs_base == nullptr) return nullptr;
  static sqlite3_vfs vfs = *log_vfs_base;
  vfs.zName = "mlrt-log";
  vfs.pNext = nullptr;
  vfs.szOsFile = log_vfs_base->szOsFile + static_cast<int>(sizeof(LogFile));
  vfs.xOpen = log_open;
  return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : nullptr;
}

}  // namespace

const char* log_vfs() {
  static const char* const name = log_make_vfs();
  return name;
}

LogGathering::LogGathering(sqlite3* connection) : log_(nullptr) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK)
    return;
  if (file == nullptr || file->pMethods != &kLogMethods) return;
  log_ = log_file(file);
  log_->gathers = true;
}

LogGathering::~LogGathering() {
  if (log_ == nullptr) return;
  log_->gathers = false;
  if (log_->used == 0) return;
  log_->used = 0;  // the COMMIT failed
  log_->next = kLogNowhere;
}

}  // namespace mlrt
