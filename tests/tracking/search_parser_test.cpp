#include "tracking/search_parser.hpp"

#include <doctest/doctest.h>

#include "store/store_testing.hpp"

using mlrt::ErrorCode;
using mlrt::parse_search_filter;
using mlrt::parse_search_order;
using mlrt::SearchClause;
using mlrt::SearchComparator;
using mlrt::SearchEntity;
using mlrt::SearchOrder;
using mlrt::SearchTarget;
using mlrt::test::caught;
using mlrt::test::Caught;

namespace {

// A condition as text: its parts between bars, so that a test can write down what it expects.
std::string parsed_condition(const SearchClause& clause) {
  const char* entities[] = {"attribute", "metric", "param", "tag", "dataset"};
  std::string text = entities[static_cast<int>(clause.entity)];
  text += "|" + clause.key + "|" + mlrt::search_comparator_name(clause.comparator);
  for (const mlrt::SearchValue& value : clause.values) {
    text += "|";
    if (const auto* whole = std::get_if<std::int64_t>(&value)) text += std::to_string(*whole);
    if (const auto* number = std::get_if<double>(&value)) text += std::to_string(*number);
    if (const auto* string = std::get_if<std::string>(&value)) text += *string;
  }
  return text;
}

std::string parsed_filter(SearchTarget target, const std::string& filter) {
  std::string text;
  for (const SearchClause& clause : parse_search_filter(target, filter)) {
    text += (text.empty() ? "" : " & ") + parsed_condition(clause);
  }
  return text;
}

std::string run_filter(const std::string& filter) {
  return parsed_filter(SearchTarget::kRuns, filter);
}

struct WrongSearch {
  SearchTarget target;
  std::string text;
  std::string message;  // behind "Invalid filter: " or "Invalid order_by '...': "
};

constexpr SearchTarget kTestRuns = SearchTarget::kRuns;
constexpr SearchTarget kTestExperiments = SearchTarget::kExperiments;
constexpr SearchTarget kTestLogged = SearchTarget::kLoggedModels;
constexpr SearchTarget kTestRegistered = SearchTarget::kRegisteredModels;
constexpr SearchTarget kTestVersions = SearchTarget::kModelVersions;

}  // namespace

TEST_CASE("a filter is read as its conditions") {
  CHECK(run_filter("") == "");
  CHECK(run_filter(" \n\t ") == "");
  CHECK(run_filter("metrics.rmse < 1 and params.model = 'tree'") ==
        "metric|rmse|<|1.000000 & param|model|=|tree");
  CHECK(run_filter("metrics.a>1 AND metric.b<=-2.5e-1 aNd metrics.c != .5") ==
        "metric|a|>|1.000000 & metric|b|<=|-0.250000 & metric|c|!=|0.500000");
  CHECK(run_filter("tags.mlflow.source.name='x'") == "tag|mlflow.source.name|=|x");
  CHECK(run_filter("tag.a IS null AND params.b is NOT null") ==
        "tag|a|IS NULL & param|b|IS NOT NULL");
  CHECK(run_filter("run_id IN ('a', \"b\",)") == "attribute|run_id|IN|a|b");
  CHECK(run_filter("attr.run_id not in('a')") == "attribute|run_id|NOT IN|a");
  CHECK(run_filter("datasets.context like 'tr%'") == "dataset|context|LIKE|tr%");
  CHECK(run_filter("start_time >= 9223372036854775807") ==
        "attribute|start_time|>=|9223372036854775807");
  CHECK(run_filter("end_time = 5.5") == "attribute|end_time|=|5.500000");
}

TEST_CASE("each prefix of a run's fields has its other forms") {
  for (const char* prefix : {"param", "params", "parameter", "parameters"})
    CHECK(run_filter(std::string(prefix) + ".k = 'v'") == "param|k|=|v");
  for (const char* prefix : {"tag", "tags", "`tags`", "\"tags\""})
    CHECK(run_filter(std::string(prefix) + ".k = 'v'") == "tag|k|=|v");
  for (const char* prefix : {"attr.", "attribute.", "attributes.", "run.", ""})
    CHECK(run_filter(std::string(prefix) + "status = 'v'") == "attribute|status|=|v");
  for (const char* name : {"created", "Created", "start_time"}) {
    const auto clauses = parse_search_filter(kTestRuns, std::string(name) + " > 1");
    CHECK(std::string(clauses[0].attribute->column) == "t.start_time");
  }
  for (const char* name : {"run_name", "`Run Name`", "\"Run name\"", "attributes.`run name`"}) {
    const auto clauses = parse_search_filter(kTestRuns, std::string(name) + " = 'x'");
    CHECK(std::string(clauses[0].attribute->column) == "t.name");
  }
}

