#ifndef MLRT_TRACKING_SEARCH_PARSER_HPP_
#define MLRT_TRACKING_SEARCH_PARSER_HPP_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tracking/search_target.hpp"

namespace mlrt {

// MLflow's search language, text to conditions; nothing here knows a store.
//
//   filter     := [ condition { AND condition } ]
//   condition  := identifier comparator value
//               | identifier [NOT] IN ( string { , string } [,] )
//               | identifier IS [NOT] NULL
//   identifier := attribute | prefix . key
//   key        := name { . name } | quoted in backticks, double or single quotes
//   value      := number | string in single or double quotes
//
// Words such as AND and LIKE may be in either case, names may not. Quotes have no escapes.

using SearchValue = std::variant<std::int64_t, double, std::string>;

struct SearchClause {
  SearchEntity entity = SearchEntity::kAttribute;
  std::string key;                             // of a metric, parameter or tag
  const SearchAttribute* attribute = nullptr;  // of an attribute or a data set; static
  SearchComparator comparator = SearchComparator::kEqual;
  std::vector<SearchValue> values;  // one; several for IN, NOT IN; none for IS [NOT] NULL
};

struct SearchOrder {
  SearchEntity entity = SearchEntity::kAttribute;
  std::string key;
  const SearchAttribute* attribute = nullptr;
  bool ascending = true;
  // Logged models: only a metric's values on this data set count. Empty: on any.
  std::string dataset_name;
  std::string dataset_digest;
};

// The conditions of a filter; none for an empty text. Throws kInvalidParameter with the column (in
// characters, from 1) and what was expected there; a filter is refused beyond 100 conditions or
// 1 MiB. Thread-safe, as all here.
std::vector<SearchClause> parse_search_filter(SearchTarget target, std::string_view text);

// One entry of an order_by list: an identifier, then ASC (the default) or DESC. Throws
// kInvalidParameter as above.
SearchOrder parse_search_order(SearchTarget target, std::string_view text);

// An entry of order_by as requests for logged models have it: `field_name` is an attribute or
// "metrics." and a key, taken as it is. Throws kInvalidParameter.
SearchOrder logged_model_order(const std::string& field_name, bool ascending,
                               const std::string& dataset_name, const std::string& dataset_digest);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_PARSER_HPP_
