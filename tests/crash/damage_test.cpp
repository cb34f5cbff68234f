// Damages what a killed writer left: cuts files short, flips bits, overwrites, removes. Whoever
// opens it then must not crash, hang or show what nobody logged; what can be read is there, and of
// what cannot it is said so. Each store is opened in a process of its own.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "crash_workload.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::Session;
using mlrt::test::crash_require;
using mlrt::test::CrashFailure;
using mlrt::test::CrashLedger;
using mlrt::test::CrashOptions;
using mlrt::test::CrashRandom;
using mlrt::test::CrashTally;
using mlrt::test::TempDir;

constexpr std::int64_t kDamageCountCi = 400;
constexpr std::int64_t kDamageCountLong = 10000;
constexpr unsigned kDamageSeconds = 60;
constexpr std::uint64_t kDamageSeed = 5;

struct DamageCounts {
  std::int64_t whole = 0, refused = 0, less = 0;
};

// ---- in the child

// Every value must be one that was logged, value and step the same number; unless the database
// itself was damaged, which has no checksums.
void read_everything(Session& session, bool is_checked) {
  for (const mlrt::RunRecord& listed : session.tracking().list_runs({}, 100000)) {
    const mlrt::RunRecord run = session.tracking().run(listed.run_id);
    for (const mlrt::Metric& latest : run.metrics) {
      for (const mlrt::Metric& metric : session.tracking().metric_history(run.run_id, latest.key)) {
        if (is_checked && metric.value != static_cast<double>(metric.step))
          throw CrashFailure("a value that nobody logged");
      }
    }
    for (const mlrt::ArtifactInfo& file : session.artifacts().list(run.run_id, "", true)) {
      if (file.is_folder) throw CrashFailure("a folder in a list of files");
    }
  }
}

// Exit codes: 0 all is there, 10 less than was logged, 11 an error that says what is wrong.
int look_at_damaged(const std::string& store, const std::vector<CrashLedger>& ledgers,
                    bool is_checked) {
  try {
    Session session(store);
    read_everything(session, is_checked);
    bool whole = true;
    try {
      for (const CrashLedger& ledger : ledgers) ledger.check(session);
    } catch (const CrashFailure& less) {
      whole = false;
      std::printf("%s\n", less.what());
    } catch (const Error& less) {
      if (less.code() != ErrorCode::kNotFound) throw;
      whole = false;
      std::printf("%s\n", less.what());
    }
    // It can be logged to.
    mlrt::Run run = session.start_run("after the damage");
    run.log_metric("loss", 1, 1);
    run.end();
    if (session.tracking().metric_history(run.id(), "loss").size() != 1)
      throw CrashFailure("a metric that was logged after the damage is not there");
    return whole ? 0 : 10;
  } catch (const Error& error) {
    std::printf("%s: %s (%s)\n", mlrt::error_info(error.code()).name, error.message().c_str(),
                error.detail().c_str());
    // A word of the database that was changed may look like one that a user wrote, or break a rule
    // that our own statements keep.
    const bool said = error.code() == ErrorCode::kDataCorrupt || error.code() == ErrorCode::kIo;
    return (said || !is_checked) && !error.message().empty() ? 11 : 12;
  } catch (const CrashFailure& failure) {
    std::printf("%s\n", failure.what());
    return 13;
  }
}

// What `action` returned in a process of its own, and all that it wrote.
int run_damage_child(const std::function<int()>& action, std::string& output) {
  std::fflush(stdout);
  FILE* file = std::tmpfile();
  crash_require(file != nullptr, "no temporary file");
  const pid_t child = fork();
  if (child == 0) {
    ::dup2(fileno(file), STDOUT_FILENO);
    ::dup2(fileno(file), STDERR_FILENO);
    alarm(kDamageSeconds / 2);
    const int code = action();
    std::fflush(stdout);
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::rewind(file);
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof(buffer), file)) > 0;)
    output.append(buffer, got);
  std::fclose(file);
  if (WIFSIGNALED(status)) {
    throw CrashFailure("signal " + std::to_string(WTERMSIG(status)) +
                       " ended the reader: " + output);
  }
  return WEXITSTATUS(status);
}

