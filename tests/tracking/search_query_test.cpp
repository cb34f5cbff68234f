#include "tracking/search_query.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/text.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/search_page.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::SearchQuery;
using mlrt::SearchRow;
using mlrt::SearchRows;
using mlrt::SearchScope;
using mlrt::SearchTarget;
using mlrt::Statement;
using mlrt::Transaction;
using mlrt::ViewType;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

// Seven runs: in Default (0) 1 and 2, deleted 5; in "alpha" (1) 3, 4, 6; in "Beta" (2) 7. Of rmse
// run 2 has a NaN, 3 and 4 the infinities, 6 and 7 none.
constexpr char kSearchTestData[] = R"sql(
UPDATE experiments SET creation_time = 100, last_update_time = 500 WHERE experiment = 0;
INSERT INTO experiments (experiment, name, lifecycle_stage, creation_time, last_update_time)
  VALUES (1, 'alpha', 'active', 300, 400), (2, 'Beta', 'active', 300, 600),
         (3, 'b_ta', 'deleted', 200, 300);
INSERT INTO experiment_tags (experiment, key, value)
  VALUES (1, 'team', 'A'), (2, 'team', 'b'), (3, 'team', 'A'), (2, 'x.y', '1');
INSERT INTO runs (run, run_id, experiment, name, user, status, start_time, end_time,
                  lifecycle_stage, artifact_location)
  VALUES (1, 'a1', 0, 'fit', 'ann', 'FINISHED', 1000, 2000, 'active', NULL),
         (2, 'b2', 0, 'Fit', 'Bob', 'RUNNING', 1000, NULL, 'active', NULL),
         (3, 'c3', 1, 'tree-1', 'ann', 'FAILED', 1500, 2500, 'active', NULL),
         (4, 'd4', 1, 'tree_2', '', 'KILLED', 900, 1800, 'active', '/elsewhere'),
         (5, 'e5', 0, 'gone', 'ann', 'FINISHED', 5000, 6000, 'deleted', NULL),
         (6, 'f6', 1, 'o''x', 'ann', 'SCHEDULED', 1500, NULL, 'active', NULL),
         (7, 'g7', 2, 'last', 'Bob', 'FINISHED', 100, 200, 'active', NULL);
INSERT INTO params (run, key, value)
  VALUES (1, 'model', 'tree'), (2, 'model', 'Tree'), (3, 'model', 'linear'), (4, 'model', 'a%b'),
         (6, 'model', 'a_b'), (5, 'model', 'tree'), (1, 'lr', '0.1'), (3, 'lr', '0.01'),
         (1, 'my key', 'it''s'), (2, 'my key', 'a*b?[c]'), (3, 'my key', ''),
         (6, 'my key', 'gr' || char(252) || 'n');
INSERT INTO tags (run, key, value)
  VALUES (1, 'team', 'A'), (3, 'team', 'b'), (6, 'team', 'A'), (1, 'mlflow.source.name', 't.py');
INSERT INTO metric_keys (metric_key, name) VALUES (1, 'rmse'), (2, 'loss'), (3, 'val/loss');
INSERT INTO latest_metrics (run, metric_key, step, timestamp, value)
  VALUES (1, 1, 1, 1, 0.5), (2, 1, 1, 1, NULL), (3, 1, 1, 1, 9e999), (4, 1, 1, 1, -9e999),
         (5, 1, 1, 1, 0.1), (1, 2, 1, 1, 1.0), (3, 2, 1, 1, 1.0), (6, 2, 1, 1, 2.0),
         (7, 2, 1, 1, -0.0), (7, 3, 1, 1, 1.7976931348623157e308);
INSERT INTO datasets (dataset, experiment, name, digest, source_type, source, schema, profile)
  VALUES (1, 0, 'trips', 'd1', 'local', '', '', ''), (2, 1, 'Trips', 'd2', 'local', '', '', ''),
         (3, 1, 'zones', 'd1', 'local', '', '', '');
INSERT INTO inputs (run, dataset, context)
  VALUES (1, 1, 'train'), (2, 1, ''), (3, 2, 'eval'), (3, 3, 'train'), (6, 3, 'Train');

