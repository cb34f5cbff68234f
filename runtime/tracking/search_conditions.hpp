#ifndef MLRT_TRACKING_SEARCH_CONDITIONS_HPP_
#define MLRT_TRACKING_SEARCH_CONDITIONS_HPP_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tracking/search_sql.hpp"

namespace mlrt {

// Internal to search_sql: writes the conditions of a search as SQL.

// The tables of a target. The row is `t`, what hangs on it `x`.
struct SearchTables {
  const char* from;
  const char* columns;
  const char* match;  // joins x to t
  const char* params;
  const char* tags;
  const char* metrics;
};

const SearchTables& search_tables(SearchTarget target);

// Values (strings or whole numbers) as one JSON array, to be read by json_each.
std::string search_json_list(const std::vector<SearchValue>& values);

// Appends to a statement; its row is `t`. Every piece of text is written here or comes from the
// tables of search_target, every value is bound.
class SearchConditions {
 protected:
  explicit SearchConditions(const SearchSpec& query)
      : query_(query), tables_(search_tables(query.target)), match_(tables_.match) {}

  void add(std::string_view text) { out_.sql += text; }
  void bind(SearchValue value) { out_.values.push_back(std::move(value)); }
  // An attribute's expression, with what it needs bound.
  void column(const SearchAttribute& attribute);
  const char* child_table(SearchEntity entity) const;
  // "x.key = ?" for the row `x` of a table of parameters, tags or metrics.
  void key_condition(SearchEntity entity, const std::string& key, const char* row);
  // The comparator and its value, behind the left side. Not for metrics.
  void compare(const SearchClause& clause);
  // A metric's whole comparison; `left` is its value.
  void compare_metric(const std::string& left, const SearchClause& clause);
  // Of a row x of logged_model_metrics: whether it is on one of the data sets.
  void model_metric_on_dataset();
  // A whole condition of the filter.
  void condition(const SearchClause& clause);

  const SearchSpec& query_;
  const SearchTables& tables_;
  // What makes a row `x` of another table one of `t`. On a row that comes before `t` where there is
  // one: what a condition leaves out is then not looked up in `t`.
  const char* match_;
  SearchStatement out_;

 private:
  void child_condition(const SearchClause& clause);
  void dataset_condition(const SearchClause& clause);
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_CONDITIONS_HPP_
