// Makes the Nth call of a kind fail, for N = 1, 2, ... until a workload needs fewer calls: files
// (an error, a full disk), SQLite's own calls, allocations of C++ and of SQLite. What fails must
// fail with a clean error, leave the store sound with all that was acknowledged, and work when it
// is tried again. Each is done on a new store, on one that is in use, and on one that a killed
// writer left. And on a disk that is really full, and a folder that really is read-only.

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "crash_vfs.hpp"
#include "crash_workload.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::Session;
using mlrt::test::crash_require;
using mlrt::test::CrashFailure;
using mlrt::test::CrashLedger;
using mlrt::test::CrashMix;
using mlrt::test::CrashOptions;
using mlrt::test::CrashTally;
using mlrt::test::CrashWriter;
using mlrt::test::TempDir;
using mlrt::test::VfsCall;

constexpr std::int64_t kFaultLoopsCi = 40;  // of each kind and store
constexpr unsigned kFaultSeconds = 120;
constexpr int kFaultActions = 40;
constexpr std::uint64_t kFaultSeed = 77;

enum class FaultKind { kFile, kDisk, kDatabase, kMemory, kSqliteMemory };

struct FaultPart {
  const char* name;
  FaultKind kind;
  std::int64_t length;  // how many calls fail, from the Nth on
};

const FaultPart kFaultParts[] = {
    {"one file error", FaultKind::kFile, 1},
    {"files that fail", FaultKind::kFile, 1000000000},
    {"a full disk", FaultKind::kDisk, 1000000000},
    {"one database error", FaultKind::kDatabase, 1},
    {"a database that fails", FaultKind::kDatabase, 1000000000},
    {"one allocation", FaultKind::kMemory, 1},
    {"several allocations", FaultKind::kMemory, 12},
    {"one allocation of SQLite", FaultKind::kSqliteMemory, 1},
    {"allocations of SQLite", FaultKind::kSqliteMemory, 1000000000},
};

// The fault that is set; nothing fails while `armed` is not.
struct FaultState {
  std::atomic<bool> armed{false};
  FaultKind kind = FaultKind::kFile;
  std::int64_t first = 0, length = 0;
  std::atomic<std::int64_t> calls{0};
  std::atomic<std::int64_t> fired{0};
};
FaultState g_fault;

bool fault_hits(FaultKind kind) {
  if (!g_fault.armed.load(std::memory_order_acquire) || kind != g_fault.kind) return false;
  const std::int64_t number = ++g_fault.calls;
  if (number < g_fault.first || number - g_fault.first >= g_fault.length) return false;
  ++g_fault.fired;
  return true;
}

void arm_fault(const FaultPart& part, std::int64_t first) {
  g_fault.kind = part.kind;
  g_fault.first = first;
  g_fault.length = part.length;
  g_fault.calls = 0;
  g_fault.fired = 0;
  g_fault.armed.store(true, std::memory_order_release);
}

// The test's own work, which does not fail.
class FaultPause {
 public:
  FaultPause() : was_armed_(g_fault.armed.exchange(false)) {}
  ~FaultPause() { g_fault.armed = was_armed_; }
  FaultPause(const FaultPause&) = delete;
  FaultPause& operator=(const FaultPause&) = delete;

 private:
  bool was_armed_;
};

bool refuse_sqlite_memory() { return fault_hits(FaultKind::kSqliteMemory); }

int file_fault(mlrt::fs::Op op, const std::string&) {
  using mlrt::fs::Op;
  if (g_fault.kind == FaultKind::kDisk) {
    const bool takes_space = op == Op::kWrite || op == Op::kAllocate || op == Op::kMakeFolder;
    return takes_space && fault_hits(FaultKind::kDisk) ? ENOSPC : 0;
  }
  return fault_hits(FaultKind::kFile) ? EIO : 0;
}

class FaultVfs : public mlrt::test::VfsObserver {
 public:
  int before(VfsCall call, const char*) override {
    if (g_fault.kind == FaultKind::kDisk) {
      return call == VfsCall::kWrite && fault_hits(FaultKind::kDisk)
                 ? mlrt::test::sqlite_full_error()
                 : 0;
    }
    return fault_hits(FaultKind::kDatabase) ? mlrt::test::sqlite_io_error() : 0;
  }
  void synced(const char*, bool, const std::function<std::string()>&) override {}
};

// Where the loops of a part begin.
struct FaultBase {
  const char* name;
  std::string folder;
  std::optional<CrashLedger> ledger;  // of what is in it
};

