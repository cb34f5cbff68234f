#ifndef MLRT_CLI_SQL_COMMAND_HPP_
#define MLRT_CLI_SQL_COMMAND_HPP_

#include <cstddef>
#include <string>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

struct SqlOptions {
  std::string sql;
  std::size_t max_rows = 10000;
  OutputFlags output;
};

// Prints the answer of one SELECT on the store, which it cannot change. Ctrl-C ends it. Throws what
// query_store throws (store/query.hpp).
void run_sql(const GlobalOptions& global, const SqlOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_SQL_COMMAND_HPP_
