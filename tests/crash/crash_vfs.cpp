#include "crash_vfs.hpp"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>

namespace mlrt {
namespace test {
namespace {

VfsObserver* g_vfs_observer = nullptr;
sqlite3_vfs* g_vfs_base = nullptr;

// SQLite allocates szOsFile bytes: this, then the system's own file.
struct CrashVfsFile {
  sqlite3_file base;
  char* path;
  bool is_named_on_sync;  // its first sync makes its name last too
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

CrashVfsFile* vfs_file(sqlite3_file* file) { return reinterpret_cast<CrashVfsFile*>(file); }

int vfs_before(VfsCall call, sqlite3_file* file) {
  return g_vfs_observer->before(call, vfs_file(file)->path);
}

int vfs_close(sqlite3_file* file) {
  sqlite3_file* real = vfs_file(file)->real();
  const int code = real->pMethods != nullptr ? real->pMethods->xClose(real) : SQLITE_OK;
  std::free(vfs_file(file)->path);
  vfs_file(file)->path = nullptr;
  return code;
}

int vfs_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  if (const int code = vfs_before(VfsCall::kRead, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xRead(real, out, size, offset);
}

int vfs_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (const int code = vfs_before(VfsCall::kWrite, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xWrite(real, bytes, size, offset);
}

int vfs_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = vfs_before(VfsCall::kTruncate, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xTruncate(real, size);
}

int vfs_sync(sqlite3_file* file, int flags) {
  if (const int code = vfs_before(VfsCall::kSync, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  const int code = real->pMethods->xSync(real, flags);
  if (code != SQLITE_OK) return code;
  g_vfs_observer->synced(vfs_file(file)->path, vfs_file(file)->is_named_on_sync, [real] {
    sqlite3_int64 size = 0;
    std::string bytes;
    if (real->pMethods->xFileSize(real, &size) != SQLITE_OK) return bytes;
    bytes.resize(static_cast<std::size_t>(size));
    // Through SQLite's own descriptor: closing another one would drop its locks.
    if (size > 0) real->pMethods->xRead(real, &bytes[0], static_cast<int>(size), 0);
    return bytes;
  });
  vfs_file(file)->is_named_on_sync = false;
  return SQLITE_OK;
}

int vfs_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = vfs_before(VfsCall::kSize, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xFileSize(real, size);
}

int vfs_lock(sqlite3_file* file, int level) {
  if (const int code = vfs_before(VfsCall::kLock, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xLock(real, level);
}

int vfs_unlock(sqlite3_file* file, int level) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xUnlock(real, level);
}

int vfs_check_reserved(sqlite3_file* file, int* out) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xCheckReservedLock(real, out);
}

int vfs_control(sqlite3_file* file, int operation, void* argument) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xFileControl(real, operation, argument);
}

int vfs_sector_size(sqlite3_file* file) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xSectorSize(real);
}

int vfs_characteristics(sqlite3_file* file) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xDeviceCharacteristics(real);
}

int vfs_shared_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (const int code = vfs_before(VfsCall::kShared, file)) return code;
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xShmMap(real, page, size, extend, out);
}

int vfs_shared_lock(sqlite3_file* file, int offset, int count, int flags) {
  // Giving a lock back cannot fail.
  if ((flags & SQLITE_SHM_LOCK) != 0) {
    if (const int code = vfs_before(VfsCall::kShared, file)) return code;
  }
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xShmLock(real, offset, count, flags);
}

void vfs_shared_barrier(sqlite3_file* file) {
  sqlite3_file* real = vfs_file(file)->real();
  real->pMethods->xShmBarrier(real);
}

int vfs_shared_unmap(sqlite3_file* file, int remove) {
  sqlite3_file* real = vfs_file(file)->real();
  return real->pMethods->xShmUnmap(real, remove);
}

// Version 2: without the calls that would map the database into memory, past this.
const sqlite3_io_methods kCrashVfsMethods = {
    2,
    vfs_close,
    vfs_read,
    vfs_write,
    vfs_truncate,
    vfs_sync,
    vfs_size,
    vfs_lock,
    vfs_unlock,
    vfs_check_reserved,
    vfs_control,
    vfs_sector_size,
    vfs_characteristics,
    vfs_shared_map,
    vfs_shared_lock,
    vfs_shared_barrier,
    vfs_shared_unmap,
    nullptr,
    nullptr,
};

int vfs_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const char* path = name == nullptr ? "" : name;
  if (const int code = g_vfs_observer->before(VfsCall::kOpen, path)) return code;
  CrashVfsFile* own = vfs_file(file);
  const int code = g_vfs_base->xOpen(g_vfs_base, name, own->real(), flags, out_flags);
  if (code != SQLITE_OK) {
    if (own->real()->pMethods != nullptr) own->real()->pMethods->xClose(own->real());
    return code;
  }
  own->path = ::strdup(path);
  // As SQLite's VFS for Unix does it.
  own->is_named_on_sync =
      (flags & SQLITE_OPEN_CREATE) != 0 &&
      (flags & (SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  file->pMethods = &kCrashVfsMethods;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs*, const char* name, int with_folder) {
  if (const int code = g_vfs_observer->before(VfsCall::kDelete, name)) return code;
  const int code = g_vfs_base->xDelete(g_vfs_base, name, with_folder);
  if (code == SQLITE_OK && with_folder != 0) g_vfs_observer->synced(name, true, nullptr);
  return code;
}

bool (*g_sqlite_refuse)() = nullptr;
sqlite3_mem_methods g_sqlite_memory;

void* sqlite_allocate(int size) {
  return g_sqlite_refuse() ? nullptr : g_sqlite_memory.xMalloc(size);
}
void* sqlite_reallocate(void* old, int size) {
  return g_sqlite_refuse() ? nullptr : g_sqlite_memory.xRealloc(old, size);
}

}  // namespace

void observe_vfs(VfsObserver* observer) {
  g_vfs_observer = observer;
  if (g_vfs_base != nullptr) return;
  sqlite3_initialize();
  g_vfs_base = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *g_vfs_base;
  vfs.zName = "crash";
  vfs.pNext = nullptr;
  vfs.szOsFile = g_vfs_base->szOsFile + static_cast<int>(sizeof(CrashVfsFile));
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  sqlite3_vfs_register(&vfs, 1);
}

void observe_sqlite_memory(bool (*refuse)()) {
  g_sqlite_refuse = refuse;
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &g_sqlite_memory);
  sqlite3_mem_methods watched = g_sqlite_memory;
  watched.xMalloc = sqlite_allocate;
  watched.xRealloc = sqlite_reallocate;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &watched);
}

int sqlite_io_error() { return SQLITE_IOERR; }
int sqlite_full_error() { return SQLITE_FULL; }

}  // namespace test
}  // namespace mlrt