// ---- the damage

void write_in_place(const std::string& path, const std::string& content) {
  FILE* file = std::fopen(path.c_str(), "wb");
  crash_require(file != nullptr, "cannot write " + path);
  std::fwrite(content.data(), 1, content.size(), file);
  std::fclose(file);
}

std::string damage(const std::string& path, CrashRandom& random) {
  std::string content = mlrt::fs::read_file(path);
  const std::size_t size = content.size();
  std::string what;
  switch (random.below(7)) {
    case 0:
    case 1:
      content.resize(random.below(size + 1));
      what = "cut to " + std::to_string(content.size()) + " of " + std::to_string(size);
      break;
    case 2:
    case 3:
    case 4: {
      const std::uint64_t flips = 1 + random.below(random.one_in(2) ? 1 : 16);
      for (std::uint64_t i = 0; i < flips && size > 0; ++i) {
        const std::size_t at = random.below(size);
        content[at] = static_cast<char>(content[at] ^ 1 << random.below(8));
        if (i == 0) what = "a bit flipped at " + std::to_string(at);
      }
      break;
    }
    case 5: {
      const std::size_t at = random.below(size + 1);
      const std::size_t length = std::min<std::size_t>(size - at, random.below(5000));
      const bool zeros = random.one_in(2);
      content.replace(
          at, length,
          zeros ? std::string(length, '\0') : mlrt::test::crash_bytes(random.next(), length));
      what = std::to_string(length) + (zeros ? " zeros" : " random bytes") + " written at " +
             std::to_string(at);
      break;
    }
    default:
      if (random.one_in(2)) {
        content += mlrt::test::crash_bytes(random.next(), 1 + random.below(9000));
        what = "bytes appended";
      } else {
        mlrt::fs::remove_file(path);
        return "removed";
      }
  }
  write_in_place(path, content);
  return what;
}

enum class DamagedFile { kDatabase, kLog, kSegment, kLock };

struct DamagePart {
  const char* name;
  DamagedFile file;
};
const DamagePart kDamageParts[] = {
    {"the database", DamagedFile::kDatabase},
    {"the write-ahead log", DamagedFile::kLog},
    {"a journal's segment", DamagedFile::kSegment},
    {"a journal's lock file", DamagedFile::kLock},
};

std::vector<std::string> files_to_damage(const std::string& store, DamagedFile kind) {
  std::vector<std::string> files;
  if (kind == DamagedFile::kDatabase) return {store};
  if (kind == DamagedFile::kLog) {
    if (mlrt::fs::exists(store + "-wal")) files.push_back(store + "-wal");
    return files;
  }
  if (!mlrt::fs::is_folder(store + "-journals")) return files;
  for (const std::string& name : mlrt::fs::list(store + "-journals")) {
    const bool lock = mlrt::fs::extension(name) == ".lock";
    if (lock == (kind == DamagedFile::kLock))
      files.push_back(mlrt::fs::join(store + "-journals", name));
  }
  return files;
}

