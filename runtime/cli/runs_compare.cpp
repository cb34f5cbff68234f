#include "cli/runs_compare.hpp"

#include <map>
#include <optional>
#include <utility>

#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kComparedValueSize = 50;
constexpr std::size_t kShortRunId = 8;

// A value a run, absent where the run has none.
using ComparedRow = std::vector<std::optional<std::string>>;
using ComparedRows = std::map<std::string, ComparedRow>;  // by key

struct Comparison {
  ComparedRows params, metrics, tags;
};

void drop_equal_rows(ComparedRows& rows) {
  for (auto row = rows.begin(); row != rows.end();) {
    bool equal = true;
    for (const auto& value : row->second) equal = equal && value == row->second.front();
    row = equal ? rows.erase(row) : std::next(row);
  }
}

Comparison compare_runs(const std::vector<RunRecord>& runs) {
  Comparison found;
  auto put = [&](ComparedRows& rows, const std::string& key, std::size_t at, std::string value) {
    ComparedRow& row = rows[key];
    row.resize(runs.size());
    row[at] = std::move(value);
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const Param& param : runs[i].params) put(found.params, param.key, i, param.value);
    for (const Metric& metric : runs[i].metrics)
      put(found.metrics, metric.key, i, format_double(metric.value));
    for (const Tag& tag : runs[i].tags) put(found.tags, tag.key, i, tag.value);
  }
  found.tags.erase("mlflow.runName");  // the titles have it
  for (ComparedRows* rows : {&found.params, &found.metrics, &found.tags}) drop_equal_rows(*rows);
  return found;
}

void add_compared_rows(TextTable& table, const char* prefix, const ComparedRows& rows) {
  for (const auto& row : rows) {
    std::vector<std::string> cells = {prefix + row.first};
    for (const auto& value : row.second)
      cells.push_back(value ? clipped(*value, kComparedValueSize) : "-");
    table.add(std::move(cells));
  }
}

std::string comparison_table(const std::vector<RunRecord>& runs, const Comparison& found) {
  std::vector<TextTable::Title> titles = {{"RUN"}};
  std::vector<std::string> ids = {""};
  for (const RunRecord& run : runs) {
    titles.push_back({run.run_id.substr(0, kShortRunId)});
    ids.push_back(run.name);
  }
  TextTable table(std::move(titles));
  table.add(std::move(ids));
  add_compared_rows(table, "params.", found.params);
  add_compared_rows(table, "metrics.", found.metrics);
  add_compared_rows(table, "tags.", found.tags);
  return table.text();
}

OrderedJson compared_json(const ComparedRows& rows) {
  OrderedJson out = OrderedJson::object();
  for (const auto& row : rows) {
    OrderedJson values = OrderedJson::array();
    for (const auto& value : row.second)
      values.push_back(value ? OrderedJson(*value) : OrderedJson());
    out[row.first] = std::move(values);
  }
  return out;
}

std::string comparison_csv(const std::vector<RunRecord>& runs, const Comparison& found) {
  std::vector<std::string> cells = {"field"};
  for (const RunRecord& run : runs) cells.push_back(run.run_id);
  std::string out = csv_line(cells);
  const std::pair<const char*, const ComparedRows*> kinds[] = {
      {"params.", &found.params}, {"metrics.", &found.metrics}, {"tags.", &found.tags}};
  for (const auto& kind : kinds) {
    for (const auto& row : *kind.second) {
      cells = {kind.first + row.first};
      for (const auto& value : row.second) cells.push_back(value.value_or(""));
      out += csv_line(cells);
    }
  }
  return out;
}

}  // namespace

void run_runs_compare(const GlobalOptions& global, const RunsCompareOptions& options) {
  const OutputForm form = output_form(options.output);
  if (options.runs.size() < 2) {
    throw Error(ErrorCode::kUsage, "compare needs at least two runs: mlrt runs compare RUN RUN...");
  }
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  std::vector<RunRecord> runs;
  for (const std::string& word : options.runs) runs.push_back(store.run(find_run_id(store, word)));
  const Comparison found = compare_runs(runs);
  if (form == OutputForm::kCsv) {
    print_out(comparison_csv(runs, found));
  } else if (form == OutputForm::kJson) {
    OrderedJson out;
    out["runs"] = OrderedJson::array();
    for (const RunRecord& run : runs)
      out["runs"].push_back({{"run_id", run.run_id}, {"run_name", run.name}});
    out["params"] = compared_json(found.params);
    out["metrics"] = compared_json(found.metrics);
    out["tags"] = compared_json(found.tags);
    print_out(json_text(out));
  } else if (found.params.empty() && found.metrics.empty() && found.tags.empty()) {
    print_out("the runs have the same parameters, metrics and tags\n");
  } else {
    print_out(comparison_table(runs, found));
  }
}

}  // namespace mlrt
