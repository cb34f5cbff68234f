#ifndef MLRT_TRACKING_SEARCH_QUERY_HPP_
#define MLRT_TRACKING_SEARCH_QUERY_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tracking/records.hpp"
#include "tracking/search_sql.hpp"

namespace mlrt {

class Transaction;

// Internal: a search as it comes from a caller, and its answer out of a store.

// Where a SearchQuery looks.
struct SearchScope {
  SearchTarget target = SearchTarget::kRuns;
  // Runs and logged models: in these experiments, by number; in all if absent; in none if empty.
  std::optional<std::vector<std::int64_t>> experiments;
  std::string artifact_root;            // of runs: an absolute folder
  std::vector<SearchDataset> datasets;  // of logged models
  // Logged models, which requests order by objects (logged_model_order): these come before the
  // query's order_by.
  std::vector<SearchOrder> order_by;
  std::size_t shortcut_rows = kSearchShortcutRows;  // other values are for tests
};

// The row's number in its table (runs.run, experiments.experiment, logged_models.model,
// registered_models.model, model_versions.model); of a model version, which of them.
struct SearchRow {
  std::int64_t row = 0;
  std::int64_t version = 0;
};

struct SearchRows {
  std::vector<SearchRow> rows;
  std::string next_page_token;  // empty: that was all
};

// One page of the answer, in its order. All of the query is checked before the store is asked.
// Throws kInvalidParameter for a query against the rules, and what a Transaction throws.
SearchRows search_store(Transaction& transaction, const SearchScope& scope,
                        const SearchQuery& query);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_QUERY_HPP_