// Whether an error is one that a user can be shown.
void require_clean_error(const std::exception& thrown) {
  const auto* error = dynamic_cast<const Error*>(&thrown);
  if (error == nullptr) {
    crash_require(dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr,
                  std::string("something else than an Error was thrown: ") + thrown.what());
    return;
  }
  const ErrorCode code = error->code();
  const bool clean = code == ErrorCode::kIo || code == ErrorCode::kUnavailable ||
                     code == ErrorCode::kPermissionDenied || code == ErrorCode::kDataCorrupt;
  crash_require(clean && !error->message().empty(),
                std::string("an error of code ") + mlrt::error_info(code).name + ": " +
                    error->message() + " (" + error->detail() + ")");
}

struct FaultCounts {
  std::int64_t loops = 0, errors = 0, silent = 0;
};

// One loop: the workload with the fault set, then without it.
class FaultLoop {
 public:
  FaultLoop(const FaultPart& part, const FaultBase& base, const std::string& folder)
      : part_(part), base_(base), store_(folder + "/mlrt.db"), ledger_(kFaultSeed, 1, mix(), "") {}

  static CrashMix mix() {
    CrashMix mix;
    mix.burst = 60;
    return mix;
  }

  // False if nothing failed: the workload makes fewer calls than that.
  bool run(std::int64_t first, FaultCounts& counts) {
    arm_fault(part_, first);
    bool whole = false;
    try {
      whole = log_with_fault();
    } catch (const CrashFailure&) {
      g_fault.armed = false;
      throw;
    }
    g_fault.armed = false;
    const std::int64_t fired = g_fault.fired;
    ++counts.loops;
    if (!whole) ++counts.errors;
    if (whole && fired > 0) ++counts.silent;
    crash_require(whole || fired > 0, "it failed without a fault");
    require_intact("after the fault");
    require_works();
    return fired > 0;
  }

 private:
  bool log_with_fault() {
    try {
      Session session(store_);
      CrashWriter writer(session, 1, "");
      for (int i = 0; i < kFaultActions; ++i) {
        try {
          perform(session, writer);
        } catch (const std::exception& error) {
          {
            FaultPause pause;
            require_clean_error(error);
            ledger_.acknowledge_part(writer.burst_done());
            ledger_.set_refused(true);
            last_ = error.what();
          }
          if (part_.length > 1000) return false;
          // What fails once works when it is tried again.
          for (int again = 0;; ++again) {
            try {
              perform(session, writer);
              break;
            } catch (const std::exception& second) {
              FaultPause pause;
              require_clean_error(second);
              ledger_.acknowledge_part(writer.burst_done());
              crash_require(again < part_.length,
                            "an action that failed fails for ever: " + std::string(second.what()));
            }
          }
        }
      }
      return last_.empty();
    } catch (const CrashFailure&) {
      throw;
    } catch (const std::exception& error) {
      FaultPause pause;
      require_clean_error(error);
      last_ = error.what();
      return false;
    }
  }

  void perform(Session& session, CrashWriter& writer) {
    const std::string id = writer.perform(ledger_.pending());
    {
      FaultPause pause;
      ledger_.acknowledge(id);
    }
    if (ledger_.acknowledged() % 8 == 0) session.tracking().list_runs({}, 10);
  }

  void require_intact(const std::string& when) {
    try {
      Session session(store_);
      ledger_.check(session);
      if (base_.ledger) base_.ledger->check(session);
    } catch (const std::exception& error) {
      throw CrashFailure(when + " (" + last_ + "): " + error.what());
    }
    mlrt::test::require_clean_close(store_);
    const std::string found = mlrt::test::check_store_integrity(store_);
    crash_require(found == "ok", when + ": integrity_check: " + found);
    const mlrt::test::StoredCounts stored = mlrt::test::read_stored_counts(store_);
    Session session(store_);
    ledger_.check_stored(session, stored);
    if (base_.ledger) base_.ledger->check_stored(session, stored);
  }

  void require_works() {
    CrashLedger after(kFaultSeed + 1, 2, mix(), "");
    {
      Session session(store_);
      CrashWriter writer(session, 2, "");
      for (int i = 0; i < 12; ++i) after.acknowledge(writer.perform(after.pending()));
    }
    Session session(store_);
    after.check(session);
  }

  const FaultPart& part_;
  const FaultBase& base_;
  std::string store_;
  CrashLedger ledger_;
  std::string last_;
};