INSERT INTO logged_models (model, model_id, experiment, name, model_type, source_run_id, status,
                           creation_time, last_update_time, lifecycle_stage)
  VALUES (1, 'm-1', 0, 'net', 'clf', 'a1', 'READY', 10, 20, 'active'),
         (2, 'm-2', 0, 'Net', NULL, NULL, 'PENDING', 30, 10, 'active'),
         (3, 'm-3', 1, 'tree', 'reg', 'c3', 'FAILED', 10, 30, 'active'),
         (4, 'm-4', 1, 'tree', 'reg', 'c3', 'READY', 90, 90, 'deleted');
INSERT INTO logged_model_params (model, key, value)
  VALUES (1, 'lr', '0.1'), (2, 'lr', '0.01'), (3, 'depth', '3');
INSERT INTO logged_model_tags (model, key, value) VALUES (1, 'stage', 'one'), (3, 'stage', 'Two');
INSERT INTO logged_model_metrics (model, metric_key, run, dataset_name, dataset_digest, step,
                                  timestamp, value)
  VALUES (1, 1, 1, 'trips', 'd1', 1, 1, 0.5), (1, 1, 3, 'zones', 'd1', 1, 2, 5.0),
         (2, 1, 1, 'trips', 'd2', 1, 1, 2.0), (3, 2, 3, '', '', 1, 1, 1.0);

INSERT INTO registered_models (model, name, creation_time, last_update_time)
  VALUES (1, 'churn', 1, 30), (2, 'Churn', 2, 10), (3, 'net_1', 3, 30), (4, 'hello', 4, 40);
INSERT INTO registered_model_tags (model, key, value)
  VALUES (1, 'team', 'A'), (3, 'team', 'b'), (4, 'team', 'A'),
         (4, 'mlflow.prompt.is_prompt', 'true');
INSERT INTO model_versions (model, version, source, run_id, creation_time, last_update_time)
  VALUES (1, 1, 's3://a', 'a1', 1, 9), (1, 2, 's3://b', '', 2, 8), (2, 1, '/x', 'c3', 3, 9),
         (4, 1, 'text', '', 4, 10);
INSERT INTO model_version_tags (model, version, key, value)
  VALUES (1, 1, 'k', 'v'), (1, 2, 'k', 'V'), (4, 1, 'mlflow.prompt.is_prompt', 'true');
)sql";

