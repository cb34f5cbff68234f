#include "tracking/search_sql.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tracking/search_conditions.hpp"

namespace mlrt {
namespace {

// Each may join a table, of which SQLite takes 64.
constexpr std::size_t kMaxSearchOrders = 30;
// Each costs a look at an index.
constexpr std::size_t kMaxSearchShortcuts = 8;
// MLflow keeps prompts among the registered models, told by this tag, and leaves them out unless a
// filter asks for them.
constexpr char kSearchPromptTag[] = "mlflow.prompt.is_prompt";

// What a statement about runs begins with, before the runs themselves.
enum class SearchSource {
  kRows,         // nothing: the table in its own or the default order
  kOrderValues,  // the values of the first field of order_by, in their order: `o`
  kOrderNan,     // its NaNs
  kOrderAbsent,  // nothing: the runs that do not have it
  kClause,       // the values that satisfy a condition: `s`
};

bool search_is_range(SearchComparator comparator) {
  return comparator == SearchComparator::kEqual || comparator == SearchComparator::kLess ||
         comparator == SearchComparator::kLessEqual || comparator == SearchComparator::kGreater ||
         comparator == SearchComparator::kGreaterEqual;
}

// Whether a metric's condition bounds the values in an index.
bool search_bounds_metric(const SearchClause& clause) {
  return clause.entity == SearchEntity::kMetric && search_is_range(clause.comparator) &&
         std::fabs(std::get<double>(clause.values[0])) < std::numeric_limits<double>::max();
}

std::string search_order_name(const SearchOrder& order) {
  if (order.attribute != nullptr) return order.attribute->name;
  const char* prefix = order.entity == SearchEntity::kMetric  ? "metrics."
                       : order.entity == SearchEntity::kParam ? "params."
                                                              : "tags.";
  return prefix + order.key;
}

bool search_same_field(const SearchOrder& order, const SearchClause& clause) {
  return order.attribute == nullptr && clause.entity == order.entity && clause.key == order.key;
}

// Writes one statement.
class SearchWriter : private SearchConditions {
 public:
  SearchWriter(const SearchSpec& query, SearchSource source, std::size_t clause)
      : SearchConditions(query), source_(source), clause_(clause) {}

  SearchStatement rows();
  SearchShortcut shortcut();

 private:
  void source_from();
  void source_where();
  void scope();
  void prompts();
  bool is_consumed(std::size_t index) const;
  void order_join(std::size_t index);
  void order_key(std::size_t index);
  void order_by();
  bool leads_order() const {
    return source_ == SearchSource::kOrderValues || source_ == SearchSource::kOrderNan ||
           source_ == SearchSource::kOrderAbsent;
  }

