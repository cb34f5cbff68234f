#ifndef MLRT_TRACKING_LOGGED_MODEL_ROWS_HPP_
#define MLRT_TRACKING_LOGGED_MODEL_ROWS_HPP_

// Internal: logged models as they stand in the store.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tracking/records.hpp"

namespace mlrt {

class Transaction;

struct LoggedModelRow {
  std::int64_t model = 0;  // the row's number
  std::int64_t experiment = 0;
  std::optional<std::string> location, experiment_location;
  LoggedModel record;  // without its folder, parameters, tags and metrics
};

// MLflow's rule. Throws kInvalidParameter.
void check_logged_model_name(const std::string& name);

// "m-" and 32 hex digits, which no run id of ours is.
bool is_logged_model_id(std::string_view id);

// Deleted ones too. Throws kNotFound.
LoggedModelRow find_logged_model(Transaction& transaction, const std::string& model_id);

// Absolute; it need not exist.
std::string logged_model_folder(const LoggedModelRow& row, const std::string& artifact_root);

}  // namespace mlrt

#endif  // MLRT_TRACKING_LOGGED_MODEL_ROWS_HPP_