TEST_CASE("a key that is no plain name stands in quotes") {
  CHECK(run_filter("metrics.`val/loss` > 1") == "metric|val/loss|>|1.000000");
  CHECK(run_filter("params.\"my key\" = 'x'") == "param|my key|=|x");
  CHECK(run_filter("params.'my key' = 'x'") == "param|my key|=|x");
  CHECK(run_filter("params.\"`a`\" = 'x'") == "param|a|=|x");
  CHECK(run_filter("tags.`a.b` = 'x'") == "tag|a.b|=|x");
  CHECK(run_filter("tags.`a\"b` = 'x'") == "tag|a\"b|=|x");
  CHECK(run_filter("params.`` = 'x'") == "param||=|x");
  CHECK(run_filter("metrics.1a > 1 AND metrics.2 > 1") ==
        "metric|1a|>|1.000000 & metric|2|>|1.000000");
  CHECK(run_filter("metrics.gr\xc3\xb6\xc3\x9f"
                   "e > 1") ==
        "metric|gr\xc3\xb6\xc3\x9f"
        "e|>|1.000000");
}

TEST_CASE("quotes have no escapes, and a doubled or backslashed quote does not end a string") {
  CHECK(run_filter("params.a = \"it's\"") == "param|a|=|it's");
  CHECK(run_filter("params.a = 'it''s'") == "param|a|=|it''s");
  CHECK(run_filter("params.a = 'it\\'s'") == "param|a|=|it\\'s");
  CHECK(run_filter("params.a = 'C:\\'") == "param|a|=|C:\\");
  CHECK(run_filter("params.a = ''") == "param|a|=|");
  CHECK(run_filter("params.a = '' and params.b = ''") == "param|a|=| & param|b|=|");
  CHECK(run_filter("params.a = ''''") == "param|a|=|''");
  CHECK(run_filter("params.a = 'x;y and z'") == "param|a|=|x;y and z");
}

TEST_CASE("the other targets have fields of their own") {
  CHECK(parsed_filter(kTestExperiments, "experiment_id IN ('1', '20') and tag.a IS NULL") ==
        "attribute|experiment_id|IN|1|20 & tag|a|IS NULL");
  CHECK(parsed_filter(kTestExperiments, "attribute.creation_time < 5") ==
        "attribute|creation_time|<|5");
  CHECK(parsed_filter(kTestLogged, "params.lr = 0.01 AND tags.a IN ('x') AND params.b = bare") ==
        "param|lr|=|0.01 & tag|a|IN|x & param|b|=|bare");
  CHECK(parsed_filter(kTestLogged, "attributes.creation_timestamp > 5 AND name NOT IN ('a')") ==
        "attribute|creation_timestamp|>|5 & attribute|name|NOT IN|a");
  CHECK(parsed_filter(kTestRegistered, "name ILIKE 'a%' AND tag.b != 'c'") ==
        "attribute|name|ILIKE|a% & tag|b|!=|c");
  CHECK(parsed_filter(kTestVersions, "version_number >= '3' AND run_id IN ('a')") ==
        "attribute|version_number|>=|3 & attribute|run_id|IN|a");
}