  SearchSource source_;
  std::size_t clause_;  // of kClause
};

// CROSS JOIN: SQLite keeps the order of the tables, which is the point of it.
void SearchWriter::source_from() {
  switch (source_) {
    case SearchSource::kRows:
    case SearchSource::kOrderAbsent:
      add(tables_.from);
      return;
    case SearchSource::kOrderValues:
    case SearchSource::kOrderNan:
      match_ = "x.run = o.run";
      add(child_table(query_.order_by[0].entity));
      add(" AS o CROSS JOIN runs AS t ON t.run = o.run");
      return;
    case SearchSource::kClause: {
      match_ = "x.run = s.run";
      const SearchClause& clause = query_.where[clause_];
      if (clause.entity == SearchEntity::kAttribute) {
        add("(SELECT DISTINCT x.run FROM json_each(?) AS l CROSS JOIN runs AS x ON x.run_id = "
            "l.value)");
        bind(search_json_list(clause.values));
      } else {
        add(child_table(clause.entity));
      }
      add(" AS s CROSS JOIN runs AS t ON t.run = s.run");
      return;
    }
  }
}

// The conditions of the source itself, each followed by AND.
void SearchWriter::source_where() {
  if (source_ == SearchSource::kRows) return;
  if (source_ == SearchSource::kClause) {
    const SearchClause& clause = query_.where[clause_];
    if (clause.entity == SearchEntity::kAttribute) return;
    key_condition(clause.entity, clause.key, "s");
    if (clause.entity == SearchEntity::kMetric) {
      add(" AND ");
      compare_metric("s.value", clause);
    } else {
      add(" AND s.value");
      compare(clause);
    }
    add(" AND ");
    return;
  }
  const SearchOrder& first = query_.order_by[0];
  if (source_ == SearchSource::kOrderAbsent) {
    add("NOT EXISTS (SELECT 1 FROM ");
    add(child_table(first.entity));
    add(" AS x WHERE x.run = t.run AND ");
    key_condition(first.entity, first.key, "x");
    add(") AND ");
    return;
  }
  key_condition(first.entity, first.key, "o");
  add(" AND ");
  if (source_ == SearchSource::kOrderNan) {
    add("o.value IS NULL AND ");
    return;
  }
  bool bounded = first.entity != SearchEntity::kMetric;
  for (const SearchClause& clause : query_.where) {
    if (!search_same_field(first, clause)) continue;
    if (clause.entity == SearchEntity::kMetric) {
      compare_metric("o.value", clause);
      bounded = bounded || search_bounds_metric(clause);
    } else {
      add("o.value");
      compare(clause);
    }
    add(" AND ");
  }
  // Every number; written so that the index is entered behind its NULLs.
  if (!bounded) add("o.value >= -9e999 AND ");
}

// View and experiments, each followed by AND.
void SearchWriter::scope() {
  const bool has_view =
      query_.target == SearchTarget::kRuns || query_.target == SearchTarget::kExperiments;
  const bool is_model = query_.target == SearchTarget::kLoggedModels;
  if ((has_view && query_.view == ViewType::kActive) || is_model) {
    add("t.lifecycle_stage = 'active' AND ");
  } else if (has_view && query_.view == ViewType::kDeleted) {
    add("t.lifecycle_stage = 'deleted' AND ");
  }
  if ((query_.target == SearchTarget::kRuns || is_model) && query_.experiments) {
    const std::vector<std::int64_t>& ids = *query_.experiments;
    if (ids.size() == 1) {
      add("t.experiment = ? AND ");
      bind(ids[0]);
    } else {
      add("t.experiment IN (SELECT l.value FROM json_each(?) AS l) AND ");
      bind(search_json_list(std::vector<SearchValue>(ids.begin(), ids.end())));
    }
  }
  if (is_model && !query_.datasets.empty() &&
      std::none_of(query_.where.begin(), query_.where.end(), [](const SearchClause& clause) {
        return clause.entity == SearchEntity::kMetric;
      })) {
    add("EXISTS (SELECT 1 FROM logged_model_metrics AS x WHERE x.model = t.model AND ");
    model_metric_on_dataset();
    add(") AND ");
  }
}

bool search_names_prompt_tag(const SearchClause& clause) {
  return clause.entity == SearchEntity::kTag && clause.key == kSearchPromptTag;
}

// As MLflow has it, the first condition on the tag decides, and it alone.
bool search_wants_prompts(const SearchSpec& query) {
  for (const SearchClause& clause : query.where) {
    if (!search_names_prompt_tag(clause)) continue;
    const std::string value = to_lower(std::get<std::string>(clause.values[0]));
    return (clause.comparator == SearchComparator::kEqual && value == "true") ||
           (clause.comparator == SearchComparator::kNotEqual && value == "false");
  }
  return false;
}

bool search_may_hold_prompts(SearchTarget target) {
  return target == SearchTarget::kRegisteredModels || target == SearchTarget::kModelVersions;
}

// Leaves prompts out; followed by AND.
void SearchWriter::prompts() {
  if (!search_may_hold_prompts(query_.target) || search_wants_prompts(query_)) return;
  add("NOT EXISTS (SELECT 1 FROM ");
  add(tables_.tags);
  add(" AS x WHERE x.model = t.model AND x.key = ? AND x.value = 'true') AND ");
  bind(std::string(kSearchPromptTag));
}

// Whether the source has seen to this condition already.
bool SearchWriter::is_consumed(std::size_t index) const {
  const SearchClause& clause = query_.where[index];
  if (source_ == SearchSource::kClause) return index == clause_;
  if (leads_order()) return search_same_field(query_.order_by[0], clause);
  return search_may_hold_prompts(query_.target) && search_names_prompt_tag(clause) &&
         !search_wants_prompts(query_);
}

// The table of a field of order_by other than an attribute. The value of a logged model's metric is
// a sub-query of ORDER BY instead.
void SearchWriter::order_join(std::size_t index) {
  const SearchOrder& order = query_.order_by[index];
  if (order.attribute != nullptr || query_.target != SearchTarget::kRuns) return;
  const std::string row = "o" + std::to_string(index);
  add(" LEFT JOIN ");
  add(child_table(order.entity));
  add(" AS " + row + " ON " + row + ".run = t.run AND ");
  key_condition(order.entity, order.key, row.c_str());
}

void SearchWriter::order_key(std::size_t index) {
  const SearchOrder& order = query_.order_by[index];
  const char* last = order.ascending ? " ASC NULLS LAST" : " DESC NULLS LAST";
  if (order.attribute != nullptr) {
    column(*order.attribute);
    // Where there are no NULLs they are not mentioned, so that an index can serve.
    add(order.attribute->nullable ? last : (order.ascending ? " ASC" : " DESC"));
  } else if (query_.target == SearchTarget::kLoggedModels) {
    add("(SELECT x.value FROM logged_model_metrics AS x JOIN runs AS r ON r.run = x.run WHERE "
        "x.model = t.model AND ");
    key_condition(order.entity, order.key, "x");
    if (!order.dataset_name.empty()) {
      add(" AND x.dataset_name = ?");
      bind(order.dataset_name);
    }
    if (!order.dataset_digest.empty()) {
      add(" AND x.dataset_digest = ?");
      bind(order.dataset_digest);
    }
    add(" ORDER BY x.timestamp DESC, x.step DESC, r.run_id LIMIT 1)");
    add(last);
  } else {
    const std::string row = "o" + std::to_string(index);
    // Numbers, then NaN, then none at all, in both directions.
    if (order.entity == SearchEntity::kMetric) {
      add("CASE WHEN " + row + ".run IS NULL THEN 2 WHEN " + row +
          ".value IS NULL THEN 1 ELSE 0 END, ");
    }
    add(row + ".value");
    add(last);
  }
}

// The fields of order_by, then what MLflow adds so that the order is total.
void SearchWriter::order_by() {
  out_.order_at = out_.sql.size();
  out_.order_values_at = out_.values.size();
  add(" ORDER BY ");
  const char* separator = "";
  if (source_ == SearchSource::kOrderValues) {
    add(query_.order_by[0].ascending ? "o.value ASC" : "o.value DESC");
    separator = ", ";
  }
  std::vector<std::string_view> named;
  for (std::size_t i = 0; i < query_.order_by.size(); ++i) {
    const SearchOrder& order = query_.order_by[i];
    if (order.attribute != nullptr) named.push_back(order.attribute->column);
    if (i == 0 && leads_order()) continue;
    add(separator);
    order_key(i);
    separator = ", ";
  }
  const auto then = [&](std::string_view column, std::string_view text) {
    if (std::find(named.begin(), named.end(), column) != named.end()) return;
    add(separator);
    add(text);
    separator = ", ";
  };
  const bool natural = query_.order_by.empty();
  switch (query_.target) {
    case SearchTarget::kRuns:
      then("t.start_time", "t.start_time DESC");
      then("t.run_id", "t.run_id");
      break;
    case SearchTarget::kExperiments:
      if (natural) add("t.creation_time DESC, t.experiment");
      if (!natural) then("t.experiment", "t.experiment DESC");
      break;
    case SearchTarget::kLoggedModels:
      then("t.creation_time", "t.creation_time DESC");
      then("t.model_id", "t.model_id");
      break;
    case SearchTarget::kRegisteredModels:
      then("t.name", "t.name");
      break;
    case SearchTarget::kModelVersions:
      if (natural) then("", "t.last_update_time DESC");
      then("m.name", "m.name");
      then("t.version", "t.version DESC");
      break;
  }
  add(" LIMIT ? OFFSET ?");
}

SearchStatement SearchWriter::rows() {
  out_ = SearchStatement();
  add("SELECT ");
  add(tables_.columns);
  add(" FROM ");
  source_from();
  for (std::size_t i = leads_order() ? 1 : 0; i < query_.order_by.size(); ++i) order_join(i);
  add(" WHERE ");
  source_where();
  scope();
  prompts();
  for (std::size_t i = 0; i < query_.where.size(); ++i) {
    if (is_consumed(i)) continue;
    condition(query_.where[i]);
    add(" AND ");
  }
  // Every condition ends with AND, also where there are none.
  add("1");
  order_by();
  return std::move(out_);
}

SearchShortcut SearchWriter::shortcut() {
  out_ = SearchStatement();
  add("SELECT count(*) FROM (SELECT 1 FROM ");
  add(child_table(query_.where[clause_].entity));
  add(" AS s WHERE ");
  source_where();
  add("1 LIMIT " + std::to_string(query_.shortcut_rows + 1) + ")");
  SearchShortcut shortcut;
  shortcut.probe_sql = std::move(out_.sql);
  shortcut.probe_values = std::move(out_.values);
  shortcut.rows = rows();
  return shortcut;
}

void check_search_orders(const SearchSpec& query) {
  if (query.order_by.size() > kMaxSearchOrders) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid order_by: it has " + std::to_string(query.order_by.size()) +
                    " entries, and at most " + std::to_string(kMaxSearchOrders) + " are taken");
  }
  if (!search_target_info(query.target).unique_order) return;
  for (std::size_t i = 0; i < query.order_by.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const SearchOrder& one = query.order_by[i];
      const SearchOrder& other = query.order_by[j];
      if (one.entity != other.entity) continue;
      const bool same = one.attribute != nullptr
                            ? std::string_view(one.attribute->column) == other.attribute->column
                            : one.key == other.key;
      if (!same) continue;
      throw Error(ErrorCode::kInvalidParameter, "`order_by` contains duplicate fields: entry " +
                                                    std::to_string(i + 1) + " names " +
                                                    quoted(search_order_name(one)) + " again");
    }
  }
}

}  // namespace

