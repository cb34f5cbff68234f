#ifndef MLRT_TESTS_CRASH_CRASH_WORKLOAD_HPP_
#define MLRT_TESTS_CRASH_CRASH_WORKLOAD_HPP_

// What a writer logs, and how to tell from a store afterwards that it is all there. A plan follows
// from its seed alone, so that whoever knows how many actions were acknowledged knows all that must
// be in the store, and what may be there besides: the one action that was under way.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/mlrt.hpp"
#include "crash_support.hpp"

namespace mlrt {
namespace test {

enum class CrashAction {
  kStartRun,
  kEndRun,
  kResumeRun,
  kMetric,        // one value
  kBurst,         // `count` values, one call each
  kBatch,         // `count` values, a parameter and a tag, in one call
  kSharedMetric,  // one value of the run that all writers share
  kParam,
  kTag,
  kArtifact,
};

struct PlannedAction {
  CrashAction kind = CrashAction::kStartRun;
  std::size_t run = 0;  // of the writer, from 0
  std::string key;      // of the metric, parameter, tag, artifact
  std::string value;
  // Of the values: value and step are both the number, so that each is there at most once.
  std::int64_t first = 0;
  std::int64_t count = 0;
  RunStatus status = RunStatus::kFinished;
};

struct CrashMix {
  bool with_artifacts = true;
  bool with_shared_run = false;
  std::uint64_t burst = 400;  // values of the largest one
};

class CrashPlan {
 public:
  CrashPlan(std::uint64_t seed, int writer, const CrashMix& mix);
  PlannedAction next();

 private:
  CrashRandom random_;
  int writer_;
  CrashMix mix_;
  std::size_t run_ = 0;  // the current one
  bool started_ = false, open_ = false;
  std::int64_t number_ = 0;                          // of the next parameter, tag, artifact
  std::map<std::string, std::int64_t> next_values_;  // of the current run, by key
  std::int64_t next_shared_ = 0;
};

// The artifact that a planned action logs.
std::string planned_artifact(const PlannedAction& action);

// Does what is planned, through a session.
class CrashWriter {
 public:
  CrashWriter(Session& session, int writer, std::string shared_run_id);

  // Returns the id of the run that was started, else "". After an exception the same action may be
  // tried again; of a burst what was not logged yet.
  std::string perform(const PlannedAction& action);
  // Of the burst that failed: how many of its values were logged.
  std::int64_t burst_done() const { return burst_done_; }
  // A run that an earlier writer of the same plan started.
  void know_run(const std::string& run_id) { ids_.push_back(run_id); }

 private:
  Run& run();
  void refuse_many_params(const std::string& known);

  Session session_;
  int writer_;
  std::string shared_run_id_;
  std::vector<std::string> ids_;
  std::optional<Run> run_;
  std::int64_t burst_done_ = 0;
};

// How many values of each metric the tables of a store hold, whatever is shown of them: by run id
// and key. No session needs to be open.
using StoredCounts = std::map<std::pair<std::string, std::string>, std::int64_t>;
StoredCounts read_stored_counts(const std::string& store);

// "ok", or what SQLite finds wrong with a database.
std::string check_store_integrity(const std::string& store);

// False while someone holds the store's lock for writing.
bool store_can_be_written(const std::string& store);

// Throws a CrashFailure if the last one who closed the store left more than the database beside it.
void require_clean_close(const std::string& store);

class CrashLedger {
 public:
  CrashLedger(std::uint64_t seed, int writer, const CrashMix& mix, std::string shared_run_id);

  const PlannedAction& pending() const { return pending_; }
  // The pending action is done. `run_id` is that of a run that it started.
  void acknowledge(const std::string& run_id);
  std::int64_t acknowledged() const { return acknowledged_; }
  // Of the pending burst, this many values are done.
  void acknowledge_part(std::int64_t count) { partly_ = count; }
  // The pending action was begun and failed: nothing of it may be there until it is tried again.
  void set_refused(bool refused) { refused_ = refused; }
  // Another process may have begun the pending action and all that follow it.
  void set_running(bool running) { running_ = running; }

  // Throws a CrashFailure unless everything acknowledged is there, and nothing else but (a part of)
  // the pending action.
  void check(const Session& session) const;
  // The same for what the tables hold: nothing is stored twice.
  void check_stored(const Session& session, const StoredCounts& counts) const;

 private:
  struct ExpectedRun {
    std::string id;
    std::map<std::string, std::string> params, tags;
    std::map<std::string, std::int64_t> metrics;  // the number of values of each
    std::map<std::string, PlannedAction> artifacts;
    std::optional<RunStatus> status;
  };
  void check_run(const Session& session, std::size_t index, bool artifacts) const;
  void check_history(const Session& session, const std::string& run_id, const std::string& key,
                     std::int64_t count) const;
  std::int64_t extra_values(const std::string& run_id, const std::string& key) const;
  [[noreturn]] void fail(const std::string& run_id, const std::string& what) const;

  CrashPlan plan_;
  int writer_;
  std::string shared_run_id_;
  PlannedAction pending_;
  std::int64_t acknowledged_ = 0;
  std::int64_t partly_ = 0;
  bool refused_ = false, running_ = false;
  std::vector<ExpectedRun> runs_;
  std::int64_t shared_count_ = 0;
};

// Logs so many actions of a plan with the usual mix, in a process that then kills itself. No other
// thread may run meanwhile.
CrashLedger leave_behind(const std::string& store, std::uint64_t seed, int writer, int actions);

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CRASH_CRASH_WORKLOAD_HPP_
