// What was done to registered models, where versions come from, and the files that they need.

#include <set>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "registry/registry.hpp"
#include "registry/registry_rows.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

// The name of a copy that registering made: the SHA-256 of its content.
bool registry_is_copy(const std::string& name) {
  constexpr std::size_t kDigits = 64;
  return name.size() == kDigits + 5 && ends_with(name, ".mlrt") &&
         name.find_first_not_of("0123456789abcdef") == kDigits;
}

}  // namespace

std::string Registry::download_uri(const std::string& name, std::int64_t version) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const std::int64_t model = find_model_row(transaction, name);
  find_version_row(transaction, model, name, version);
  Statement row = transaction.query(
      "SELECT iif(storage = '', source, storage) FROM model_versions WHERE model = ? AND version = "
      "?",
      model, version);
  return row.step() ? row.text(0) : std::string();
}

ModelLineage Registry::lineage(const std::string& name, std::int64_t version) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  ModelLineage lineage;
  lineage.version = find_version_row(transaction, find_model_row(transaction, name), name, version);
  std::int64_t run = 0;
  bool has_run = false;
  if (!lineage.version.run_id.empty()) {
    Statement row = transaction.query(
        "SELECT run, name, status, experiment FROM runs WHERE run_id = ?", lineage.version.run_id);
    has_run = row.step();
    if (has_run) {
      run = row.integer(0);
      lineage.run_name = row.text(1);
      lineage.run_status = row.text(2);
      lineage.experiment_id = std::to_string(row.integer(3));
    }
  }
  if (!lineage.version.model_id.empty()) {
    Statement row = transaction.query("SELECT name, status FROM logged_models WHERE model_id = ?",
                                      lineage.version.model_id);
    if (row.step()) {
      lineage.model_name = row.text(0);
      lineage.model_status = row.text(1);
    }
  }
  if (!has_run) return lineage;
  Statement row = transaction.query(
      "SELECT d.name, d.digest, d.source_type, d.source, i.context FROM inputs AS i JOIN datasets "
      "AS d ON d.dataset = i.dataset WHERE i.run = ? ORDER BY d.name, d.digest, i.context",
      run);
  while (row.step()) {
    DatasetInput dataset;
    dataset.name = row.text(0);
    dataset.digest = row.text(1);
    dataset.source_type = row.text(2);
    dataset.source = row.text(3);
    dataset.context = row.text(4);
    lineage.datasets.push_back(dataset);
  }
  return lineage;
}

std::vector<RegistryEvent> Registry::history(const std::string& name,
                                             std::size_t max_results) const {
  check_model_name(name);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  std::vector<RegistryEvent> events;
  {
    Statement row = transaction.query(
        "SELECT time, user, action, name, version, alias, old_value, new_value FROM "
        "registry_history WHERE model IN (SELECT model FROM registered_models WHERE name = ?1 "
        "UNION SELECT model FROM registry_history WHERE action = 'delete_model' AND name = ?1) "
        "ORDER BY event DESC LIMIT ?2",
        name, max_results == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(max_results));
    while (row.step()) {
      RegistryEvent event;
      event.time_ms = row.integer(0);
      event.user = row.text(1);
      event.action = row.text(2);
      event.name = row.text(3);
      event.version = row.integer(4);
      event.alias = row.text(5);
      event.before = row.text(6);
      event.after = row.text(7);
      events.push_back(event);
    }
  }
  // A model that was imported has none; one that there never was is an error.
  if (events.empty()) find_model_row(transaction, name);
  return events;
}

std::uint64_t Registry::remove_files(const std::vector<std::string>& names, bool dry_run) {
  const std::string folder = registry_models_folder(artifact_root_);
  // While this lasts nobody registers a version that needs one of them.
  Transaction transaction(*database_,
                          dry_run ? Transaction::Mode::kRead : Transaction::Mode::kWrite);
  std::set<std::string> needed;
  {
    Statement row = transaction.query("SELECT source, storage FROM model_versions");
    while (row.step()) {
      // By their names alone: the store may have been moved with its files.
      for (const std::string& path : {row.text(0), row.text(1)}) needed.insert(fs::basename(path));
    }
  }
  std::uint64_t bytes = 0;
  for (const std::string& name : names) {
    const std::string path = fs::join(folder, name);
    if (needed.count(name) != 0 || !fs::is_file(path)) continue;
    bytes += fs::file_size(path);
    if (!dry_run) fs::remove_file(path);
  }
  return bytes;
}

std::uint64_t Registry::collect_garbage(bool dry_run) {
  const std::string folder = registry_models_folder(artifact_root_);
  if (artifact_root_.empty() || !fs::is_folder(folder)) return 0;
  std::vector<std::string> copies;
  for (std::string& name : fs::list(folder)) {
    if (registry_is_copy(name)) copies.push_back(std::move(name));
  }
  return copies.empty() ? 0 : remove_files(copies, dry_run);
}

void Registry::note_files(const std::string& source, const std::string& storage,
                          std::vector<std::string>& files) const {
  for (const std::string& path : {source, storage}) {
    const std::string name = fs::basename(path);
    if (!artifact_root_.empty() && registry_is_copy(name)) files.push_back(name);
  }
}

void Registry::drop_files(const std::vector<std::string>& files) noexcept {
  if (files.empty()) return;
  try {
    remove_files(files, false);
  } catch (const std::exception& error) {
    // What was asked for is done; the next garbage collection finds the files.
    log_warn("files of a deleted model were left behind", {{"error", error.what()}});
  }
}

}  // namespace mlrt