std::vector<FaultBase> make_fault_bases(const TempDir& dir) {
  std::vector<FaultBase> bases;
  for (const char* name : {"a new store", "a store in use", "a store that was left"}) {
    bases.push_back({name, dir.path(std::to_string(bases.size())), {}});
    mlrt::fs::make_folders(bases.back().folder);
    const std::string store = bases.back().folder + "/mlrt.db";
    if (bases.size() == 1) continue;
    bases.back().ledger = mlrt::test::leave_behind(store, kFaultSeed + 5, 9, 60);
    if (bases.size() == 2) bases.back().ledger->check(Session(store));
  }
  return bases;
}

void run_fault_part(const FaultPart& part, const FaultBase& base, const CrashOptions& options,
                    CrashTally& tally) {
  const std::string name = std::string(part.name) + ", " + base.name;
  if (name.find(options.only) == std::string::npos) return;
  FaultCounts counts;
  // How many calls the whole workload makes.
  {
    TempDir dir;
    mlrt::test::crash_copy_tree(base.folder, dir.path("store"));
    tally.run(name, 0, "", kFaultSeconds,
              [&] { FaultLoop(part, base, dir.path("store")).run(1000000000, counts); });
  }
  const std::int64_t calls = g_fault.calls;
  const std::int64_t wanted = options.count > 0 ? options.count : kFaultLoopsCi;
  const std::int64_t step = options.is_long ? 1 : std::max<std::int64_t>(1, calls / wanted);
  // The numbers of background threads differ from one time to the next: a little further.
  for (std::int64_t n = options.from; n <= calls + calls / 8; n += step) {
    TempDir dir;
    mlrt::test::crash_copy_tree(base.folder, dir.path("store"));
    tally.run(name, n, dir.path(), kFaultSeconds,
              [&] { FaultLoop(part, base, dir.path("store")).run(n, counts); });
    if (tally.is_hopeless()) return;
  }
  tally.report(name + ": " + std::to_string(counts.loops) + " loops over " + std::to_string(calls) +
               " calls, " + std::to_string(counts.errors) + " with an error, " +
               std::to_string(counts.silent) + " that nobody noticed");
}

// ---- a disk that is full

// What an action throws, with when it did.
void at_stage(const char* stage, const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    throw CrashFailure(std::string(stage) + ": " + error.what());
  }
}

// What is in the database can be read; what still stands in a journal waits for room.
void read_on(const Session& session) {
  for (const mlrt::RunRecord& run : session.tracking().list_runs({}, 1000)) {
    session.tracking().run(run.run_id);
    session.tracking().metric_history(run.run_id, "loss");
  }
}

void run_full_disk(const std::string& folder) {
  const std::string store = folder + "/mlrt.db", ballast = folder + "/ballast";
  CrashLedger ledger(kFaultSeed, 1, FaultLoop::mix(), "");
  std::string message;
  {
    Session session(store);
    CrashWriter writer(session, 1, "");
    for (int i = 0; i < 10; ++i) ledger.acknowledge(writer.perform(ledger.pending()));
    // Leaves a little, so that it is full in the midst of the work.
    const std::uint64_t left = mlrt::fs::disk_space(folder).available;
    mlrt::fs::write_file(ballast, std::string(static_cast<std::size_t>(left - left / 8), 'x'));
    try {
      for (int i = 0; i < 100000; ++i) ledger.acknowledge(writer.perform(ledger.pending()));
      throw CrashFailure("a disk of some megabytes is never full");
    } catch (const Error& error) {
      require_clean_error(error);
      message = error.message();
      ledger.acknowledge_part(writer.burst_done());
      ledger.set_refused(true);
    }
    at_stage("read while the disk is full", [&] { read_on(session); });
  }
  at_stage("opened while the disk is full", [&] { read_on(Session(store)); });
  mlrt::fs::remove_file(ballast);
  {
    Session session(store);
    CrashWriter writer(session, 1, "");
    ledger.check(session);
    CrashLedger after(kFaultSeed + 1, 2, FaultLoop::mix(), "");
    CrashWriter other(session, 2, "");
    for (int i = 0; i < 20; ++i) after.acknowledge(other.perform(after.pending()));
    after.check(session);
  }
  mlrt::test::require_clean_close(store);
  crash_require(mlrt::test::check_store_integrity(store) == "ok", "the full disk broke the store");
  crash_require(message.find("full") != std::string::npos ||
                    message.find("no space left") != std::string::npos,
                "the message does not say that the disk is full: " + message);
}

// In a process of its own, whose mounts nobody else sees: what a child says by its exit code.
std::string run_alone(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      action();
    } catch (const std::exception& error) {
      std::printf("%s\n", error.what());
      std::fflush(stdout);
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "a signal ended it: " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "it failed (see above)";
}