void run_damage_loop(const std::string& base, const std::string& folder, DamagedFile kind,
                     const std::vector<CrashLedger>& ledgers, std::uint64_t seed,
                     DamageCounts& counts) {
  CrashRandom random(seed);
  mlrt::test::crash_copy_tree(base, folder);
  const std::string store = folder + "/mlrt.db";
  const std::vector<std::string> files = files_to_damage(store, kind);
  const std::string& victim = files[random.below(files.size())];
  const std::string what = mlrt::fs::basename(victim) + ": " + damage(victim, random);
  std::string output;
  const bool is_checked = kind != DamagedFile::kDatabase;
  const int code =
      run_damage_child([&] { return look_at_damaged(store, ledgers, is_checked); }, output);
  crash_require(code == 0 || code == 10 || code == 11,
                what + ": exit code " + std::to_string(code) + ": " + output);
  if (code == 0) ++counts.whole;
  if (code == 10) ++counts.less;
  if (code == 11) ++counts.refused;
  if (kind == DamagedFile::kSegment) {
    // A journal is never a reason to refuse the store, and what is lost of it is said. Only of what
    // looks as if it had never been written nobody can know: zeros, a last file that is gone.
    crash_require(code != 11, what + ": the store is refused: " + output);
    const bool leaves_no_trace =
        what.find(": removed") != std::string::npos || what.find(" zeros ") != std::string::npos;
    crash_require(code != 10 || leaves_no_trace || output.find("warn") != std::string::npos ||
                      output.find("error") != std::string::npos,
                  what + ": nothing is said of what is lost: " + output);
  }
  if (kind == DamagedFile::kLock) crash_require(code == 0, what + ": something is lost: " + output);
  // Reading it again says the same, and neither is there a second time what was recovered once.
  std::string again;
  const int second =
      run_damage_child([&] { return look_at_damaged(store, ledgers, is_checked); }, again);
  crash_require(second == code || (code == 11 && second <= 11),
                what + ": first " + std::to_string(code) + ", then " + std::to_string(second) +
                    ": " + output + again);
  if (kind == DamagedFile::kDatabase || code == 11) return;
  // A log that has lost all runs of a journal leaves a store which that one does not belong to.
  const bool leaves_journal =
      kind == DamagedFile::kLog && output.find("a journal of another store") != std::string::npos;
  if (!leaves_journal) mlrt::test::require_clean_close(store);
  const std::string found = mlrt::test::check_store_integrity(store);
  crash_require(found == "ok" || kind == DamagedFile::kLog, what + ": integrity_check: " + found);
}

int run_damage_test(const CrashOptions& options) {
  CrashTally tally(options);
  const std::int64_t count =
      options.count > 0 ? options.count : (options.is_long ? kDamageCountLong : kDamageCountCi);
  TempDir base;
  // One writer's records are in the database itself, those of two others beside it, so that a
  // damaged journal has a sound one beside it.
  std::vector<CrashLedger> ledgers;
  for (int writer = 1; writer <= 3; ++writer) {
    ledgers.push_back(mlrt::test::leave_behind(base.path() + "/mlrt.db", kDamageSeed, writer, 120));
    if (writer == 1) ledgers.back().check(Session(base.path() + "/mlrt.db"));
  }
  const std::int64_t start = mlrt::monotonic_ms();
  for (const DamagePart& part : kDamageParts) {
    const std::string name = part.name;
    if (name.find(options.only) == std::string::npos) continue;
    if (files_to_damage(base.path() + "/mlrt.db", part.file).empty()) {
      tally.skip(name, "the writer left none");
      continue;
    }
    DamageCounts counts;
    std::int64_t loops = 0;
    for (std::int64_t i = options.from; i < options.from + count / 4; ++i, ++loops) {
      TempDir dir;
      tally.run(name, i, dir.path(), kDamageSeconds, [&] {
        run_damage_loop(base.path(), dir.path("store"), part.file, ledgers,
                        options.seed * 1000003 + static_cast<std::uint64_t>(i), counts);
      });
      if (tally.is_hopeless()) return tally.finish();
    }
    tally.report(name + ": " + std::to_string(loops) + " loops, all read " +
                 std::to_string(counts.whole) + " times, less " + std::to_string(counts.less) +
                 " times, refused with a clean error " + std::to_string(counts.refused) + " times");
  }
  std::printf("%lld s\n", static_cast<long long>((mlrt::monotonic_ms() - start) / 1000));
  return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return run_damage_test(mlrt::test::parse_crash_options(argc, argv));
}
