#include "tracking/search_target.hpp"

#include "core/error.hpp"

namespace mlrt {
namespace {

using SearchTargetComparators = std::vector<SearchComparator>;

// A run's artifact folder. "NULL: the usual place" is undone here; the bound value is the artifact
// root with a '/' at its end.
constexpr char kSearchRunFolder[] =
    "coalesce(t.artifact_location, coalesce((SELECT rtrim(e.artifact_location, '/') FROM "
    "experiments AS e WHERE e.experiment = t.experiment), ? || t.experiment) || '/' || t.run_id || "
    "'/artifacts')";

SearchTargetInfo search_runs_info() {
  SearchTargetInfo info{};
  info.target = SearchTarget::kRuns;
  info.plural = "runs";
  info.prefixes = {
      {"metrics", SearchEntity::kMetric},
      {"metric", SearchEntity::kMetric},
      {"params", SearchEntity::kParam},
      {"param", SearchEntity::kParam},
      {"parameters", SearchEntity::kParam},
      {"parameter", SearchEntity::kParam},
      {"tags", SearchEntity::kTag},
      {"tag", SearchEntity::kTag},
      {"attributes", SearchEntity::kAttribute},
      {"attribute", SearchEntity::kAttribute},
      {"attr", SearchEntity::kAttribute},
      {"run", SearchEntity::kAttribute},
      {"datasets", SearchEntity::kDataset},
      {"dataset", SearchEntity::kDataset},
  };
  info.attributes = {
      {"run_id", "t.run_id", SearchKind::kTextOrList, true, true},
      {"run_name", "t.name", SearchKind::kText, true, true},
      {"user_id", "t.user", SearchKind::kText, true, true},
      {"status", "t.status", SearchKind::kText, true, true},
      {"artifact_uri", kSearchRunFolder, SearchKind::kText, true, true},
      {"start_time", "t.start_time", SearchKind::kNumber, true, true},
      {"end_time", "t.end_time", SearchKind::kNumber, true, true, true},
      // Names that older versions of MLflow's pages showed.
      {"created", "t.start_time", SearchKind::kNumber, true, true},
      {"Created", "t.start_time", SearchKind::kNumber, true, true},
      {"run name", "t.name", SearchKind::kText, true, false},
      {"Run name", "t.name", SearchKind::kText, true, false},
      {"Run Name", "t.name", SearchKind::kText, true, false},
  };
  info.dataset_fields = {
      {"name", "d.name", SearchKind::kTextOrList, true, false},
      {"digest", "d.digest", SearchKind::kTextOrList, true, false},
      {"context", "x.context", SearchKind::kTextOrList, true, false},
  };
  info.has_metrics = true;
  info.has_params = true;
  info.text_kind = SearchKind::kTextOrNull;
  info.order_keys = {SearchEntity::kMetric, SearchEntity::kParam, SearchEntity::kTag};
  info.unique_order = true;
  info.default_results = 1000;
  info.max_results = 50000;
  return info;
}

SearchTargetInfo search_experiments_info() {
  SearchTargetInfo info{};
  info.target = SearchTarget::kExperiments;
  info.plural = "experiments";
  info.prefixes = {{"attribute", SearchEntity::kAttribute},
                   {"tags", SearchEntity::kTag},
                   {"tag", SearchEntity::kTag}};
  info.attributes = {
      {"name", "t.name", SearchKind::kText, true, true},
      {"experiment_id", "t.experiment", SearchKind::kId, true, true},
      {"creation_time", "t.creation_time", SearchKind::kWholeNumber, true, true},
      {"last_update_time", "t.last_update_time", SearchKind::kWholeNumber, true, true},
  };
  info.text_kind = SearchKind::kTextOrNull;
  info.default_results = 1000;
  info.max_results = 50000;
  return info;
}

SearchTargetInfo search_logged_models_info() {
  SearchTargetInfo info{};
  info.target = SearchTarget::kLoggedModels;
  info.plural = "logged models";
  info.prefixes = {{"attributes", SearchEntity::kAttribute},
                   {"metrics", SearchEntity::kMetric},
                   {"params", SearchEntity::kParam},
                   {"tags", SearchEntity::kTag}};
  info.attributes = {
      {"name", "t.name", SearchKind::kTextOrList, true, true},
      {"model_id", "t.model_id", SearchKind::kTextOrList, true, true},
      {"model_type", "t.model_type", SearchKind::kTextOrList, true, true, true},
      {"status", "t.status", SearchKind::kTextOrList, true, true},
      {"source_run_id", "t.source_run_id", SearchKind::kTextOrList, true, true, true},
      {"creation_timestamp", "t.creation_time", SearchKind::kNumber, true, true},
      {"creation_time", "t.creation_time", SearchKind::kNumber, true, true},
      {"creation_timestamp_ms", "t.creation_time", SearchKind::kNumber, true, true},
      {"last_updated_timestamp", "t.last_update_time", SearchKind::kNumber, true, true},
      {"last_updated_time", "t.last_update_time", SearchKind::kNumber, true, true},
      {"last_updated_timestamp_ms", "t.last_update_time", SearchKind::kNumber, true, true},
  };
  info.has_metrics = true;
  info.has_params = true;
  info.text_kind = SearchKind::kTextOrList;
  info.bare_text = true;
  info.order_keys = {SearchEntity::kMetric};
  info.default_results = 100;
  info.max_results = 50000;
  return info;
}

SearchTargetInfo search_registered_models_info() {
  SearchTargetInfo info{};
  info.target = SearchTarget::kRegisteredModels;
  info.plural = "registered models";
  info.prefixes = {{"attribute", SearchEntity::kAttribute},
                   {"tags", SearchEntity::kTag},
                   {"tag", SearchEntity::kTag}};
  info.attributes = {
      {"name", "t.name", SearchKind::kTextOrList, true, true},
      {"timestamp", "t.last_update_time", SearchKind::kNumber, false, true},
      {"last_updated_timestamp", "t.last_update_time", SearchKind::kNumber, false, true},
  };
  info.text_kind = SearchKind::kText;
  info.unique_order = true;
  info.default_results = 100;
  info.max_results = 1000;
  return info;
}

SearchTargetInfo search_model_versions_info() {
  SearchTargetInfo info{};
  info.target = SearchTarget::kModelVersions;
  info.plural = "model versions";
  info.prefixes = {{"attribute", SearchEntity::kAttribute},
                   {"tags", SearchEntity::kTag},
                   {"tag", SearchEntity::kTag}};
  info.attributes = {
      {"name", "m.name", SearchKind::kTextOrList, true, true},
      {"version_number", "t.version", SearchKind::kQuotedInteger, true, true},
      // A version that no run made has '' here, where MLflow has NULL, which matches nothing.
      {"run_id", "nullif(t.run_id, '')", SearchKind::kTextOrList, true, false},
      {"source_path", "t.source", SearchKind::kText, true, false},
      {"creation_timestamp", "t.creation_time", SearchKind::kNumber, false, true},
      {"last_updated_timestamp", "t.last_update_time", SearchKind::kNumber, false, true},
  };
  info.text_kind = SearchKind::kText;
  info.unique_order = true;
  info.default_results = 10000;
  info.max_results = 200000;
  return info;
}

}  // namespace

const char* search_comparator_name(SearchComparator comparator) {
  switch (comparator) {
    case SearchComparator::kEqual:
      return "=";
    case SearchComparator::kNotEqual:
      return "!=";
    case SearchComparator::kLess:
      return "<";
    case SearchComparator::kLessEqual:
      return "<=";
    case SearchComparator::kGreater:
      return ">";
    case SearchComparator::kGreaterEqual:
      return ">=";
    case SearchComparator::kLike:
      return "LIKE";
    case SearchComparator::kILike:
      return "ILIKE";
    case SearchComparator::kIn:
      return "IN";
    case SearchComparator::kNotIn:
      return "NOT IN";
    case SearchComparator::kIsNull:
      return "IS NULL";
    case SearchComparator::kIsNotNull:
      return "IS NOT NULL";
  }
  throw Error(ErrorCode::kInternal, "a comparator of a search has no name");
}

const std::vector<SearchComparator>& search_comparators(SearchKind kind) {
  using C = SearchComparator;
  static const SearchTargetComparators numbers = {C::kEqual,     C::kNotEqual, C::kLess,
                                                  C::kLessEqual, C::kGreater,  C::kGreaterEqual};
  static const SearchTargetComparators text = {C::kEqual, C::kNotEqual, C::kLike, C::kILike};
  static const SearchTargetComparators text_or_list = {C::kEqual, C::kNotEqual, C::kLike,
                                                       C::kILike, C::kIn,       C::kNotIn};
  static const SearchTargetComparators text_or_null = {C::kEqual, C::kNotEqual, C::kLike,
                                                       C::kILike, C::kIsNull,   C::kIsNotNull};
  static const SearchTargetComparators id = {C::kEqual, C::kNotEqual, C::kIn, C::kNotIn};
  switch (kind) {
    case SearchKind::kNumber:
    case SearchKind::kWholeNumber:
    case SearchKind::kQuotedInteger:
      return numbers;
    case SearchKind::kText:
      return text;
    case SearchKind::kTextOrList:
      return text_or_list;
    case SearchKind::kTextOrNull:
      return text_or_null;
    case SearchKind::kId:
      return id;
  }
  throw Error(ErrorCode::kInternal, "a kind of search field has no comparators");
}

std::string search_comparator_list(SearchKind kind) {
  std::string list;
  for (const SearchComparator comparator : search_comparators(kind)) {
    if (!list.empty()) list += ", ";
    list += search_comparator_name(comparator);
  }
  return list;
}

const SearchTargetInfo& search_target_info(SearchTarget target) {
  static const SearchTargetInfo runs = search_runs_info();
  static const SearchTargetInfo experiments = search_experiments_info();
  static const SearchTargetInfo logged_models = search_logged_models_info();
  static const SearchTargetInfo registered_models = search_registered_models_info();
  static const SearchTargetInfo model_versions = search_model_versions_info();
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

const SearchAttribute* find_search_attribute(const std::vector<SearchAttribute>& attributes,
                                             std::string_view name) {
  for (const SearchAttribute& attribute : attributes) {
    if (name == attribute.name) return &attribute;
  }
  return nullptr;
}

}  // namespace mlrt
