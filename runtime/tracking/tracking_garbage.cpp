#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/artifact_batch.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/metric_journal.hpp"
#include "tracking/tracking_rows.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {
namespace {

// So many runs or models go in one transaction: others who write wait for it.
constexpr std::int64_t kGarbageBatch = 50;
// An upload in which nothing came for so long is not under way any more.
constexpr std::int64_t kGarbageStagingMs = 24 * 3600 * 1000;

// What is to go. A deleted experiment goes with all runs and logged models of it, but stays while
// a run of it is active (one that was restored alone). Experiment 0 stays: there is always a
// "Default". ?1 is the time that it must have been deleted by.
constexpr char kGarbageExperiments[] =
    "SELECT e.experiment FROM experiments AS e WHERE e.lifecycle_stage = 'deleted' AND "
    "coalesce(e.deleted_time, 0) <= ?1 AND e.experiment <> 0 AND NOT EXISTS (SELECT 1 FROM runs AS "
    "a WHERE a.experiment = e.experiment AND a.lifecycle_stage = 'active')";

std::string garbage_of(const char* table) {
  return std::string(" FROM ") + table +
         " AS t WHERE (t.lifecycle_stage = 'deleted' AND coalesce(t.deleted_time, 0) <= ?1) OR "
         "t.experiment IN (" +
         kGarbageExperiments + ")";
}

// The folder to remove for an artifact folder: MLflow's layout has one named by the id around it.
// Nothing for a folder that we did not lay out ourselves, unless it is below our root.
std::string garbage_folder(const std::string& artifacts, const std::string& id,
                           const std::string& artifact_root) {
  const std::string above = fs::parent(artifacts);
  if (fs::basename(above) == id && fs::basename(artifacts) == "artifacts") return above;
  return starts_with(artifacts, artifact_root + "/") ? artifacts : std::string();
}

std::uint64_t garbage_remove_folder(const std::string& folder, bool dry_run) {
  if (folder.empty()) return 0;
  const std::uint64_t bytes = fs::tree_size(folder).bytes;
  if (!dry_run) fs::remove_tree(folder);
  return bytes;
}

struct GarbageItem {
  std::int64_t row = 0;
  std::string id;
};

std::vector<GarbageItem> garbage_items(Transaction& transaction, const std::string& sql,
                                       std::int64_t until_ms, std::int64_t after) {
  std::vector<GarbageItem> items;
  Statement row = transaction.query(sql, until_ms, after);
  while (row.step()) items.push_back({row.integer(0), row.text(1)});
  return items;
}

// The ids of runs and logged models among whose artifacts registered versions have their files:
// any part of the path of a source may be one.
std::set<std::string> garbage_needed(Transaction& transaction) {
  std::set<std::string> needed;
  Statement row = transaction.query("SELECT source, storage, model_id FROM model_versions");
  while (row.step()) {
    for (int column = 0; column < 3; ++column) {
      for (std::string& part : split(row.text(column), '/')) needed.insert(std::move(part));
    }
  }
  return needed;
}

bool garbage_is_needed(Transaction& transaction, std::int64_t experiment,
                       const std::set<std::string>& needed) {
  Statement row = transaction.query(
      "SELECT run_id FROM runs WHERE experiment = ?1 UNION ALL SELECT model_id FROM logged_models "
      "WHERE experiment = ?1",
      experiment);
  while (row.step()) {
    if (needed.count(row.text(0)) != 0) return true;
  }
  return false;
}

// The files go before the rows are gone for good: a stop between the two leaves rows that the next
// collection finds again, never files that nobody knows of. `remove` is false for what it keeps.
template <typename Remove>
std::size_t garbage_collect(Database& database, const std::string& sql, std::int64_t until_ms,
                            bool dry_run, const Remove& remove) {
  std::size_t count = 0;
  std::int64_t after = std::numeric_limits<std::int64_t>::min();
  for (;;) {
    Transaction transaction(database,
                            dry_run ? Transaction::Mode::kRead : Transaction::Mode::kWrite);
    const std::vector<GarbageItem> items = garbage_items(transaction, sql, until_ms, after);
    // Asked in each transaction: while it lasts nobody registers a version.
    const std::set<std::string> needed =
        items.empty() ? std::set<std::string>() : garbage_needed(transaction);
    for (const GarbageItem& item : items) count += remove(transaction, item, needed) ? 1 : 0;
    transaction.commit();
    if (static_cast<std::int64_t>(items.size()) < kGarbageBatch) return count;
    after = items.back().row;
  }
}

// What kills have left of uploads; returns its bytes.
std::uint64_t garbage_staging(Database& database, const std::string& artifact_root, bool dry_run,
                              const std::set<std::string>& counted) {
  std::vector<std::string> folders;
  {
    Transaction transaction(database, Transaction::Mode::kReadStored);
    Statement row = transaction.query("SELECT experiment, artifact_location FROM experiments");
    while (row.step()) {
      folders.push_back(experiment_artifact_folder(
          row.integer(0), row.is_null(1) ? std::nullopt : std::optional<std::string>(row.text(1)),
          artifact_root));
    }
  }
  std::uint64_t bytes = 0;
  for (const std::string& folder : folders) {
    // Under the write lock no artifact is being removed, which could fail and be undone.
    const Transaction transaction(
        database, dry_run ? Transaction::Mode::kReadStored : Transaction::Mode::kWrite);
    bytes += remove_artifact_staging(folder, now_ms() - kGarbageStagingMs, dry_run, counted).bytes;
  }
  return bytes;
}

}  // namespace

