#include "crash_workload.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace test {
namespace {

const char* const kCrashKeys[] = {"loss", "val/accuracy", "größe"};
constexpr std::int64_t kCrashWriterStride = 1000000000;  // between the shared values of writers
constexpr std::int64_t kCrashDay = 1700000000000;

std::string crash_value(const std::vector<Param>& params, const std::string& key) {
  for (const Param& param : params) {
    if (param.key == key) return param.value;
  }
  return "(none)";
}

std::string crash_tag(const std::vector<Tag>& tags, const std::string& key) {
  for (const Tag& tag : tags) {
    if (tag.key == key) return tag.value;
  }
  return "(none)";
}

Metric planned_metric(const PlannedAction& action, std::int64_t number) {
  Metric metric;
  metric.key = action.key;
  metric.value = static_cast<double>(number);
  metric.step = number;
  // A clock that goes back as often as it goes forth.
  metric.timestamp_ms = kCrashDay + (number % 2 == 0 ? number : -number);
  return metric;
}

}  // namespace

std::string planned_artifact(const PlannedAction& action) {
  CrashRandom random(static_cast<std::uint64_t>(action.first));
  const std::uint64_t size = random.one_in(8) ? random.below(200000) : random.below(3000);
  return crash_bytes(random.next(), static_cast<std::size_t>(size));
}

CrashPlan::CrashPlan(std::uint64_t seed, int writer, const CrashMix& mix)
    : random_(seed * 64 + static_cast<std::uint64_t>(writer)), writer_(writer), mix_(mix) {}

PlannedAction CrashPlan::next() {
  PlannedAction action;
  const std::uint64_t dice = random_.below(100);
  if (!open_) {
    if (started_ && dice < 30) {
      action.kind = CrashAction::kResumeRun;
    } else {
      action.kind = CrashAction::kStartRun;
      if (started_) ++run_;
      next_values_.clear();
      action.value = "writer " + std::to_string(writer_) + " run " + std::to_string(run_);
    }
    open_ = started_ = true;
    action.run = run_;
    return action;
  }
  action.run = run_;
  action.key = kCrashKeys[random_.below(3)];
  std::int64_t& next_value = next_values_.emplace(action.key, 1).first->second;
  action.first = next_value;
  action.count = 1;
  if (dice < 35) {
    action.kind = CrashAction::kMetric;
  } else if (dice < 50) {
    action.kind = CrashAction::kBurst;
    action.count = 1 + static_cast<std::int64_t>(random_.below(mix_.burst));
  } else if (dice < 60) {
    action.kind = CrashAction::kBatch;
    action.count = 1 + static_cast<std::int64_t>(random_.below(40));
    action.value = "batch " + std::to_string(++number_);
  } else if (dice < 70 && mix_.with_shared_run) {
    action.kind = CrashAction::kSharedMetric;
    action.key = "shared";
    action.first = ++next_shared_;
  } else if (dice < 80) {
    action.kind = CrashAction::kParam;
    action.key = "param " + std::to_string(++number_);
    action.value = "värde " + std::to_string(number_);
    action.first = action.count = 0;
  } else if (dice < 90 || (dice < 94 && !mix_.with_artifacts)) {
    action.kind = CrashAction::kTag;
    action.key = "tag " + std::to_string(random_.below(5));
    action.value = std::to_string(++number_);
    action.first = action.count = 0;
  } else if (dice < 94) {
    action.kind = CrashAction::kArtifact;
    action.first = ++number_;
    action.count = 0;
    action.key = "files/part " + std::to_string(random_.below(6)) + ".bin";
  } else {
    action.kind = CrashAction::kEndRun;
    action.first = action.count = 0;
    action.status = random_.one_in(3) ? RunStatus::kFailed : RunStatus::kFinished;
    open_ = false;
  }
  if (action.count > 0 && action.kind != CrashAction::kSharedMetric) next_value += action.count;
  return action;
}

CrashWriter::CrashWriter(Session& session, int writer, std::string shared_run_id)
    : session_(session), writer_(writer), shared_run_id_(std::move(shared_run_id)) {}

Run& CrashWriter::run() {
  if (!run_) run_.emplace(session_.resume_run(ids_.back()));
  return *run_;
}

