#include "tracking/search_query.hpp"

#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "store/database.hpp"
#include "tracking/search_page.hpp"

namespace mlrt {
namespace {

Statement search_prepare(Transaction& transaction, std::string_view sql,
                         const std::vector<SearchValue>& values, std::size_t count) {
  Statement statement = transaction.query(sql);
  for (std::size_t i = 0; i < count; ++i) {
    const int position = static_cast<int>(i) + 1;
    if (const auto* whole = std::get_if<std::int64_t>(&values[i])) {
      statement.bind(position, *whole);
    } else if (const auto* number = std::get_if<double>(&values[i])) {
      statement.bind(position, *number);
    } else {
      statement.bind(position, std::string_view(std::get<std::string>(values[i])));
    }
  }
  return statement;
}

std::int64_t search_number(Transaction& transaction, std::string_view sql,
                           const std::vector<SearchValue>& values, std::size_t count) {
  Statement statement = search_prepare(transaction, sql, values, count);
  return statement.step() ? statement.integer(0) : 0;
}

// Appends the rows of a statement behind the first `offset`, up to `limit` in all.
void search_append(Transaction& transaction, const SearchStatement& from, std::int64_t offset,
                   std::size_t limit, std::vector<SearchRow>& rows) {
  Statement statement = search_prepare(transaction, from.sql, from.values, from.values.size());
  const int position = static_cast<int>(from.values.size()) + 1;
  statement.bind(position, static_cast<std::int64_t>(limit - rows.size()));
  statement.bind(position + 1, offset);
  while (statement.step()) rows.push_back({statement.integer(0), statement.integer(1)});
}

std::int64_t search_count(Transaction& transaction, const SearchStatement& of) {
  const std::string sql = "SELECT count(*) FROM (" + of.sql.substr(0, of.order_at) + ")";
  return search_number(transaction, sql, of.values, of.order_values_at);
}

// The shortcut that begins with the fewest rows, if any has few enough.
const SearchShortcut* search_shortcut(Transaction& transaction, const SearchPlan& plan,
                                      std::size_t most_rows) {
  const SearchShortcut* best = nullptr;
  auto fewest = static_cast<std::int64_t>(most_rows) + 1;
  for (const SearchShortcut& shortcut : plan.shortcuts) {
    const std::int64_t count = search_number(transaction, shortcut.probe_sql, shortcut.probe_values,
                                             shortcut.probe_values.size());
    if (count >= fewest) continue;
    fewest = count;
    best = &shortcut;
  }
  return best;
}

// Up to `limit` rows behind the first `offset`.
std::vector<SearchRow> search_rows(Transaction& transaction, const SearchSpec& spec,
                                   std::int64_t offset, std::size_t limit) {
  const SearchPlan plan = compile_search(spec);
  std::vector<SearchRow> rows;
  if (const SearchShortcut* shortcut = search_shortcut(transaction, plan, spec.shortcut_rows)) {
    search_append(transaction, shortcut->rows, offset, limit, rows);
    return rows;
  }
  for (std::size_t i = 0; i < plan.parts.size() && rows.size() < limit; ++i) {
    const std::size_t before = rows.size();
    search_append(transaction, plan.parts[i], offset, limit, rows);
    if (rows.size() > before) {
      offset = 0;
    } else if (offset > 0 && i + 1 < plan.parts.size()) {
      // The page begins behind this part: how much of the offset it takes must be counted.
      offset -= search_count(transaction, plan.parts[i]);
    }
  }
  return rows;
}

}  // namespace

SearchRows search_store(Transaction& transaction, const SearchScope& scope,
                        const SearchQuery& query) {
  const std::size_t size = search_page_size(scope.target, query.max_results);
  const std::int64_t offset = parse_page_token(query.page_token);
  for (const SearchDataset& dataset : scope.datasets) {
    if (dataset.name.empty()) {
      throw Error(ErrorCode::kInvalidParameter,
                  "`dataset_name` in the `datasets` clause must be specified.");
    }
  }
  SearchSpec spec;
  spec.target = scope.target;
  spec.where = parse_search_filter(scope.target, query.filter);
  spec.order_by = scope.order_by;
  for (const std::string& text : query.order_by) {
    spec.order_by.push_back(parse_search_order(scope.target, text));
  }
  spec.view = query.view;
  spec.experiments = scope.experiments;
  spec.datasets = scope.datasets;
  spec.artifact_root = scope.artifact_root;
  spec.artifact_uri = query.artifact_uri;
  spec.shortcut_rows = scope.shortcut_rows;

  SearchRows found;
  // One row more tells whether there is another page.
  found.rows = search_rows(transaction, spec, offset, size + 1);
  if (found.rows.size() > size) {
    found.rows.pop_back();
    found.next_page_token = make_page_token(offset + static_cast<std::int64_t>(size));
  }
  return found;
}

}  // namespace mlrt