TrackingStore::Garbage TrackingStore::collect_garbage(std::int64_t older_than_ms, bool dry_run) {
  const std::int64_t until_ms = now_ms() - std::max<std::int64_t>(older_than_ms, 0);
  Garbage garbage;
  std::set<std::string> counted;  // folders whose bytes are in it
  const auto remove_folder = [&](const std::string& folder) {
    counted.insert(folder);
    garbage.artifact_bytes += garbage_remove_folder(folder, dry_run);
  };
  using Ids = std::set<std::string>;
  const auto is_kept = [&](const GarbageItem& item, const Ids& needed) {
    const bool kept = needed.count(item.id) != 0;
    garbage.kept += kept ? 1 : 0;
    return kept;
  };
  if (!dry_run) journal_->before_read();  // what still stands in a journal goes with its run
  const auto sql = [](const char* table, const char* row, const char* id) {
    return std::string("SELECT row, id FROM (SELECT t.") + row + " AS row, t." + id + " AS id" +
           garbage_of(table) + ") WHERE row > ?2 ORDER BY row LIMIT " +
           std::to_string(kGarbageBatch);
  };

  garbage.logged_models =
      garbage_collect(*database_, sql("logged_models", "model", "model_id"), until_ms, dry_run,
                      [&](Transaction& transaction, const GarbageItem& item, const Ids& needed) {
                        if (is_kept(item, needed)) return false;
                        const std::string artifacts = logged_model_folder(
                            find_logged_model(transaction, item.id), artifact_root_);
                        if (!dry_run) {
                          transaction.run("DELETE FROM artifacts WHERE owner = ?", item.id);
                          transaction.run("DELETE FROM logged_models WHERE model = ?", item.row);
                        }
                        remove_folder(garbage_folder(artifacts, item.id, artifact_root_));
                        return true;
                      });
  garbage.runs =
      garbage_collect(*database_, sql("runs", "run", "run_id"), until_ms, dry_run,
                      [&](Transaction& transaction, const GarbageItem& item, const Ids& needed) {
                        if (is_kept(item, needed)) return false;
                        const std::string artifacts = run_artifact_folder(
                            find_run_row(transaction, item.row), artifact_root_);
                        if (!dry_run) {
                          transaction.run("DELETE FROM artifacts WHERE owner = ?", item.id);
                          transaction.run("DELETE FROM runs WHERE run = ?", item.row);
                        }
                        remove_folder(garbage_folder(artifacts, item.id, artifact_root_));
                        return true;
                      });
  const std::string experiments =
      std::string("SELECT experiment, '' FROM (") + kGarbageExperiments +
      ") WHERE experiment > ?2 ORDER BY experiment LIMIT " + std::to_string(kGarbageBatch);
  garbage.experiments = garbage_collect(
      *database_, experiments, until_ms, dry_run,
      [&](Transaction& transaction, const GarbageItem& item, const Ids& needed) {
        if (garbage_is_needed(transaction, item.row, needed)) return false;
        bool has_own_place = false;
        {
          Statement row = transaction.query(
              "SELECT artifact_location FROM experiments WHERE experiment = ?", item.row);
          has_own_place = row.step() && !row.is_null(0);
        }
        if (dry_run) return true;
        // A run or model that came in since the first steps goes with it, as it is below its
        // folder.
        transaction.run("DELETE FROM logged_models WHERE experiment = ?", item.row);
        transaction.run("DELETE FROM runs WHERE experiment = ?", item.row);
        transaction.run("DELETE FROM experiments WHERE experiment = ?", item.row);
        // A place that the user chose may hold other things.
        if (has_own_place) return true;
        garbage.artifact_bytes += garbage_remove_folder(
            experiment_artifact_folder(item.row, std::nullopt, artifact_root_), false);
        return true;
      });
  garbage.artifact_bytes += garbage_staging(*database_, artifact_root_, dry_run, counted);
  return garbage;
}

}  // namespace mlrt