// A transaction that outgrows SQLite's cache and is then refused for its last parameter.
void CrashWriter::refuse_many_params(const std::string& known) {
  std::vector<Param> params;
  for (int i = 0; i < 1500; ++i)
    params.push_back({"refused " + std::to_string(i), std::string(2000, 'r')});
  params.push_back({known, "another value"});
  try {
    run().log_params(params);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInvalidParameter) return;
    throw;
  }
  crash_require(false, "a parameter was changed");
}

std::string CrashWriter::perform(const PlannedAction& action) {
  switch (action.kind) {
    case CrashAction::kStartRun: {
      RunOptions options;
      options.name = action.value;
      run_.reset();
      run_.emplace(session_.start_run(options));
      ids_.push_back(run_->id());
      return run_->id();
    }
    case CrashAction::kResumeRun:
      run_.reset();
      run();
      break;
    case CrashAction::kEndRun:
      run().end(action.status);
      break;
    case CrashAction::kMetric:
      if (action.first % 2 == 0) {
        session_.tracking().log_metrics(run().id(), {planned_metric(action, action.first)});
      } else {
        run().log_metric(action.key, static_cast<double>(action.first), action.first);
      }
      break;
    case CrashAction::kBurst: {
      Run& current = run();
      for (; burst_done_ < action.count; ++burst_done_) {
        const std::int64_t number = action.first + burst_done_;
        current.log_metric(action.key, static_cast<double>(number), number);
      }
      burst_done_ = 0;
      break;
    }
    case CrashAction::kBatch: {
      std::vector<Metric> metrics;
      for (std::int64_t i = 0; i < action.count; ++i)
        metrics.push_back(planned_metric(action, action.first + i));
      run().log_batch(metrics, {{action.value, "of a batch"}}, {{"latest batch", action.value}});
      break;
    }
    case CrashAction::kSharedMetric: {
      Metric metric = planned_metric(action, action.first);
      metric.value = static_cast<double>(writer_ * kCrashWriterStride + action.first);
      session_.tracking().log_metrics(shared_run_id_, {metric});
      break;
    }
    case CrashAction::kParam:
      run().log_param(action.key, action.value);
      if (ends_with(action.key, "77")) refuse_many_params(action.key);
      break;
    case CrashAction::kTag:
      run().set_tag(action.key, action.value);
      break;
    case CrashAction::kArtifact:
      session_.artifacts().log_bytes(run().id(), planned_artifact(action), action.key);
      break;
  }
  return {};
}

