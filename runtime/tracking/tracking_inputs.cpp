#include <algorithm>

#include "store/database.hpp"
#include "tracking/rules.hpp"
#include "tracking/tracking_rows.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

std::vector<DatasetSummary> TrackingStore::search_datasets(
    const std::vector<std::string>& experiment_ids, std::size_t max_results) const {
  std::vector<std::int64_t> experiments;
  for (const std::string& id : experiment_ids) experiments.push_back(parse_experiment_id(id));
  std::sort(experiments.begin(), experiments.end());
  experiments.erase(std::unique(experiments.begin(), experiments.end()), experiments.end());
  std::vector<DatasetSummary> found;
  Transaction transaction(*database_, Transaction::Mode::kRead);
  for (const std::int64_t experiment : experiments) {
    Statement row = transaction.query(
        "SELECT DISTINCT name, digest, context FROM datasets JOIN inputs USING (dataset) WHERE "
        "experiment = ? ORDER BY name, digest, context",
        experiment);
    while (found.size() < max_results && row.step()) {
      found.push_back({std::to_string(experiment), row.text(0), row.text(1), row.text(2)});
    }
  }
  return found;
}

void TrackingStore::log_model_inputs(const std::string& run_id,
                                     const std::vector<std::string>& model_ids) {
  check_run_id(run_id);
  for (const std::string& id : model_ids) check_logged_model_id(id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  for (const std::string& id : model_ids) {
    transaction.run("INSERT OR IGNORE INTO model_inputs (run, model_id) VALUES (?, ?)", row.run,
                    id);
  }
  transaction.commit();
}

}  // namespace mlrt
