#include "cli/doctor_command.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cli/limits_command.hpp"
#include "cli/listing.hpp"
#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/version.hpp"
#include "store/database.hpp"
#include "tracking/artifact_batch.hpp"
#include "tracking/doctor.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kAllOwners = 10000000;

void append_damaged(const ArtifactStore& artifacts, const std::string& owner,
                    std::vector<std::string>& problems) {
  for (const std::string& path : artifacts.damaged(owner))
    problems.push_back("artifact " + owner + "/" + path + " is not what was logged, or is gone");
}

// Every file that a run or logged model of an active experiment has.
void check_artifacts(const Session& session, std::vector<std::string>& problems) {
  SearchQuery all;
  all.view = ViewType::kAll;
  for (const RunRecord& run : search_pages<RunRecord>(
           all, kAllOwners,
           [&](const SearchQuery& page) { return session.tracking().search_runs({}, page); })) {
    append_damaged(session.artifacts(), run.run_id, problems);
  }
  std::vector<std::string> experiments;
  for (const Experiment& experiment : session.tracking().list_experiments())
    experiments.push_back(experiment.id);
  for (const LoggedModel& model :
       search_pages<LoggedModel>({}, kAllOwners, [&](const SearchQuery& page) {
         // The most that MLflow's search of logged models gives at a time.
         SearchQuery bounded = page;
         bounded.max_results = std::min<std::size_t>(page.max_results, 50);
         return session.logged_models().search(experiments, bounded);
       })) {
    append_damaged(session.artifacts(), model.model_id, problems);
  }
}

// What waits to become artifacts, or was left behind by a kill, is none.
void leave_out_staging(const std::string& artifact_root, StoreFacts& facts) {
  if (!fs::is_folder(artifact_root)) return;
  for (const std::string& experiment : fs::list(artifact_root)) {
    const fs::TreeSize staging = remove_artifact_staging(
        fs::join(artifact_root, experiment), std::numeric_limits<std::int64_t>::max(), true);
    facts.artifact_bytes -= std::min(facts.artifact_bytes, staging.bytes);
    facts.artifact_files -= std::min(facts.artifact_files, staging.files);
  }
}

OrderedJson doctor_json(const std::string& store, const StoreFacts& facts) {
  OrderedJson out;
  out["mlrt_version"] = MLRT_VERSION;
  out["sqlite_version"] = facts.sqlite_version;
  out["store"] = store;
  out["schema_version"] = facts.schema_version;
  out["journal_mode"] = facts.journal_mode;
  out["durability"] = facts.durability;
  out["network_file_system"] = facts.on_network;
  out["read_only"] = facts.read_only;
  out["journals"] = facts.journals;
  out["live_journals"] = facts.live_journals;
  out["journal_bytes"] = facts.journal_bytes;
  out["waiting_records"] = facts.waiting_records;
  out["database_bytes"] = facts.database_bytes;
  out["page_size_bytes"] = facts.page_size_bytes;
  out["page_count"] = facts.page_count;
  out["free_page_count"] = facts.free_page_count;
  out["artifact_bytes"] = facts.artifact_bytes;
  out["artifact_files"] = facts.artifact_files;
  out["experiments"] = facts.experiments;
  out["deleted_experiments"] = facts.deleted_experiments;
  out["runs"] = facts.runs;
  out["deleted_runs"] = facts.deleted_runs;
  out["logged_models"] = facts.logged_models;
  out["deleted_logged_models"] = facts.deleted_logged_models;
  out["registered_models"] = facts.registered_models;
  out["model_versions"] = facts.model_versions;
  out["metric_points"] = facts.metric_points;
  out["metric_blocks"] = facts.metric_blocks;
  out["limits"] = limits_json(facts.limits);
  out["problems"] = facts.problems;
  return out;
}

std::string with_deleted(std::uint64_t all, std::uint64_t deleted) {
  return std::to_string(all) +
         (deleted == 0 ? "" : " (" + std::to_string(deleted) + " of them deleted)");
}

std::string durability_text(const StoreFacts& facts) {
  return facts.durability +
         (facts.journal_mode == "wal" ? ", write-ahead log" : ", rollback journal") +
         (facts.on_network ? ", on a network file system" : "");
}

// "2 (1 left behind, ...), 128.0 KB, 7 records wait"
std::string journals_text(const StoreFacts& facts) {
  if (facts.journals == 0) return "none";
  std::string out = std::to_string(facts.journals);
  if (facts.live_journals != facts.journals) {
    out += " (" + std::to_string(facts.journals - facts.live_journals) +
           " left behind, which the next reader or writer takes in)";
  }
  return out + ", " + size_text(facts.journal_bytes) + ", " +
         std::to_string(facts.waiting_records) +
         (facts.waiting_records == 1 ? " record waits" : " records wait");
}

std::string doctor_text(const std::string& store, const StoreFacts& facts) {
  TextTable table({{"mlrt"}, {std::string(MLRT_VERSION) + ", SQLite " + facts.sqlite_version}});
  table.add({"Store", store + (facts.read_only ? " (read-only)" : "")});
  table.add({"Schema", std::to_string(facts.schema_version)});
  table.add({"Durability", durability_text(facts)});
  table.add({"Journals", journals_text(facts)});
  table.add({"Size", size_text(facts.database_bytes) + ", " + std::to_string(facts.page_count) +
                         " pages of " +
                         size_text(static_cast<std::uint64_t>(facts.page_size_bytes)) + ", " +
                         std::to_string(facts.free_page_count) + " free"});
  table.add({"Artifacts", size_text(facts.artifact_bytes) + " in " +
                              std::to_string(facts.artifact_files) +
                              (facts.artifact_files == 1 ? " file" : " files")});
  table.add({"Experiments", with_deleted(facts.experiments, facts.deleted_experiments)});
  table.add({"Runs", with_deleted(facts.runs, facts.deleted_runs)});
  table.add({"Metric points", std::to_string(facts.metric_points)});
  table.add({"Logged models", with_deleted(facts.logged_models, facts.deleted_logged_models)});
  table.add({"Registered models", std::to_string(facts.registered_models) + ", versions " +
                                      std::to_string(facts.model_versions)});
  table.add({"Limits", limits_sentence(facts.limits)});
  for (const std::string& problem : facts.problems) table.add({"PROBLEM", problem});
  if (facts.problems.empty()) table.add({"Check", "sound"});
  return table.text();
}

}  // namespace

int run_doctor(const GlobalOptions& global, const DoctorOptions& options) {
  const Session session = open_store(global);
  DatabaseOptions database;
  database.must_exist = true;
  database.durability = session.durability();
  StoreFacts facts =
      inspect_store(Database::open(session.store(), database), session.tracking().artifact_root());
  leave_out_staging(session.tracking().artifact_root(), facts);
  if (options.artifacts) check_artifacts(session, facts.problems);
  print_out(options.json ? json_text(doctor_json(session.store(), facts))
                         : doctor_text(session.store(), facts));
  return facts.problems.empty() ? 0 : error_info(ErrorCode::kDataCorrupt).exit_code;
}

}  // namespace mlrt
