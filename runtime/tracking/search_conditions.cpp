#include "tracking/search_conditions.hpp"

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/json.hpp"

namespace mlrt {
namespace {

constexpr char kSearchMetricKey[] = "(SELECT k.metric_key FROM metric_keys AS k WHERE k.name = ?)";

// LIKE without case is SQLite's own. With case it is GLOB, which other connections' or callers'
// settings do not change, and which can use an index.
std::string search_glob_pattern(std::string_view like) {
  std::string glob;
  for (const char c : like) {
    if (c == '%') {
      glob += '*';
    } else if (c == '_') {
      glob += '?';
    } else if (c == '*' || c == '?' || c == '[') {
      glob += '[';
      glob += c;
      glob += ']';
    } else {
      glob += c;
    }
  }
  return glob;
}

}  // namespace

const SearchTables& search_tables(SearchTarget target) {
  static const SearchTables runs = {"runs AS t", "t.run, 0", "x.run = t.run",
                                    "params",    "tags",     "latest_metrics"};
  static const SearchTables experiments = {"experiments AS t",
                                           "t.experiment, 0",
                                           "x.experiment = t.experiment",
                                           "",
                                           "experiment_tags",
                                           ""};
  static const SearchTables logged_models = {"logged_models AS t", "t.model, 0",
                                             "x.model = t.model",  "logged_model_params",
                                             "logged_model_tags",  "logged_model_metrics"};
  static const SearchTables registered_models = {
      "registered_models AS t", "t.model, 0", "x.model = t.model", "", "registered_model_tags", ""};
  static const SearchTables model_versions = {
      "model_versions AS t JOIN registered_models AS m ON m.model = t.model",
      "t.model, t.version",
      "x.model = t.model AND x.version = t.version",
      "",
      "model_version_tags",
      ""};
  switch (target) {
    case SearchTarget::kRuns:
      return runs;
    case SearchTarget::kExperiments:
      return experiments;
    case SearchTarget::kLoggedModels:
      return logged_models;
    case SearchTarget::kRegisteredModels:
      return registered_models;
    case SearchTarget::kModelVersions:
      return model_versions;
  }
  throw Error(ErrorCode::kInternal, "there is no such target of a search");
}

std::string search_json_list(const std::vector<SearchValue>& values) {
  Json list = Json::array();
  for (const SearchValue& value : values) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      list.push_back(*text);
    } else {
      list.push_back(std::get<std::int64_t>(value));
    }
  }
  return dump_json(list);
}

void SearchConditions::column(const SearchAttribute& attribute) {
  const std::string_view text = attribute.column;
  if (text.find('?') == std::string_view::npos) return add(text);
  const std::string& root = query_.artifact_root;
  const std::string below = !root.empty() && root.back() == '/' ? root : root + "/";
  const bool as_uri = !query_.artifact_uri.empty();
  if (as_uri) add("replace(");
  add(text);
  bind(below);
  if (!as_uri) return;
  add(", ?, ?)");
  bind(below);
  bind(query_.artifact_uri);
}

const char* SearchConditions::child_table(SearchEntity entity) const {
  return entity == SearchEntity::kMetric  ? tables_.metrics
         : entity == SearchEntity::kParam ? tables_.params
                                          : tables_.tags;
}

void SearchConditions::key_condition(SearchEntity entity, const std::string& key, const char* row) {
  add(row);
  if (entity == SearchEntity::kMetric) {
    add(".metric_key = ");
    add(kSearchMetricKey);
  } else {
    add(".key = ?");
  }
  bind(key);
}

void SearchConditions::compare(const SearchClause& clause) {
  switch (clause.comparator) {
    case SearchComparator::kLike:
      add(" GLOB ?");
      bind(search_glob_pattern(std::get<std::string>(clause.values[0])));
      return;
    case SearchComparator::kILike:
      add(" LIKE ?");
      bind(clause.values[0]);
      return;
    case SearchComparator::kIn:
    case SearchComparator::kNotIn:
      // One bound value, however many there are: the statement is the same and stays prepared.
      add(clause.comparator == SearchComparator::kIn ? " IN " : " NOT IN ");
      add("(SELECT l.value FROM json_each(?) AS l)");
      bind(search_json_list(clause.values));
      return;
    case SearchComparator::kIsNull:
      add(" IS NULL");
      return;
    case SearchComparator::kIsNotNull:
      add(" IS NOT NULL");
      return;
    default:
      add(" ");
      add(search_comparator_name(clause.comparator));
      add(" ?");
      bind(clause.values[0]);
      return;
  }
}