CrashLedger leave_behind(const std::string& store, std::uint64_t seed, int writer, int actions) {
  const CrashMix mix;
  int ends[2];
  crash_require(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
  const pid_t child = fork();
  crash_require(child >= 0, "no process");
  if (child == 0) {
    try {
      Session session(store);
      CrashPlan plan(seed, writer, mix);
      CrashWriter crash_writer(session, writer, "");
      for (int i = 0; i < actions; ++i) {
        std::string id = crash_writer.perform(plan.next());
        id.resize(32);
        if (::write(ends[1], id.data(), id.size()) != 32) _exit(4);
      }
      ::raise(SIGKILL);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the writer that was to be killed: %s\n", error.what());
    }
    _exit(3);
  }
  ::close(ends[1]);
  CrashLedger left(seed, writer, mix, "");
  char id[32];
  while (::read(ends[0], id, sizeof(id)) == sizeof(id))
    left.acknowledge(id[0] == '\0' ? "" : std::string(id, sizeof(id)));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  crash_require(WIFSIGNALED(status) && left.acknowledged() == actions,
                "a writer did not come to its end");
  return left;
}

void require_clean_close(const std::string& store) {
  for (const char* tail : {"-wal", "-shm", "-journal"})
    crash_require(!fs::exists(store + tail), "after a clean close there is " + store + tail);
  if (!fs::is_folder(store + "-journals")) return;
  std::string names;
  for (const std::string& name : fs::list(store + "-journals")) {
    // What a writer that died had not renamed yet goes away when it is old.
    if (!fs::is_temporary_name(name)) names += " " + name;
  }
  if (!names.empty())
    throw CrashFailure("after a clean close there is " + store + "-journals, with:" + names);
}

CrashLedger::CrashLedger(std::uint64_t seed, int writer, const CrashMix& mix,
                         std::string shared_run_id)
    : plan_(seed, writer, mix),
      writer_(writer),
      shared_run_id_(std::move(shared_run_id)),
      pending_(plan_.next()) {}

void CrashLedger::acknowledge(const std::string& run_id) {
  if (pending_.kind == CrashAction::kStartRun) {
    runs_.push_back({});
    runs_.back().id = run_id;
  }
  ExpectedRun& run = runs_[pending_.run];
  switch (pending_.kind) {
    case CrashAction::kStartRun:
    case CrashAction::kResumeRun:
      run.status.reset();
      break;
    case CrashAction::kEndRun:
      run.status = pending_.status;
      break;
    case CrashAction::kBatch:
      run.params[pending_.value] = "of a batch";
      run.tags["latest batch"] = pending_.value;
      run.metrics[pending_.key] += pending_.count;
      break;
    case CrashAction::kMetric:
    case CrashAction::kBurst:
      run.metrics[pending_.key] += pending_.count;
      break;
    case CrashAction::kSharedMetric:
      ++shared_count_;
      break;
    case CrashAction::kParam:
      run.params[pending_.key] = pending_.value;
      break;
    case CrashAction::kTag:
      run.tags[pending_.key] = pending_.value;
      break;
    case CrashAction::kArtifact:
      run.artifacts[pending_.key] = pending_;
      break;
  }
  ++acknowledged_;
  partly_ = 0;
  refused_ = false;
  pending_ = plan_.next();
}

void CrashLedger::fail(const std::string& run_id, const std::string& what) const {
  throw CrashFailure("writer " + std::to_string(writer_) + ", run " + run_id + ", after " +
                     std::to_string(acknowledged_) + " actions (then one of kind " +
                     std::to_string(static_cast<int>(pending_.kind)) + "): " + what);
}

// How many values may be there besides those acknowledged.
std::int64_t CrashLedger::extra_values(const std::string& run_id, const std::string& key) const {
  if (refused_ || key != pending_.key || pending_.count == 0) return 0;
  const bool shared = pending_.kind == CrashAction::kSharedMetric;
  if (shared ? run_id != shared_run_id_
             : pending_.run >= runs_.size() || runs_[pending_.run].id != run_id) {
    return 0;
  }
  return pending_.count - partly_;
}

void CrashLedger::check_history(const Session& session, const std::string& run_id,
                                const std::string& key, std::int64_t count) const {
  const bool shared = run_id == shared_run_id_;
  const std::int64_t base = shared ? writer_ * kCrashWriterStride : 0;
  std::vector<std::int64_t> numbers;
  for (const Metric& metric : session.tracking().metric_history(run_id, key)) {
    const auto number = static_cast<std::int64_t>(metric.value) - base;
    if (shared && (number <= 0 || number >= kCrashWriterStride)) continue;
    if (metric.step != number || static_cast<double>(number + base) != metric.value) {
      fail(run_id, "metric '" + key + "' has the value " + std::to_string(metric.value) +
                       " at step " + std::to_string(metric.step) + ", which nobody logged");
    }
    numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  const bool pending_part =
      pending_.run < runs_.size() && runs_[pending_.run].id == run_id && pending_.key == key;
  const std::int64_t least = count + (pending_part ? partly_ : 0);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    // What was not acknowledged may be there in any part.
    if (running_ && static_cast<std::int64_t>(i) >= least) break;
    if (numbers[i] != static_cast<std::int64_t>(i) + 1) {
      fail(run_id, "metric '" + key + "' has value " + std::to_string(numbers[i]) + " as number " +
                       std::to_string(i + 1) + " of " + std::to_string(numbers.size()) + " (" +
                       std::to_string(count) + " acknowledged)");
    }
  }
  const auto found = static_cast<std::int64_t>(numbers.size());
  if (found < least || (!running_ && found > least + extra_values(run_id, key))) {
    fail(run_id, "metric '" + key + "' has " + std::to_string(found) +
                     " values, acknowledged are " + std::to_string(least) + ", under way " +
                     std::to_string(extra_values(run_id, key)));
  }
}

void CrashLedger::check_run(const Session& session, std::size_t index, bool artifacts) const {
  const ExpectedRun& expected = runs_[index];
  const RunRecord run = session.tracking().run(expected.id);
  const bool is_pending = !refused_ && pending_.run == index;
  const bool may_change = running_ && index + 1 == runs_.size();

  for (const auto& [key, value] : expected.params) {
    if (crash_value(run.params, key) != value) fail(run.run_id, "no parameter '" + key + "'");
  }
  std::size_t more = 0;
  if (is_pending && pending_.kind == CrashAction::kParam) more = 1;
  if (is_pending && pending_.kind == CrashAction::kBatch) more = 1;
  if (!may_change && run.params.size() > expected.params.size() + more) {
    fail(run.run_id, "there are " + std::to_string(run.params.size()) + " parameters, of " +
                         std::to_string(expected.params.size()) + " acknowledged");
  }
  for (const auto& [key, value] : expected.tags) {
    const std::string found = crash_tag(run.tags, key);
    const bool changing =
        is_pending && ((pending_.kind == CrashAction::kTag && pending_.key == key) ||
                       (pending_.kind == CrashAction::kBatch && key == "latest batch"));
    if (found == value || (changing && found == pending_.value)) continue;
    if (may_change && found != "(none)") continue;
    fail(run.run_id, "tag '" + key + "' is '" + found + "', not '" + value + "'");
  }
  if (expected.status && !may_change && run.status != *expected.status &&
      !(is_pending && pending_.kind == CrashAction::kResumeRun)) {
    fail(run.run_id, std::string("its status is ") + run_status_name(run.status) + ", not " +
                         run_status_name(*expected.status));
  }

  for (const auto& [key, count] : expected.metrics) {
    check_history(session, run.run_id, key, count);
    if (may_change || extra_values(run.run_id, key) > 0 || partly_ > 0) continue;
    const auto latest = std::find_if(run.metrics.begin(), run.metrics.end(),
                                     [&key = key](const Metric& m) { return m.key == key; });
    if (latest == run.metrics.end() || latest->step != count) {
      fail(run.run_id, "the latest value of '" + key + "' is not number " + std::to_string(count));
    }
  }
  for (const Metric& metric : run.metrics) {
    if (expected.metrics.count(metric.key) == 0 && !may_change && partly_ == 0 &&
        extra_values(run.run_id, metric.key) == 0) {
      fail(run.run_id, "metric '" + metric.key + "' is there, and was not logged");
    }
  }

  if (!artifacts || may_change) return;
  std::map<std::string, ArtifactInfo> listed;
  for (const ArtifactInfo& info : session.artifacts().list(run.run_id, "", true))
    listed[info.path] = info;
  for (const auto& [path, action] : expected.artifacts) {
    const std::string content = fs::read_file(session.artifacts().locate(run.run_id, path));
    const bool changing =
        is_pending && pending_.kind == CrashAction::kArtifact && pending_.key == path;
    if (content != planned_artifact(action) &&
        !(changing && content == planned_artifact(pending_))) {
      fail(run.run_id, "artifact '" + path + "' has other bytes than were logged");
    }
    if (listed.count(path) == 0 || listed[path].size_bytes != content.size())
      fail(run.run_id, "artifact '" + path + "' is not listed as it is");
    if (!changing && listed[path].sha256.empty())
      fail(run.run_id, "artifact '" + path + "' has lost its SHA-256");
  }
  for (const std::string& path : session.artifacts().damaged(run.run_id))
    fail(run.run_id, "artifact '" + path + "' does not match its SHA-256");
}

void CrashLedger::check(const Session& session) const {
  for (std::size_t i = 0; i < runs_.size(); ++i) check_run(session, i, true);
  if (!shared_run_id_.empty()) check_history(session, shared_run_id_, "shared", shared_count_);
}

void CrashLedger::check_stored(const Session& session, const StoredCounts& counts) const {
  for (const ExpectedRun& run : runs_) {
    for (const auto& item : run.metrics) {
      const auto found = counts.find({run.id, item.first});
      const std::int64_t stored = found == counts.end() ? 0 : found->second;
      const auto shown = session.tracking().metric_history(run.id, item.first).size();
      if (stored != static_cast<std::int64_t>(shown)) {
        fail(run.id, "metric '" + item.first + "' is stored " + std::to_string(stored) +
                         " times, shown " + std::to_string(shown) + " times");
      }
    }
  }
}

}  // namespace test
}  // namespace mlrt
