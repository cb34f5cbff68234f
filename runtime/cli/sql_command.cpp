#include "cli/sql_command.hpp"

#include <map>
#include <utility>
#include <vector>

#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/store_access.hpp"
#include "core/text.hpp"
#include "store/query.hpp"

namespace mlrt {
namespace {

std::string sql_cell_text(const StoreQueryCell& cell) {
  switch (cell.kind) {
    case StoreQueryCell::Kind::kNull:
      return "";
    case StoreQueryCell::Kind::kInteger:
      return std::to_string(cell.integer);
    case StoreQueryCell::Kind::kReal:
      return format_double(cell.real);
    case StoreQueryCell::Kind::kText:
    case StoreQueryCell::Kind::kBlob:
      break;
  }
  return cell.text;
}

OrderedJson sql_cell_json(const StoreQueryCell& cell) {
  switch (cell.kind) {
    case StoreQueryCell::Kind::kNull:
      return nullptr;
    case StoreQueryCell::Kind::kInteger:
      return cell.integer;
    case StoreQueryCell::Kind::kReal:
      return json_metric(cell.real);
    case StoreQueryCell::Kind::kText:
    case StoreQueryCell::Kind::kBlob:
      break;
  }
  return cell.text;
}

// A JSON object has each key once: the second "name" becomes "name:2".
std::vector<std::string> unique_names(const std::vector<std::string>& names) {
  std::map<std::string, int> seen;
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const int count = ++seen[name];
    out.push_back(count == 1 ? name : name + ":" + std::to_string(count));
  }
  return out;
}

std::string sql_csv(const StoreQueryResult& result) {
  std::string out = csv_line(result.columns);
  for (const auto& row : result.rows) {
    std::vector<std::string> cells;
    for (const StoreQueryCell& cell : row) cells.push_back(sql_cell_text(cell));
    out += csv_line(cells);
  }
  return out;
}

std::string sql_json(const StoreQueryResult& result) {
  const std::vector<std::string> names = unique_names(result.columns);
  OrderedJson list = OrderedJson::array();
  for (const auto& row : result.rows) {
    OrderedJson item = OrderedJson::object();
    for (std::size_t i = 0; i < row.size(); ++i) item[names[i]] = sql_cell_json(row[i]);
    list.push_back(std::move(item));
  }
  return json_text(list);
}

std::string sql_table(const StoreQueryResult& result) {
  std::vector<TextTable::Title> titles;
  for (std::size_t i = 0; i < result.columns.size(); ++i) {
    const StoreQueryCell::Kind kind =
        result.rows.empty() ? StoreQueryCell::Kind::kText : result.rows.front()[i].kind;
    const bool number =
        kind == StoreQueryCell::Kind::kInteger || kind == StoreQueryCell::Kind::kReal;
    titles.push_back(
        {result.columns[i], number ? TextTable::Align::kRight : TextTable::Align::kLeft});
  }
  TextTable table(std::move(titles));
  for (const auto& row : result.rows) {
    std::vector<std::string> cells;
    for (const StoreQueryCell& cell : row) cells.push_back(sql_cell_text(cell));
    table.add(std::move(cells));
  }
  return table.text();
}

}  // namespace

void run_sql(const GlobalOptions& global, const SqlOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  session.tracking().bring_in_metrics();
  const InterruptSignals signals;
  StoreQueryLimits limits;
  limits.max_rows = options.max_rows;
  const StoreQueryResult result = query_store(session.store(), options.sql, limits);
  if (form == OutputForm::kCsv) {
    print_out(sql_csv(result));
  } else {
    print_out(form == OutputForm::kJson ? sql_json(result) : sql_table(result));
  }
  if (result.cut) {
    print_warning("these are the first " + std::to_string(result.rows.size()) +
                  " rows; --max shows more");
  }
}

}  // namespace mlrt
