#ifndef MLRT_STORE_QUERY_HPP_
#define MLRT_STORE_QUERY_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mlrt {

// Answers of SQL that a user wrote.

struct StoreQueryCell {
  enum class Kind { kNull, kInteger, kReal, kText, kBlob };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;  // of a blob: its hex digits
};

struct StoreQueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<StoreQueryCell>> rows;
  bool cut = false;  // there are more rows
};

struct StoreQueryLimits {
  std::size_t max_rows = 10000;
  std::size_t max_bytes = std::size_t{64} << 20;  // of all cells
};

// The rows of one SELECT (or WITH ... SELECT, VALUES) on the store at `path`, through a connection
// of its own that can only read: nothing but reading tables and calling SQLite's functions is
// allowed. Ends with kInterrupted when an interrupt is requested (core/interrupt.hpp). Throws
// kInvalidParameter with SQLite's words for a statement that is wrong, is none, or has another one
// after it; kPermissionDenied for one that does anything else; kTooLarge beyond max_bytes;
// kNotFound, kDataCorrupt, kIo, kUnavailable for a store that cannot be read.
StoreQueryResult query_store(const std::string& path, const std::string& sql,
                             const StoreQueryLimits& limits = {});

}  // namespace mlrt

#endif  // MLRT_STORE_QUERY_HPP_