SearchPlan compile_search(const SearchSpec& query) {
  check_search_orders(query);
  SearchPlan plan;
  const auto part = [&](SearchSource source, std::size_t clause) {
    plan.parts.push_back(SearchWriter(query, source, clause).rows());
  };
  if (query.target != SearchTarget::kRuns) {
    part(SearchSource::kRows, 0);
    return plan;
  }
  // Runs named by their ids: there is no better way than to begin with them.
  for (std::size_t i = 0; i < query.where.size(); ++i) {
    const SearchClause& clause = query.where[i];
    if (clause.attribute == nullptr || std::string_view(clause.attribute->name) != "run_id")
      continue;
    if (clause.comparator == SearchComparator::kEqual ||
        clause.comparator == SearchComparator::kIn) {
      part(SearchSource::kClause, i);
      return plan;
    }
  }
  for (std::size_t i = 0; i < query.where.size(); ++i) {
    if (plan.shortcuts.size() == kMaxSearchShortcuts) break;
    const SearchClause& clause = query.where[i];
    const bool is_text =
        clause.entity == SearchEntity::kParam || clause.entity == SearchEntity::kTag;
    if ((is_text && clause.comparator == SearchComparator::kEqual) ||
        search_bounds_metric(clause)) {
      plan.shortcuts.push_back(SearchWriter(query, SearchSource::kClause, i).shortcut());
    }
  }
  if (query.order_by.empty() || query.order_by[0].attribute != nullptr) {
    part(SearchSource::kRows, 0);
    return plan;
  }
  // By a metric, parameter or tag: first the runs that have it, from the index of its values, then
  // those that have not. The conditions on the same field tell which of them there can be.
  const SearchOrder& first = query.order_by[0];
  bool values = true;
  bool nan = first.entity == SearchEntity::kMetric;
  bool absent = true;
  for (const SearchClause& clause : query.where) {
    if (!search_same_field(first, clause)) continue;
    if (clause.comparator == SearchComparator::kIsNull) {
      values = false;
    } else {
      absent = false;
    }
    if (clause.comparator != SearchComparator::kNotEqual) nan = false;
  }
  if (values) part(SearchSource::kOrderValues, 0);
  if (nan) part(SearchSource::kOrderNan, 0);
  if (absent) part(SearchSource::kOrderAbsent, 0);
  return plan;
}

}  // namespace mlrt
