#ifndef MLRT_TRACKING_RULES_HPP_
#define MLRT_TRACKING_RULES_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

// MLflow's rules for names and values, with its words and limits. Each throws kInvalidParameter;
// lengths count characters (code points). Text that is not valid UTF-8 is refused everywhere.

// `path` is how MLflow names the place of the value: "key", "params[0].key", "metrics[3].name".
void check_key(const std::string& key, const std::string& path);

// The parameter or tag as it is stored: a value beyond 6000 or 8000 characters is cut, with a
// warning on the log. `path` is "" or "params[0]", "tags[0]".
Param checked_param(const Param& param, const std::string& path);
Tag checked_tag(const Tag& tag, const std::string& path);
void check_metric(const Metric& metric, const std::string& path);
// Each of them; `numbered`: a message names its place in the list.
void check_metrics(const std::vector<Metric>& metrics, bool numbered);
void check_dataset(const DatasetInput& dataset);  // with its tags
void check_experiment_tag(const Tag& tag);        // a value that is too long is refused, not cut

void check_run_id(const std::string& run_id);
void check_logged_model_id(const std::string& model_id);
void check_run_name(const std::string& name);
void check_experiment_name(const std::string& name);
std::int64_t parse_experiment_id(const std::string& id);
// The absolute folder that an experiment's artifact location names: a path or a "file:" URI.
std::string checked_artifact_location(const std::string& location);

// Refuses a list that has a key twice.
void check_unique_params(const std::vector<Param>& params);

// The limits of one log-batch request: 1000 metrics, 100 params, 100 tags, 1000 in all.
void check_batch_limits(std::size_t metrics, std::size_t params, std::size_t tags);

// A file or folder below a run's artifacts: relative with '/', never out of the folder, also after
// percent-decoding. The message begins with MLflow's "Invalid path".
void check_artifact_path(const std::string& path);

// Of registered models: a name, a tag (nothing is cut), an alias to be set, an alias to be looked
// up (the reserved ones too).
void check_model_name(const std::string& name);
void check_registry_tag(const Tag& tag);
void check_model_alias(const std::string& alias);
void check_model_alias_name(const std::string& alias);

}  // namespace mlrt

#endif  // MLRT_TRACKING_RULES_HPP_
