#include "tracking/foreign_database.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kForeignBusyTimeoutMs = 10000;
constexpr int kForeignMaxFindings = 20;

// Errors that are the database's own fault; the others end the import.
bool foreign_is_damage(const Error& error) {
  return error.code() == ErrorCode::kDataCorrupt || error.code() == ErrorCode::kInternal ||
         error.code() == ErrorCode::kIo || error.code() == ErrorCode::kInvalidParameter;
}

}  // namespace

ForeignDatabase::ForeignDatabase(const std::string& path, std::vector<std::string>* problems)
    : problems_(problems) {
  const std::string absolute = fs::absolute(path);
  connection_ = std::make_unique<StoreConnection>(absolute, path, StoreOpenMode::kForeign,
                                                  kForeignBusyTimeoutMs);
  try {
    connection_->execute("BEGIN");
    connection_->query_integer("SELECT count(*) FROM sqlite_schema");
  } catch (const Error& error) {
    // A write-ahead log needs side files, which a read-only folder does not allow. Without a log
    // beside it the file holds everything.
    if ((error.code() != ErrorCode::kPermissionDenied && error.code() != ErrorCode::kIo) ||
        fs::exists(absolute + "-wal") || fs::exists(absolute + "-journal")) {
      throw;
    }
    connection_ = std::make_unique<StoreConnection>(absolute, path, StoreOpenMode::kImmutable,
                                                    kForeignBusyTimeoutMs);
    connection_->execute("BEGIN");
    connection_->query_integer("SELECT count(*) FROM sqlite_schema");
  }
  check();
}

void ForeignDatabase::check() {
  try {
    Statement findings =
        connection_->prepare("PRAGMA quick_check(" + std::to_string(kForeignMaxFindings) + ")");
    while (findings.step()) {
      const std::string finding = findings.text(0);
      if (finding != "ok") problems_->push_back("the database is damaged: " + quoted(finding, 300));
    }
  } catch (const Error& error) {
    if (!foreign_is_damage(error)) throw;
    problems_->push_back("the database is damaged: it cannot be checked as a whole");
  }
}

std::int64_t ForeignDatabase::application_id() {
  return connection_->query_integer("PRAGMA application_id");
}

const std::set<std::string>& ForeignDatabase::columns_of(const std::string& table) {
  for (const auto& known : tables_) {
    if (known.first == table) return known.second;
  }
  std::set<std::string> columns;
  try {
    bool ordinary = false;
    {
      Statement kind = connection_->prepare(
          "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND rootpage > 0");
      kind.bind(1, std::string_view(table));
      ordinary = kind.step();
    }
    if (ordinary) {
      Statement names = connection_->prepare("SELECT name FROM pragma_table_info(?)");
      names.bind(1, std::string_view(table));
      while (names.step()) columns.insert(names.text(0));
    }
  } catch (const Error& error) {
    if (!foreign_is_damage(error)) throw;
    problems_->push_back("table " + table + ": cannot be read, it is damaged");
  }
  tables_.emplace_back(table, std::move(columns));
  return tables_.back().second;
}

bool ForeignDatabase::has_table(const std::string& table) { return !columns_of(table).empty(); }

bool ForeignDatabase::has_column(const std::string& table, const std::string& column) {
  return columns_of(table).count(column) != 0;
}

std::uint64_t ForeignDatabase::row_count(const std::string& table) {
  if (!has_table(table)) return 0;
  try {
    return static_cast<std::uint64_t>(
        connection_->query_integer("SELECT count(*) FROM \"" + table + "\""));
  } catch (const Error& error) {
    if (!foreign_is_damage(error)) throw;
    return 0;  // reading its rows will say what is wrong
  }
}

ForeignDatabase::Rows ForeignDatabase::rows(const std::string& table,
                                            const std::vector<std::string>& columns) {
  std::string list;
  if (has_table(table)) {
    list = "rowid";
    for (const std::string& column : columns) {
      const std::string name = column.substr(2);
      if (!has_column(table, name)) {
        list += ", NULL";
        continue;
      }
      const std::string value = "\"" + name + "\"";
      const char* const types = column[0] == 'i'   ? "'integer'"
                                : column[0] == 'r' ? "'real', 'integer'"
                                                   : "'text', 'integer', 'real'";
      list += ", CASE WHEN typeof(" + value + ") IN (" + types + ") THEN " + value + " END";
    }
  }
  return Rows(this, table, list);
}

ForeignDatabase::Rows::Rows(ForeignDatabase* database, std::string table, std::string columns)
    : database_(database), table_(std::move(table)), columns_(std::move(columns)) {
  ended_ = columns_.empty();
}

bool ForeignDatabase::Rows::next() {
  check_interrupt();
  while (!ended_) {
    try {
      if (step()) return true;
      statement_.reset();
      ended_ = true;
    } catch (const Error& error) {
      if (!foreign_is_damage(error)) throw;
      turn_back(error.message());
    }
  }
  return false;
}

bool ForeignDatabase::Rows::step() {
  if (!statement_) {
    statement_.emplace(database_->connection_->prepare("SELECT " + columns_ + " FROM \"" + table_ +
                                                       "\" ORDER BY rowid" +
                                                       (backwards_ ? " DESC" : "")));
  }
  if (!statement_->step()) return false;
  row_ = statement_->integer(0);
  if (backwards_) return !any_ || row_ > last_;
  last_ = row_;
  any_ = true;
  return true;
}

void ForeignDatabase::Rows::turn_back(const std::string& why) {
  statement_.reset();
  if (backwards_) {
    ended_ = true;
    return;
  }
  database_->problems_->push_back(
      "table " + table_ + ": " +
      (any_ ? "rows after row " + std::to_string(last_) : std::string("rows at its beginning")) +
      " are damaged and left out (" + why + ")");
  backwards_ = true;
}

std::optional<std::int64_t> ForeignDatabase::Rows::integer(int column) const {
  if (statement_->is_null(column + 1)) return std::nullopt;
  return statement_->integer(column + 1);
}

std::optional<double> ForeignDatabase::Rows::real(int column) const {
  if (statement_->is_null(column + 1)) return std::nullopt;
  return statement_->real(column + 1);
}

std::optional<std::string> ForeignDatabase::Rows::text(int column) const {
  if (statement_->is_null(column + 1)) return std::nullopt;
  return statement_->text(column + 1);
}

std::string ForeignDatabase::Rows::text_or_empty(int column) const {
  return statement_->text(column + 1);
}

std::int64_t ForeignDatabase::Rows::integer_or_zero(int column) const {
  return statement_->integer(column + 1);
}

std::string ForeignDatabase::Rows::place() const {
  return table_ + ", row " + std::to_string(row_);
}

}  // namespace mlrt
