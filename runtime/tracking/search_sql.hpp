#ifndef MLRT_TRACKING_SEARCH_SQL_HPP_
#define MLRT_TRACKING_SEARCH_SQL_HPP_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tracking/records.hpp"
#include "tracking/search_parser.hpp"

namespace mlrt {

// Internal: a parsed search as SQL for the store's schema. No input becomes SQL text; all of it is
// bound.

// Logged models: one that has a metric on this data set. Every digest, if it has none.
struct SearchDataset {
  std::string name;
  std::optional<std::string> digest;
};

// Walking an index in the wanted order finds a page of 100 among 100,000 rows after
// 100 * 100,000 / n rows, if n match; beginning with those n takes n. These are about equal here.
constexpr std::size_t kSearchShortcutRows = 4000;

// A search whose texts were read.
struct SearchSpec {
  SearchTarget target = SearchTarget::kRuns;
  std::vector<SearchClause> where;
  std::vector<SearchOrder> order_by;
  ViewType view = ViewType::kActive;  // of runs and experiments
  // Runs and logged models: in these experiments, by number; in all if absent; in none if empty.
  std::optional<std::vector<std::int64_t>> experiments;
  std::vector<SearchDataset> datasets;
  // What artifact_uri is compared with depends on it: an absolute folder.
  std::string artifact_root;
  std::string artifact_uri;                         // as SearchQuery has it
  std::size_t shortcut_rows = kSearchShortcutRows;  // other values are for tests
};

// SELECT of two integers a row: the row's number in its table and, of a model version, the version,
// else 0. The text ends with "LIMIT ? OFFSET ?", whose values come after `values`.
struct SearchStatement {
  std::string sql;
  std::vector<SearchValue> values;
  // Where ORDER BY begins, and how many values stand before it.
  std::size_t order_at = 0;
  std::size_t order_values_at = 0;
};

// Another way to the whole answer, from the rows that one condition names. It is the better one
// where these are few, which the probe tells: it counts them up to SearchSpec::shortcut_rows + 1.
struct SearchShortcut {
  std::string probe_sql;
  std::vector<SearchValue> probe_values;
  SearchStatement rows;
};

// The answer is that of the first part, then that of the second, and so on, each in its order; or
// that of any shortcut.
struct SearchPlan {
  std::vector<SearchStatement> parts;
  std::vector<SearchShortcut> shortcuts;
};

// Throws kInvalidParameter for an order_by that is too long or names a field twice. Pure.
SearchPlan compile_search(const SearchSpec& query);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_SQL_HPP_