TEST_CASE("a mistake in a filter is refused with its column and what was expected there") {
  const WrongSearch wrong[] = {
      {kTestRuns, "metrics.rmse and metrics.a > 1",
       "column 14: expected a comparator (=, !=, <, <=, >, >=) after 'metrics.rmse', found 'and'"},
      {kTestRuns, "metrics.rmse > 1 and",
       "column 21: expected a condition after AND, found the end"},
      {kTestRuns, "AND metrics.a > 1", "column 1: expected a condition, found 'AND'"},
      {kTestRuns, "params.a = 'x' AND AND params.b = 'y'",
       "column 20: expected a condition, found 'AND'"},
      {kTestRuns, "metrics.a > 1 or metrics.b > 2",
       "column 15: conditions can be joined only with AND, found 'or'"},
      {kTestRuns, "params.a = 'x' params.b = 'y'",
       "column 16: expected AND or the end after 'params.a = 'x'', found 'params'"},
      {kTestRuns, "metrics.a == 1",
       "column 11: expected a comparator (=, !=, <, <=, >, >=) after 'metrics.a', found '=='; did "
       "you mean '='?"},
      {kTestRuns, "metrics.a <> 1",
       "column 11: expected a comparator (=, !=, <, <=, >, >=) after 'metrics.a', found '<>'; did "
       "you mean '!='?"},
      {kTestRuns, "metrics.a",
       "column 10: expected a comparator (=, !=, <, <=, >, >=) after 'metrics.a', found the end"},
      {kTestRuns, "params.a NOT LIKE 'x'",
       "column 10: expected a comparator (=, !=, LIKE, ILIKE, IS NULL, IS NOT NULL) after "
       "'params.a', found 'NOT LIKE'"},
      {kTestRuns, "metrics.a LIKE 'x'",
       "column 11: 'metrics.a' cannot be compared with LIKE; it takes =, !=, <, <=, >, >="},
      {kTestRuns, "metrics.a IS NULL",
       "column 11: 'metrics.a' cannot be compared with IS NULL; it takes =, !=, <, <=, >, >="},
      {kTestRuns, "params.a IN ('x')",
       "column 10: 'params.a' cannot be compared with IN; it takes =, !=, LIKE, ILIKE, IS NULL, IS "
       "NOT NULL"},
      {kTestRuns, "status IN ('x')",
       "column 8: 'status' cannot be compared with IN; it takes =, !=, LIKE, ILIKE"},
      {kTestRuns, "params.a IS 5", "column 13: expected NULL or NOT NULL after IS, found '5'"},
      {kTestRuns, "params.a IS NOT 5", "column 17: expected NULL after IS NOT, found '5'"},
      {kTestRuns, "metrics.a > 'x'",
       "column 13: expected a number after 'metrics.a >', found the string 'x'"},
      {kTestRuns, "metrics.a > nan",
       "column 13: expected a number after 'metrics.a >', found 'nan'"},
      {kTestRuns, "metrics.a >", "column 12: expected a number after 'metrics.a >', found the end"},
      {kTestRuns, "metrics.a > 1and metrics.b > 2", "column 13: '1and' is not a number"},
      {kTestRuns, "metrics.a > 0x10", "column 13: '0x10' is not a number"},
      {kTestRuns, "metrics.a > +1", "column 13: '+' has no meaning here"},
      {kTestRuns, "start_time > '5'",
       "column 14: expected a number after 'start_time >', found the string '5'"},
      {kTestRuns, "params.a = 5",
       "column 12: expected a string in quotes after 'params.a =', found '5'"},
      {kTestRuns, "params.a = x",
       "column 12: expected a string in quotes after 'params.a =', found 'x'"},
      {kTestRuns, "params.a = `x`",
       "column 12: expected a string in quotes after 'params.a =', found '`x`'"},
      {kTestRuns, "params.a = 'x", "column 12: the quote ' that opens here is never closed"},
      {kTestRuns, "params.`a = 'x'", "column 8: the quote ` that opens here is never closed"},
      {kTestRuns, "run_id IN 'x'",
       "column 11: expected a list in parentheses, such as ('a', 'b'), after IN, found the string "
       "'x'"},
      {kTestRuns, "run_id IN ()",
       "column 12: expected a string in quotes in the list for 'run_id', found ')'"},
      {kTestRuns, "run_id IN (1)",
       "column 12: expected a string in quotes in the list for 'run_id', found '1'"},
      {kTestRuns, "run_id IN ('a' 'b')",
       "column 16: expected ',' or ')' in the list for 'run_id', found the string 'b'"},
      {kTestRuns, "run_id IN ('a'",
       "column 15: expected ',' or ')' in the list for 'run_id', found the end"},
      {kTestRuns, "run_id = ('a')",
       "column 10: expected a string in quotes after 'run_id =', found '('"},
      {kTestRuns, "(metrics.a > 1)",
       "column 1: parentheses enclose only the list of IN; conditions are joined with AND"},
      {kTestRuns, "metrics.a > 1;", "column 14: ';' has no meaning here"},
      {kTestRuns, "1 < metrics.a",
       "column 1: expected a name such as metrics.rmse or params.model, found '1'"},
      {kTestRuns, "metrics.val/loss > 1",
       "column 12: '/' cannot be part of a bare name; put the name into backticks, as in "
       "metrics.`val/loss`"},
      {kTestRuns, "metrics.a-1 > 1",
       "column 10: '-' cannot be part of a bare name; put the name into backticks, as in "
       "metrics.`val/loss`"},
      {kTestRuns, "metrics .a > 1", "column 8: a blank cannot stand beside the dot"},
      {kTestRuns, "metrics. a > 1", "column 9: a blank cannot stand beside the dot"},
      {kTestRuns, "metrics.`a`.b > 1",
       "column 12: the key 'a' cannot go on here; put all of it into backticks"},
      {kTestRuns, "metrics > 1", "column 8: expected '.' and a key after 'metrics', found '>'"},
      {kTestRuns, "metrics. > 1", "column 10: expected a key after 'metrics.', found '>'"},
      {kTestRuns, "metrcs.a > 1",
       "column 1: expected one of 'metrics.', 'params.', 'tags.', 'attributes.', 'datasets.' "
       "before "
       "a key of runs, found 'metrcs'; did you mean 'metrics'?"},
      {kTestRuns, "stauts = 'x'",
       "column 1: runs have no attribute 'stauts'; did you mean 'status'?"},
      {kTestRuns, "rmse < 1",
       "column 1: runs have no attribute 'rmse'; there are run_id, run_name, user_id, status, "
       "artifact_uri, start_time, end_time; a metric, parameter or tag needs its prefix, as in "
       "'metrics.rmse'"},
      {kTestRuns, "dataset.foo = 'x'",
       "column 9: a data set has no field 'foo'; there are name, digest, context"},
      // Columns count characters, not bytes.
      {kTestRuns, "params.\xc3\xa9 = '\xc3\xa9' AND 5",
       "column 20: expected a name such as metrics.rmse or params.model, found '5'"},
      {kTestExperiments, "name IN ('x')",
       "column 6: 'name' cannot be compared with IN; it takes =, !=, LIKE, ILIKE"},
      {kTestExperiments, "experiment_id = 1",
       "column 17: expected a whole number in quotes after 'experiment_id =', found '1'"},
      {kTestExperiments, "experiment_id = 'x'",
       "column 17: expected a whole number in quotes, such as '12', found the string 'x'"},
      {kTestExperiments, "creation_time > 1.5",
       "column 17: expected a whole number after 'creation_time >', found '1.5'"},
      {kTestExperiments, "attributes.name = 'x'",
       "column 1: expected one of 'attribute.', 'tags.' before a key of experiments, found "
       "'attributes'; did you mean 'attribute'?"},
      {kTestExperiments, "team = 'x'",
       "column 1: experiments have no attribute 'team'; there are name, experiment_id, "
       "creation_time, last_update_time; a tag needs its prefix, as in 'tags.team'"},
      {kTestLogged, "metric.a > 1",
       "column 1: expected one of 'attributes.', 'metrics.', 'params.', 'tags.' before a key of "
       "logged models, found 'metric'; did you mean 'metrics'?"},
      {kTestLogged, "params.a > 5",
       "column 10: 'params.a' cannot be compared with >; it takes =, !=, LIKE, ILIKE, IN, NOT IN"},
      {kTestRegistered, "tags.a IS NULL",
       "column 8: 'tags.a' cannot be compared with IS NULL; it takes =, !=, LIKE, ILIKE"},
      {kTestRegistered, "timestamp > 5",
       "column 1: registered models are not found by 'timestamp'; there are name; a tag needs its "
       "prefix, as in 'tags.timestamp'"},
      {kTestVersions, "version_number = 'x'",
       "column 18: expected a whole number after 'version_number =', found the string 'x'"},
  };
  for (const WrongSearch& one : wrong) {
    CAPTURE(one.text);
    const Caught error = caught([&] { parse_search_filter(one.target, one.text); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.message == "Invalid filter: " + one.message);
  }
}

TEST_CASE("a filter beyond the limits is refused") {
  std::string many = "metrics.a > 1";
  for (int i = 0; i < 99; ++i) many += " AND metrics.a > 1";
  CHECK(parse_search_filter(kTestRuns, many).size() == 100);
  const auto refusal = [](const std::string& filter) {
    return caught([&] { parse_search_filter(kTestRuns, filter); }).message;
  };
  CHECK(refusal(many + " AND params.a = 'x'") ==
        "Invalid filter: column 1801: a filter has at most 100 conditions");
  const std::string blanks(2 << 20, ' ');
  CHECK(refusal(blanks) == "Invalid filter: it has 2097152 bytes, and at most 1048576 are taken");
  CHECK(refusal("params.a = '\xff'") == "Invalid filter: the text is not UTF-8");
  CHECK(refusal(std::string("params.a = '\0'", 14)) ==
        "Invalid filter: column 13: a NUL character cannot be part of a search");
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "%a";
  CHECK(parse_search_filter(kTestRuns, "params.a LIKE '" + pattern + "'").size() == 1);
  CHECK(refusal("params.a LIKE '" + pattern + "%'") ==
        "Invalid filter: column 15: a pattern has at most 64 '%'");
  CHECK(refusal("params.a ILIKE '" + std::string(10000, 'a') + "'") ==
        "Invalid filter: column 16: a pattern has at most 10000 bytes");
  // Deep or long nonsense ends as quickly.
  CHECK(refusal(std::string(100000, '(')) != "");
  CHECK(refusal(std::string(100000, '\'')) != "");
  CHECK(refusal("a" + std::string(100000, '.')) != "");
}

TEST_CASE("an entry of order_by is a field and a direction") {
  const SearchOrder metric = parse_search_order(kTestRuns, "metrics.`val/loss` DESC");
  CHECK(metric.entity == SearchEntity::kMetric);
  CHECK(metric.key == "val/loss");
  CHECK_FALSE(metric.ascending);
  CHECK(parse_search_order(kTestRuns, " tags.a  aSc ").ascending);
  CHECK(parse_search_order(kTestRuns, "params.\"a b\"").key == "a b");
  CHECK(std::string(parse_search_order(kTestRuns, "Created desc").attribute->column) ==
        "t.start_time");
  CHECK(parse_search_order(kTestRuns, "attribute.end_time").attribute->nullable);
  CHECK(std::string(parse_search_order(kTestRegistered, "timestamp").attribute->column) ==
        "t.last_update_time");
  const WrongSearch wrong[] = {
      {kTestRuns, "",
       "column 1: expected a name such as metrics.rmse or start_time, found the end"},
      {kTestRuns, "metrics.a DSC",
       "column 11: expected ASC, DESC or the end after 'metrics.a', found 'DSC'; did you mean "
       "'DESC'?"},
      {kTestRuns, "metrics.a DESC NULLS LAST",
       "column 16: expected the end after 'DESC', found 'NULLS'"},
      {kTestRuns, "metrics.a, metrics.b",
       "column 10: expected ASC, DESC or the end after 'metrics.a', found ','"},
      {kTestRuns, "dataset.name", "column 1: runs are not ordered by 'dataset' fields"},
      {kTestRuns, "stat_time",
       "column 1: runs have no attribute 'stat_time'; did you mean 'start_time'?"},
      {kTestExperiments, "tags.a", "column 1: experiments are not ordered by 'tags' fields"},
      {kTestLogged, "params.a", "column 1: logged models are not ordered by 'params' fields"},
      {kTestVersions, "run_id",
       "column 1: model versions are not ordered by 'run_id'; there are name, version_number, "
       "creation_timestamp, last_updated_timestamp"},
  };
  for (const WrongSearch& one : wrong) {
    CAPTURE(one.text);
    const Caught error = caught([&] { parse_search_order(one.target, one.text); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.message == "Invalid order_by '" + one.text + "': " + one.message);
  }
}

TEST_CASE("logged models are ordered by an object's fields, taken as they are") {
  const SearchOrder order = mlrt::logged_model_order("metrics.a b/c", false, "ds", "d1");
  CHECK(order.entity == SearchEntity::kMetric);
  CHECK(order.key == "a b/c");
  CHECK(order.dataset_name == "ds");
  CHECK(order.dataset_digest == "d1");
  CHECK(std::string(mlrt::logged_model_order("creation_time", true, "", "").attribute->column) ==
        "t.creation_time");
  const auto refusal = [](const std::string& field, const std::string& digest) {
    return caught([&] { mlrt::logged_model_order(field, true, "", digest); }).message;
  };
  CHECK(refusal("params.a", "") ==
        "Invalid order by field name: 'params.a', only `metrics.<name>` is allowed.");
  CHECK(refusal("creation_tim", "") ==
        "Invalid order by field name: 'creation_tim'; did you mean 'creation_time'?");
  CHECK(refusal("metrics.a", "d") ==
        "`dataset_digest` can only be specified if `dataset_name` is also specified.");
  CHECK(refusal("metrics.\xff", "") == "Invalid order by field name: it is not UTF-8 text");
}
