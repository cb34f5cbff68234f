#ifndef MLRT_TRACKING_SEARCH_TARGET_HPP_
#define MLRT_TRACKING_SEARCH_TARGET_HPP_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// What can be searched for, and which names a filter and an order_by may use there: MLflow's tables
// of identifiers and comparators, as data.

enum class SearchTarget { kRuns, kExperiments, kLoggedModels, kRegisteredModels, kModelVersions };

enum class SearchEntity { kAttribute, kMetric, kParam, kTag, kDataset };

enum class SearchComparator {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kLike,   // case-sensitive; '%' is any text, '_' one character
  kILike,  // the same without regard to the case of ASCII letters
  kIn,
  kNotIn,
  kIsNull,     // the run has no such key
  kIsNotNull,  // the run has it
};

const char* search_comparator_name(SearchComparator comparator);  // "=", "NOT IN", ...

// What values a field has, and so which comparators and literals go with it.
enum class SearchKind {
  kNumber,         // = != < <= > >= and a number
  kWholeNumber,    // the same and a whole number
  kQuotedInteger,  // the same; the number may stand in quotes
  kText,           // = != LIKE ILIKE and a string in quotes
  kTextOrList,     // also IN and NOT IN with a list of strings
  kTextOrNull,     // as kText; also IS NULL and IS NOT NULL
  kId,             // = != IN NOT IN and whole numbers in quotes
};

// The comparators of a kind, in the order that messages list them.
const std::vector<SearchComparator>& search_comparators(SearchKind kind);
// The same as words for a message: "=, !=, LIKE, ILIKE".
std::string search_comparator_list(SearchKind kind);

// An attribute, or a field of a data set.
struct SearchAttribute {
  const char* name;    // as users write it
  const char* column;  // an SQL expression over the row `t` (of a data set: `x`); never from input
  SearchKind kind;
  bool in_filter;
  bool in_order;
  bool nullable = false;  // a row may have none; it comes last in both directions
};

// A word before the dot: "metrics", "attr", ...
struct SearchPrefix {
  const char* word;
  SearchEntity entity;
};

struct SearchTargetInfo {
  SearchTarget target;
  const char* plural;  // "runs", for messages
  std::vector<SearchPrefix> prefixes;
  std::vector<SearchAttribute> attributes;
  std::vector<SearchAttribute> dataset_fields;
  bool has_metrics;
  bool has_params;
  SearchKind text_kind;                  // of parameters and tags
  bool bare_text;                        // a string may stand without quotes (logged models only)
  std::vector<SearchEntity> order_keys;  // what order_by may name besides attributes
  bool unique_order;                     // order_by may name a field once only
  std::size_t default_results;
  std::size_t max_results;
};

const SearchTargetInfo& search_target_info(SearchTarget target);

// The attribute `name`, or nullptr.
const SearchAttribute* find_search_attribute(const std::vector<SearchAttribute>& attributes,
                                             std::string_view name);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_TARGET_HPP_