struct SearchFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  SearchScope scope;

  SearchFixture() {
    scope.artifact_root = "/art";
    Transaction transaction(*database, Transaction::Mode::kWrite);
    for (const std::string& sql : mlrt::split(kSearchTestData, ';')) {
      if (!mlrt::trim(sql).empty()) transaction.run(sql);
    }
    transaction.commit();
  }

  SearchRows page(const SearchQuery& query) {
    Transaction transaction(*database, Transaction::Mode::kRead);
    return mlrt::search_store(transaction, scope, query);
  }
  // The numbers of the rows, "1 2"; "1.2" for version 2 of the model 1.
  static std::string text(const std::vector<SearchRow>& rows) {
    std::string out;
    for (const SearchRow& row : rows) {
      if (!out.empty()) out += " ";
      out += std::to_string(row.row);
      if (row.version != 0) out += "." + std::to_string(row.version);
    }
    return out;
  }
  // The whole answer, which every way to it must give: by shortcuts and without, page by page.
  std::string found(SearchQuery query) {
    const std::string whole = text(page(query).rows);
    const std::size_t kept = scope.shortcut_rows;
    scope.shortcut_rows = 0;
    CHECK(text(page(query).rows) == whole);
    for (const std::size_t size : {1, 2, 3}) {
      query.max_results = size;
      query.page_token.clear();
      std::vector<SearchRow> all;
      do {
        const SearchRows next = page(query);
        REQUIRE(next.rows.size() <= size);
        all.insert(all.end(), next.rows.begin(), next.rows.end());
        query.page_token = next.next_page_token;
      } while (!query.page_token.empty() && all.size() < 100);
      CHECK(text(all) == whole);
    }
    scope.shortcut_rows = kept;
    return whole;
  }
  std::string found(const std::string& filter, const std::vector<std::string>& order_by = {},
                    ViewType view = ViewType::kActive) {
    SearchQuery query;
    query.filter = filter;
    query.order_by = order_by;
    query.view = view;
    return found(query);
  }
  struct Expected {
    const char* filter;
    const char* rows;  // sorted
  };
  // For filters alone: the order does not matter.
  void check_filters(const std::vector<Expected>& table) {
    for (const Expected& one : table) {
      CAPTURE(one.filter);
      std::vector<std::string> rows = mlrt::split(found(one.filter), ' ');
      std::sort(rows.begin(), rows.end());
      CHECK(mlrt::join(rows, " ") == one.rows);
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(SearchFixture, "runs are found by their metrics") {
  check_filters({
      {"metrics.loss = 1", "1 3"},
      {"metrics.loss != 1", "6 7"},
      {"metrics.loss < 1", "7"},
      {"metrics.loss <= 1", "1 3 7"},
      {"metrics.loss > 1", "6"},
      {"metrics.loss >= 1.0", "1 3 6"},
      {"metrics.loss = 0", "7"},
      {"metrics.`val/loss` > 0", "7"},
      {"metrics.nobody != 1", ""},
      {"metrics.rmse < 1 and metrics.loss = 1", "1"},
      // A NaN differs from every number and is nothing else; an absent metric is not even that.
      {"metrics.rmse = 0.5", "1"},
      {"metrics.rmse != 0.5", "2 3 4"},
      {"metrics.rmse < 1", "1 4"},
      {"metrics.rmse > 1", "3"},
      {"metrics.rmse >= 0 AND metrics.rmse != 7", "1 3"},
  });
}

TEST_CASE_FIXTURE(SearchFixture,
                  "an infinite metric compares like the largest number, as in MLflow") {
  check_filters({
      {"metrics.rmse = 1e400", ""},
      {"metrics.rmse != 1e400", "1 2 3 4"},
      {"metrics.rmse < 1e400", "1 3 4"},
      {"metrics.rmse <= 1e400", "1 3 4"},
      {"metrics.rmse > 1e400", ""},
      {"metrics.rmse >= 1e400", ""},
      {"metrics.rmse = 1.7976931348623157e308", "3"},
      {"metrics.rmse != 1.7976931348623157e308", "1 2 4"},
      {"metrics.rmse < 1.7976931348623157e308", "1 4"},
      {"metrics.rmse <= 1.7976931348623157e308", "1 3 4"},
      {"metrics.rmse > 1.7976931348623157e308", ""},
      {"metrics.rmse >= 1.7976931348623157e308", "3"},
      {"metrics.rmse = -1.7976931348623157e308", "4"},
      {"metrics.rmse > -1.7976931348623157e308", "1 3"},
      {"metrics.rmse <= -1.7976931348623157e308", "4"},
      {"metrics.rmse < -1.7976931348623157e308", ""},
      {"metrics.rmse > -1e400", "1 3 4"},
      {"metrics.rmse >= -1e400", "1 3 4"},
      {"metrics.rmse < -1e400", ""},
      {"metrics.`val/loss` = 1.7976931348623157e308", "7"},
  });
}

TEST_CASE_FIXTURE(SearchFixture, "runs are found by their parameters and tags") {
  check_filters({
      {"params.model = 'tree'", "1"},
      {"params.model != 'tree'", "2 3 4 6"},
      {"params.model LIKE 'tree'", "1"},
      {"params.model LIKE '%r%e'", "1 2"},
      {"params.model LIKE 't%'", "1"},
      {"params.model ILIKE 't%'", "1 2"},
      {"params.model ILIKE 'TREE'", "1 2"},
      {"params.model LIKE 'a_b'", "4 6"},
      {"params.model LIKE 'a%b'", "4 6"},
      {"params.model = 'a%b'", "4"},
      {"params.model IS NULL", "7"},
      {"params.model IS NOT NULL", "1 2 3 4 6"},
      {"params.lr = '0.1' AND params.model = 'tree'", "1"},
      {"params.lr = '0.1' AND params.model = 'linear'", ""},
      {"params.`my key` = \"it's\"", "1"},
      {"params.`my key` = 'it''s'", ""},
      {"params.`my key` = ''", "3"},
      {"params.`my key` != ''", "1 2 6"},
      {"params.`my key` LIKE '%'", "1 2 3 6"},
      {"params.`my key` LIKE ''", "3"},
      // What means something to GLOB means nothing here.
      {"params.`my key` LIKE '%*b?[c]'", "2"},
      {"params.`my key` LIKE '%[c]%'", "2"},
      {"params.`my key` LIKE '*'", ""},
      {"params.`my key` LIKE '%?%'", "2"},
      // One character, not one byte; the case of other letters than ASCII's counts.
      {"params.`my key` LIKE 'gr_n'", "6"},
      {"params.`my key` ILIKE 'GR_N'", "6"},
      {"params.`my key` ILIKE 'GR\xc3\xbcN'", "6"},
      {"params.`my key` ILIKE 'GR\xc3\x9cN'", ""},
      {"tags.team = 'A'", "1 6"},
      {"tags.team != 'A'", "3"},
      {"tags.team ILIKE 'B'", "3"},
      {"tags.mlflow.source.name LIKE '%.py'", "1"},
      {"tags.team IS NULL", "2 4 7"},
      {"tags.team IS NOT NULL AND tags.team != 'b'", "1 6"},
      {"tags.team IS NULL AND tags.team IS NOT NULL", ""},
  });
}

TEST_CASE_FIXTURE(SearchFixture, "runs are found by their attributes and data sets") {
  check_filters({
      {"", "1 2 3 4 6 7"},
      {"run_id = 'c3'", "3"},
      {"run_id != 'c3'", "1 2 4 6 7"},
      {"run_id IN ('c3', 'a1', 'e5', 'a1')", "1 3"},
      {"run_id NOT IN ('c3', 'a1')", "2 4 6 7"},
      {"run_id LIKE '_3'", "3"},
      {"run_id IN ('a1', 'b2') AND run_id = 'b2' AND user_id = 'Bob'", "2"},
      {"run_name = 'fit'", "1"},
      {"`Run Name` ILIKE 'fit'", "1 2"},
      {"run_name LIKE 'tree__'", "3 4"},
      {"user_id = 'ann'", "1 3 6"},
      {"user_id != 'ann'", "2 4 7"},
      {"status = 'FINISHED'", "1 7"},
      {"attributes.status LIKE '%ED'", "1 3 4 6 7"},
      {"status = 'finished'", ""},
      {"start_time = 1500", "3 6"},
      {"created >= 1000", "1 2 3 6"},
      {"start_time < 899.5", "7"},
      {"start_time < 12345678901234567890", "1 2 3 4 6 7"},
      {"end_time > 0", "1 3 4 7"},
      {"end_time != 2000", "3 4 7"},
      {"artifact_uri = '/art/0/a1/artifacts'", "1"},
      {"artifact_uri LIKE '/art/1/%'", "3 6"},
      {"artifact_uri = '/elsewhere'", "4"},
      {"dataset.name = 'trips'", "1 2"},
      {"dataset.name != 'trips'", "3 6"},
      {"dataset.name ILIKE 'TRIPS'", "1 2 3"},
      {"datasets.name IN ('Trips', 'trips')", "1 2 3"},
      {"dataset.digest NOT IN ('d1')", "3"},
      {"dataset.context = 'train'", "1 3"},
      {"dataset.context != 'train'", "3 6"},
      {"dataset.context LIKE '%ain'", "1 3 6"},
      // Each condition may be about another data set.
      {"dataset.name = 'Trips' AND dataset.context = 'train'", "3"},
  });
}

TEST_CASE_FIXTURE(SearchFixture, "runs are ordered with NaN and absent values last both ways") {
  CHECK(found("") == "3 6 1 2 4 7");
  CHECK(found("", {"metrics.rmse"}) == "4 1 3 2 6 7");
  CHECK(found("", {"metrics.rmse DESC"}) == "3 1 4 2 6 7");
  CHECK(found("metrics.rmse != 7", {"metrics.rmse DESC"}) == "3 1 4 2");
  CHECK(found("metrics.rmse > 0", {"metrics.rmse"}) == "1 3");
  CHECK(found("", {"metrics.nobody"}) == "3 6 1 2 4 7");
  CHECK(found("", {"metrics.loss"}) == "7 3 1 6 2 4");
  CHECK(found("", {"metrics.loss DESC", "metrics.rmse"}) == "6 1 3 7 4 2");
  CHECK(found("", {"metrics.loss DESC", "metrics.rmse DESC"}) == "6 3 1 7 4 2");
  CHECK(found("", {"params.model"}) == "2 4 6 3 1 7");
  CHECK(found("", {"params.model DESC"}) == "1 3 6 4 2 7");
  CHECK(found("params.model IS NULL", {"params.model"}) == "7");
  CHECK(found("params.model LIKE '%e%'", {"params.model"}) == "2 3 1");
  CHECK(found("", {"tags.team", "start_time ASC"}) == "1 6 3 7 4 2");
  CHECK(found("", {"end_time"}) == "7 4 1 3 6 2");
  CHECK(found("", {"end_time DESC"}) == "3 1 4 7 6 2");
  CHECK(found("", {"start_time"}) == "7 4 1 2 3 6");
  CHECK(found("", {"start_time DESC", "run_id DESC"}) == "6 3 2 1 4 7");
  CHECK(found("", {"status", "run_name"}) == "3 1 7 4 2 6");
  CHECK(found("", {"user_id DESC"}) == "3 6 1 2 7 4");
  CHECK(found("", {"artifact_uri"}) == "1 2 3 6 7 4");
  CHECK(found("run_id IN ('a1', 'c3', 'd4')", {"metrics.rmse"}) == "4 1 3");
}

TEST_CASE_FIXTURE(SearchFixture, "a search keeps to its view and experiments") {
  CHECK(found("", {}, ViewType::kDeleted) == "5");
  CHECK(found("", {}, ViewType::kAll) == "5 3 6 1 2 4 7");
  CHECK(found("", {"metrics.rmse"}, ViewType::kAll) == "4 5 1 3 2 6 7");
  scope.experiments = {0};
  CHECK(found("", {"metrics.rmse"}) == "1 2");
  CHECK(found("params.model = 'tree'") == "1");
  scope.experiments = {1, 2, 99};
  CHECK(found("", {"metrics.loss"}) == "7 3 6 4");
  scope.experiments.emplace();
  CHECK(found("") == "");
}

TEST_CASE_FIXTURE(SearchFixture, "experiments are found and ordered") {
  scope.target = SearchTarget::kExperiments;
  check_filters({
      {"", "0 1 2"},
      {"name = 'alpha'", "1"},
      {"name != 'alpha'", "0 2"},
      {"name LIKE 'b%'", ""},
      {"name ILIKE 'b%'", "2"},
      {"experiment_id = '2'", "2"},
      {"experiment_id != '2'", "0 1"},
      {"experiment_id IN ('0', '1', '7')", "0 1"},
      {"experiment_id NOT IN ('0')", "1 2"},
      {"creation_time >= 300", "1 2"},
      {"last_update_time < 600 AND creation_time = 300", "1"},
      {"tags.team = 'A'", "1"},
      {"tags.team != 'A'", "2"},
      {"tag.team ILIKE 'B'", "2"},
      {"tags.`x.y` = '1'", "2"},
      {"tags.team IS NULL", "0"},
      {"tags.team IS NOT NULL", "1 2"},
  });
  CHECK(found("") == "1 2 0");
  CHECK(found("", {"name"}) == "2 0 1");
  CHECK(found("", {"creation_time"}) == "0 2 1");
  CHECK(found("", {"creation_time DESC", "experiment_id ASC"}) == "1 2 0");
  CHECK(found("", {"last_update_time DESC"}) == "2 0 1");
  CHECK(found("", {"experiment_id DESC"}) == "2 1 0");
  CHECK(found("tags.team = 'A'", {}, ViewType::kDeleted) == "3");
  CHECK(found("", {}, ViewType::kAll) == "1 2 3 0");
}

TEST_CASE_FIXTURE(SearchFixture, "logged models are found and ordered") {
  scope.target = SearchTarget::kLoggedModels;
  check_filters({
      {"", "1 2 3"},
      {"name = 'net'", "1"},
      {"name ILIKE 'NET'", "1 2"},
      {"name IN ('net', 'tree')", "1 3"},
      {"attributes.name NOT IN ('net')", "2 3"},
      {"model_id = 'm-2'", "2"},
      {"model_type != 'clf'", "3"},
      {"source_run_id = 'a1'", "1"},
      {"status = 'READY'", "1"},
      {"creation_time <= 10", "1 3"},
      {"last_updated_timestamp > 15", "1 3"},
      {"params.lr = 0.1", "1"},
      {"params.lr IN ('0.1', '0.01')", "1 2"},
      {"tags.stage LIKE 'o%'", "1"},
      {"tags.stage ILIKE 't%'", "3"},
      {"metrics.rmse < 1", "1"},
      {"metrics.rmse > 1", "1 2"},
      {"metrics.rmse > 1 AND metrics.loss = 1", ""},
  });
  CHECK(found("") == "2 1 3");
  scope.experiments = {1};
  CHECK(found("") == "3");
  scope.experiments.reset();

  scope.order_by = {mlrt::logged_model_order("metrics.rmse", true, "", "")};
  CHECK(found("") == "2 1 3");
  scope.order_by = {mlrt::logged_model_order("metrics.rmse", false, "", "")};
  CHECK(found("") == "1 2 3");
  scope.order_by = {mlrt::logged_model_order("metrics.rmse", true, "trips", "")};
  CHECK(found("") == "1 2 3");
  scope.order_by = {mlrt::logged_model_order("metrics.rmse", true, "trips", "d2")};
  CHECK(found("") == "2 1 3");
  scope.order_by = {mlrt::logged_model_order("model_type", false, "", "")};
  CHECK(found("") == "3 1 2");
  scope.order_by = {mlrt::logged_model_order("last_updated_timestamp", true, "", "")};
  CHECK(found("") == "2 1 3");
  scope.order_by.clear();

  scope.datasets = {{"trips", std::nullopt}};
  CHECK(found("") == "2 1");
  CHECK(found("metrics.rmse > 1") == "2");
  scope.datasets = {{"trips", "d1"}, {"zones", std::nullopt}};
  CHECK(found("") == "1");
  CHECK(found("metrics.rmse > 1") == "1");
  scope.datasets = {{"", std::nullopt}};
  CHECK(caught([&] { found(""); }).message ==
        "`dataset_name` in the `datasets` clause must be specified.");
}

TEST_CASE_FIXTURE(SearchFixture, "registered models are found and ordered, without prompts") {
  scope.target = SearchTarget::kRegisteredModels;
  check_filters({
      {"", "1 2 3"},
      {"name = 'churn'", "1"},
      {"name ILIKE 'churn'", "1 2"},
      {"name LIKE 'net__'", "3"},
      {"name IN ('churn', 'hello')", "1"},
      {"name NOT IN ('churn')", "2 3"},
      {"tags.team = 'A'", "1"},
      {"tags.team != 'A'", "3"},
      {"tags.`mlflow.prompt.is_prompt` = 'true'", "4"},
      {"tags.`mlflow.prompt.is_prompt` != 'false' AND tags.team = 'A'", "4"},
      {"tags.`mlflow.prompt.is_prompt` = 'false'", "1 2 3"},
      {"tags.`mlflow.prompt.is_prompt` != 'true'", "1 2 3"},
  });
  CHECK(found("") == "2 1 3");
  CHECK(found("", {"name DESC"}) == "3 1 2");
  CHECK(found("", {"timestamp"}) == "2 1 3");
  CHECK(found("", {"last_updated_timestamp DESC"}) == "1 3 2");
}

TEST_CASE_FIXTURE(SearchFixture, "model versions are found and ordered, without prompts") {
  scope.target = SearchTarget::kModelVersions;
  check_filters({
      {"", "1.1 1.2 2.1"},
      {"name = 'churn'", "1.1 1.2"},
      {"name IN ('Churn')", "2.1"},
      {"version_number > 1", "1.2"},
      {"version_number = '1'", "1.1 2.1"},
      {"run_id = 'a1'", "1.1"},
      {"run_id != 'a1'", "2.1"},
      {"run_id IN ('a1', 'c3')", "1.1 2.1"},
      {"run_id NOT IN ('a1')", "2.1"},
      {"source_path LIKE 's3:%'", "1.1 1.2"},
      {"tags.k = 'v'", "1.1"},
      {"tags.k ILIKE 'v'", "1.1 1.2"},
      {"tags.`mlflow.prompt.is_prompt` = 'true'", "4.1"},
  });
  CHECK(found("") == "2.1 1.1 1.2");
  CHECK(found("", {"name"}) == "2.1 1.2 1.1");
  CHECK(found("", {"version_number"}) == "2.1 1.1 1.2");
  CHECK(found("", {"creation_timestamp DESC"}) == "2.1 1.2 1.1");
  CHECK(found("", {"last_updated_timestamp"}) == "1.2 2.1 1.1");
}

TEST_CASE_FIXTURE(SearchFixture, "an order_by with a field twice or too many is refused") {
  const auto refusal = [&](const std::vector<std::string>& order_by) {
    return caught([&] { found("", order_by); }).message;
  };
  CHECK(refusal({"metrics.a", "params.a", "metrics.a DESC"}) ==
        "`order_by` contains duplicate fields: entry 3 names 'metrics.a' again");
  CHECK(refusal({"start_time", "created"}) ==
        "`order_by` contains duplicate fields: entry 2 names 'created' again");
  std::vector<std::string> many;
  for (int i = 0; i < 30; ++i) many.push_back("metrics.m" + std::to_string(i));
  CHECK(refusal(many) == "");
  many.push_back("metrics.last");
  CHECK(refusal(many) == "Invalid order_by: it has 31 entries, and at most 30 are taken");
}

TEST_CASE_FIXTURE(SearchFixture, "a filter as long as is taken is answered") {
  std::string filter = "metrics.loss > -1";
  for (int i = 0; i < 99; ++i) {
    filter += i % 2 == 0 ? " AND params.model != 'x" + std::to_string(i) + "'"
                         : " AND metrics.loss < " + std::to_string(100 + i);
  }
  CHECK(found(filter, {"metrics.loss"}) == "3 1 6");
  std::string ids = "'a1'";
  for (int i = 0; i < 20000; ++i) ids += ",'no" + std::to_string(i) + "'";
  CHECK(found("run_id IN (" + ids + ")") == "1");
}

TEST_CASE_FIXTURE(SearchFixture, "pages have the size and token that MLflow gives them") {
  SearchQuery query;
  query.max_results = 2;
  const SearchRows first = page(query);
  CHECK(text(first.rows) == "3 6");
  CHECK(first.next_page_token == "eyJvZmZzZXQiOiAyfQ==");
  query.page_token = first.next_page_token;
  query.max_results = 4;
  const SearchRows second = page(query);
  CHECK(text(second.rows) == "1 2 4 7");
  CHECK(second.next_page_token == "");
  query.page_token = mlrt::make_page_token(1000);
  CHECK(text(page(query).rows) == "");

  const auto refusal = [](const std::string& token) {
    return caught([&] { mlrt::parse_page_token(token); }).message;
  };
  CHECK(mlrt::parse_page_token("") == 0);
  for (const std::int64_t offset : {std::int64_t{1}, std::int64_t{12345}, std::int64_t{1} << 60})
    CHECK(mlrt::parse_page_token(mlrt::make_page_token(offset)) == offset);
  CHECK(refusal("???") == "Invalid page token, could not base64-decode");
  CHECK(refusal("eyJvZmZzZXQiOiAyfQ=") == "Invalid page token, could not base64-decode");
  CHECK(refusal(std::string(100000, 'A')) == "Invalid page token, could not base64-decode");
  CHECK(refusal(mlrt::make_page_token(0)) == "Invalid page token, decoded value='{\"offset\": 0}'");
  CHECK(refusal(mlrt::make_page_token(-1)) ==
        "Invalid page token, decoded value='{\"offset\": -1}'");
  CHECK(refusal("WzFd") == "Invalid page token, decoded value='[1]'");
  CHECK(refusal("e30=") == "Invalid page token, decoded value='{}'");
  CHECK(refusal("QUJD").find("page token") != std::string::npos);

  struct Limit {
    SearchTarget target;
    std::size_t usual, most;
  };
  for (const Limit& limit :
       {Limit{SearchTarget::kRuns, 1000, 50000}, Limit{SearchTarget::kExperiments, 1000, 50000},
        Limit{SearchTarget::kLoggedModels, 100, 50000},
        Limit{SearchTarget::kRegisteredModels, 100, 1000},
        Limit{SearchTarget::kModelVersions, 10000, 200000}}) {
    CHECK(mlrt::search_page_size(limit.target, 0) == limit.usual);
    CHECK(mlrt::search_page_size(limit.target, limit.most) == limit.most);
    CHECK(caught([&] { mlrt::search_page_size(limit.target, limit.most + 1); }).code ==
          ErrorCode::kInvalidParameter);
  }
  CHECK(caught([&] { mlrt::search_page_size(SearchTarget::kRuns, 50001); }).message ==
        "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000");
}

TEST_CASE_FIXTURE(SearchFixture, "a search by a metric walks the index of its values") {
  mlrt::SearchSpec spec;
  spec.where =
      mlrt::parse_search_filter(SearchTarget::kRuns, "metrics.rmse < 1 and params.model = 'tree'");
  spec.order_by = {mlrt::parse_search_order(SearchTarget::kRuns, "metrics.rmse DESC")};
  const mlrt::SearchPlan plan = mlrt::compile_search(spec);
  REQUIRE(plan.parts.size() == 1);
  REQUIRE(plan.shortcuts.size() == 2);
  const auto explain = [&](const std::string& sql) {
    Transaction transaction(*database, Transaction::Mode::kRead);
    Statement steps = transaction.query("EXPLAIN QUERY PLAN " + sql);
    std::string lines;
    while (steps.step()) lines += steps.text(3) + "\n";
    return lines;
  };
  const std::string walk = explain(plan.parts[0].sql);
  CAPTURE(walk);
  CHECK(walk.find("SEARCH o USING COVERING INDEX latest_metrics_by_value (metric_key=? AND "
                  "value<?)") == 0);
  CHECK(walk.find("SEARCH t USING INTEGER PRIMARY KEY") != std::string::npos);
  // Only what follows the metric in the order is sorted: SQLite's words for it changed.
  CHECK((walk.find("LAST 2 TERMS OF ORDER BY") != std::string::npos ||
         walk.find("RIGHT PART OF ORDER BY") != std::string::npos));
  CHECK(walk.find("SCAN") == std::string::npos);
  for (const mlrt::SearchShortcut& shortcut : plan.shortcuts) {
    const std::string probe = explain(shortcut.probe_sql);
    const std::string rows = explain(shortcut.rows.sql);
    CAPTURE(probe);
    CAPTURE(rows);
    CHECK(probe.find("_by_value") != std::string::npos);
    CHECK(rows.find("SEARCH s USING COVERING INDEX") == 0);
    CHECK(rows.find("SCAN") == std::string::npos);
  }
}

TEST_CASE_FIXTURE(SearchFixture, "what a filter names is never part of the statement") {
  const std::string evil = "x'); DROP TABLE runs; --";
  CHECK(found("params.`" + evil + "` = \"" + evil + "\" AND tags.a LIKE \"" + evil + "%\"",
              {"metrics.`" + evil + "` DESC"}) == "");
  mlrt::SearchSpec spec;
  spec.where = mlrt::parse_search_filter(
      SearchTarget::kRuns, "params.`" + evil + "` = \"" + evil + "\" AND run_name = 'zzz'");
  for (const mlrt::SearchStatement& part : mlrt::compile_search(spec).parts) {
    CHECK(part.sql.find("DROP") == std::string::npos);
    CHECK(part.sql.find("zzz") == std::string::npos);
  }
  CHECK(found("") == "3 6 1 2 4 7");
}
