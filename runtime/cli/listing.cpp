#include "cli/listing.hpp"

#include <cmath>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string json_cell(const OrderedJson& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

// A column: a key, or a key of the object under a key.
struct JsonColumn {
  std::string key;
  std::string inner;  // empty: the value under `key` itself
};

std::vector<JsonColumn> json_columns(const OrderedJson& blank, const OrderedJson& list) {
  std::vector<JsonColumn> columns;
  for (const auto& member : blank.items()) {
    if (!member.value().is_object()) {
      columns.push_back({member.key(), ""});
      continue;
    }
    std::set<std::string> inner;
    for (const OrderedJson& item : list) {
      const auto found = item.find(member.key());
      if (found == item.end() || !found->is_object()) continue;
      for (const auto& entry : found->items()) inner.insert(entry.key());
    }
    for (const std::string& key : inner) columns.push_back({member.key(), key});
  }
  return columns;
}

}  // namespace

OutputForm output_form(const OutputFlags& flags) {
  if (flags.json && flags.csv) throw Error(ErrorCode::kUsage, "give one of --json and --csv");
  if (flags.json) return OutputForm::kJson;
  return flags.csv ? OutputForm::kCsv : OutputForm::kTable;
}

std::string json_text(const OrderedJson& value) {
  return value.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

OrderedJson json_metric(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson(format_double(value));
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string out;
  for (std::size_t i = 0; i < cells.size(); ++i) out += (i > 0 ? "," : "") + csv_cell(cells[i]);
  return out + "\n";
}

std::string json_as_csv(const OrderedJson& blank, const OrderedJson& list) {
  const std::vector<JsonColumn> columns = json_columns(blank, list);
  std::vector<std::string> cells;
  for (const JsonColumn& column : columns)
    cells.push_back(column.inner.empty() ? column.key : column.key + "." + column.inner);
  std::string out = csv_line(cells);
  for (const OrderedJson& item : list) {
    cells.clear();
    for (const JsonColumn& column : columns) {
      auto found = item.find(column.key);
      const OrderedJson* value = found == item.end() ? nullptr : &*found;
      if (value != nullptr && !column.inner.empty()) {
        found = value->find(column.inner);
        value = found == value->end() ? nullptr : &*found;
      }
      cells.push_back(value == nullptr ? "" : json_cell(*value));
    }
    out += csv_line(cells);
  }
  return out;
}

void print_listing(OutputForm form, const TextTable& table, const OrderedJson& blank,
                   const OrderedJson& list, const std::string& when_empty) {
  switch (form) {
    case OutputForm::kJson:
      print_out(json_text(list));
      break;
    case OutputForm::kCsv:
      print_out(json_as_csv(blank, list));
      break;
    case OutputForm::kTable:
      print_out(list.empty() ? when_empty + "\n" : table.text());
      break;
  }
}

}  // namespace mlrt
