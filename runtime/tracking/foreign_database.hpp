#ifndef MLRT_TRACKING_FOREIGN_DATABASE_HPP_
#define MLRT_TRACKING_FOREIGN_DATABASE_HPP_

// Internal: another program's SQLite database, read with distrust.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/connection.hpp"

namespace mlrt {

// A database that is only read: never changed, its views and triggers not run, its values checked
// for their types. What is damaged becomes a line in `problems`. For one thread.
class ForeignDatabase {
 public:
  // `problems` must live as long as this. Begins one read transaction, so that all rows are of one
  // state. Throws kDataCorrupt if not even the list of tables can be read, kIo,
  // kPermissionDenied, kUnavailable if another program holds the database for too long.
  ForeignDatabase(const std::string& path, std::vector<std::string>* problems);

  // False for a view, a virtual table and what is not there.
  bool has_table(const std::string& table);
  bool has_column(const std::string& table, const std::string& column);
  std::uint64_t row_count(const std::string& table);  // 0 if it cannot be counted
  std::int64_t application_id();

  // Reads the rows of one table in the order of their row ids. If the table is damaged in the
  // middle, the rows before and those after are read, and a problem is noted.
  class Rows {
   public:
    bool next();
    // Nothing for NULL, an absent column and a value of another type. Columns count from 0 in the
    // order in which they were asked for.
    std::optional<std::int64_t> integer(int column) const;
    std::optional<double> real(int column) const;
    std::optional<std::string> text(int column) const;  // numbers as text too
    // The same, with an empty text, or zero, for nothing.
    std::string text_or_empty(int column) const;
    std::int64_t integer_or_zero(int column) const;
    // "runs, row 17", for problems.
    std::string place() const;

   private:
    friend class ForeignDatabase;
    Rows(ForeignDatabase* database, std::string table, std::string columns);
    bool step();
    void turn_back(const std::string& why);

    ForeignDatabase* database_;
    std::string table_, columns_;
    std::optional<Statement> statement_;
    bool backwards_ = false, ended_ = false;
    std::int64_t row_ = 0;   // the row id of the row that is read
    std::int64_t last_ = 0;  // the last one before the damage
    bool any_ = false;
  };

  // Each column is its name with a letter before it: "i:" integer, "r:" real, "t:" text. Absent
  // columns read as NULL, an absent table as one without rows.
  Rows rows(const std::string& table, const std::vector<std::string>& columns);

 private:
  const std::set<std::string>& columns_of(const std::string& table);
  void check();

  std::vector<std::string>* problems_;
  std::unique_ptr<StoreConnection> connection_;
  std::vector<std::pair<std::string, std::set<std::string>>> tables_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_FOREIGN_DATABASE_HPP_