// MLflow stores an infinite metric as the largest finite number; conditions with such a number, or
// one beyond, answer as they would there. A NaN, which is NULL here, is unequal to every number,
// and that is all that can be said of it.
void SearchConditions::compare_metric(const std::string& left, const SearchClause& clause) {
  using C = SearchComparator;
  constexpr double kLargest = std::numeric_limits<double>::max();
  const double value = std::get<double>(clause.values[0]);
  const C comparator = clause.comparator;
  std::string text;
  bool bound = true;
  if (std::fabs(value) < kLargest) {
    text = left + " " + search_comparator_name(comparator) + " ?";
  } else {
    // On the side of the large numbers, "beyond" is > and "within" is <; else the other way round.
    const bool up = value > 0;
    const C beyond = up ? C::kGreater : C::kLess;
    const C beyond_or_equal = up ? C::kGreaterEqual : C::kLessEqual;
    const C within = up ? C::kLess : C::kGreater;
    const C within_or_equal = up ? C::kLessEqual : C::kGreaterEqual;
    const bool at_edge = std::fabs(value) == kLargest;
    if (comparator == within_or_equal ||
        (!at_edge && (comparator == within || comparator == C::kNotEqual))) {
      text = left + " IS NOT NULL";
      bound = false;
    } else if (comparator == beyond ||
               (!at_edge && (comparator == beyond_or_equal || comparator == C::kEqual))) {
      text = "0";
      bound = false;
    } else if (comparator == C::kEqual || comparator == beyond_or_equal) {
      text = left + (up ? " >= ?" : " <= ?");
    } else {
      text = left + (up ? " < ?" : " > ?");
    }
  }
  if (comparator == C::kNotEqual) text = "(" + text + " OR " + left + " IS NULL)";
  add(text);
  if (bound) bind(value);
}

void SearchConditions::child_condition(const SearchClause& clause) {
  add(clause.comparator == SearchComparator::kIsNull ? "NOT EXISTS" : "EXISTS");
  add(" (SELECT 1 FROM ");
  add(child_table(clause.entity));
  add(" AS x WHERE ");
  add(match_);
  add(" AND ");
  key_condition(clause.entity, clause.key, "x");
  if (clause.entity == SearchEntity::kMetric) {
    add(" AND ");
    compare_metric("x.value", clause);
    if (!query_.datasets.empty()) {
      add(" AND ");
      model_metric_on_dataset();
    }
  } else if (!clause.values.empty()) {
    add(" AND x.value");
    compare(clause);
  }
  add(")");
}

void SearchConditions::dataset_condition(const SearchClause& clause) {
  add("EXISTS (SELECT 1 FROM inputs AS x JOIN datasets AS d ON d.dataset = x.dataset WHERE ");
  add(match_);
  // An input without a context has '' here and no such tag in MLflow, where nothing matches it.
  if (std::string_view(clause.attribute->name) == "context") add(" AND x.context <> ''");
  add(" AND ");
  column(*clause.attribute);
  compare(clause);
  add(")");
}

void SearchConditions::model_metric_on_dataset() {
  add("(");
  for (std::size_t i = 0; i < query_.datasets.size(); ++i) {
    const SearchDataset& dataset = query_.datasets[i];
    add(i == 0 ? "(x.dataset_name = ?" : " OR (x.dataset_name = ?");
    bind(dataset.name);
    if (dataset.digest) {
      add(" AND x.dataset_digest = ?");
      bind(*dataset.digest);
    }
    add(")");
  }
  add(")");
}

void SearchConditions::condition(const SearchClause& clause) {
  switch (clause.entity) {
    case SearchEntity::kMetric:
    case SearchEntity::kParam:
    case SearchEntity::kTag:
      child_condition(clause);
      return;
    case SearchEntity::kDataset:
      dataset_condition(clause);
      return;
    case SearchEntity::kAttribute:
      column(*clause.attribute);
      compare(clause);
      return;
  }
}

}  // namespace mlrt