bool can_mount() {
  return geteuid() == 0 &&
         run_alone([] {
           crash_require(unshare(CLONE_NEWNS) == 0, "");
           crash_require(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "");
         }).empty();
}

void run_mounted(const std::string& size, const std::function<void(const std::string&)>& action) {
  TempDir dir;
  const std::string problem = run_alone([&] {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", dir.path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) {
      throw CrashFailure(std::string("cannot mount: ") + std::strerror(errno));
    }
    action(dir.path());
  });
  crash_require(problem.empty(), problem);
}

// ---- a folder that can only be read

// What can be read is read, or it is said why it cannot; nothing can be written. What stands in a
// journal stays there, for nobody can bring it in.
void read_in_read_only_folder(const std::string& store, const CrashLedger& ledger, bool must_read) {
  try {
    Session session(store);
    read_on(session);
    if (must_read) ledger.check(session);
    try {
      session.start_run("refused");
      throw CrashFailure("a run was started in a store that cannot be written to");
    } catch (const Error& error) {
      crash_require(error.code() == ErrorCode::kPermissionDenied, error.message());
    }
  } catch (const Error& error) {
    crash_require(!must_read, "it cannot be read: " + error.message());
    crash_require(error.code() == ErrorCode::kPermissionDenied, error.message());
  }
}

void run_read_only(const FaultBase& base) {
  TempDir dir;
  const std::string folder = dir.path("store");
  mlrt::test::crash_copy_tree(base.folder, folder);
  if (geteuid() == 0) {
    run_mounted("16m", [&](const std::string& mounted) {
      mlrt::test::crash_copy_tree(folder, mounted + "/store");
      crash_require(mount("none", mounted.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0,
                    "cannot mount it read-only");
      const bool clean = std::strcmp(base.name, "a store in use") == 0;
      read_in_read_only_folder(mounted + "/store/mlrt.db", *base.ledger, clean);
    });
  }
  const std::string problem = run_alone([&] {
    chmod(folder.c_str(), 0555);
    // Root may do anything.
    if (geteuid() == 0) crash_require(setgid(65534) == 0 && setuid(65534) == 0, "cannot be nobody");
    const bool clean = std::strcmp(base.name, "a store in use") == 0;
    read_in_read_only_folder(folder + "/mlrt.db", *base.ledger, clean);
  });
  chmod(folder.c_str(), 0755);
  crash_require(problem.empty(), problem);
  base.ledger->check(Session(folder + "/mlrt.db"));
  mlrt::test::require_clean_close(folder + "/mlrt.db");
}

int run_fault_test(const CrashOptions& options) {
  CrashTally tally(options);
  mlrt::set_log(mlrt::LogLevel::kOff, mlrt::LogFormat::kText);
  mlrt::test::observe_sqlite_memory(&refuse_sqlite_memory);
  FaultVfs vfs;
  mlrt::test::observe_vfs(&vfs);
  mlrt::fs::set_fault_hook(&file_fault);
  TempDir dir;
  const std::vector<FaultBase> bases = make_fault_bases(dir);
  const std::int64_t start = mlrt::monotonic_ms();
  for (const FaultPart& part : kFaultParts) {
    for (const FaultBase& base : bases) run_fault_part(part, base, options, tally);
  }
  const std::string full = "a disk that is really full";
  if (full.find(options.only) != std::string::npos) {
    if (can_mount()) {
      for (const char* size : {"1m", "2m", "5m", "20m"})
        tally.run(full, 1, "", kFaultSeconds, [&] { run_mounted(size, run_full_disk); });
      tally.report(full + ": 4 sizes");
    } else {
      tally.skip(full, "file systems cannot be mounted here");
    }
  }
  const std::string read_only = "a folder that is read-only";
  if (read_only.find(options.only) != std::string::npos) {
    for (std::size_t i = 1; i < bases.size(); ++i)
      tally.run(read_only, 1, "", kFaultSeconds, [&] { run_read_only(bases[i]); });
    tally.report(read_only + ": 2 stores");
  }
  std::printf("%lld s\n", static_cast<long long>((mlrt::monotonic_ms() - start) / 1000));
  return tally.finish();
}

}  // namespace

void* operator new(std::size_t size) {
  if (!fault_hits(FaultKind::kMemory)) {
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  }
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return fault_hits(FaultKind::kMemory) ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return operator new(size, nothrow);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

int main(int argc, char** argv) {
  return run_fault_test(mlrt::test::parse_crash_options(argc, argv));
}
