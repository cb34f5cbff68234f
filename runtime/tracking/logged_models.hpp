#ifndef MLRT_TRACKING_LOGGED_MODELS_HPP_
#define MLRT_TRACKING_LOGGED_MODELS_HPP_

#include <memory>
#include <string>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

class Database;

// Logged models (MLflow 3) in a store: a model that was logged has an id of its own, and metrics
// can be linked to it. Any thread may use it; errors and atomicity as in TrackingStore.
class LoggedModels {
 public:
  LoggedModels(std::shared_ptr<Database> database, std::string artifact_root);

  struct NewModel {
    std::string experiment_id = "0";
    std::string name;  // empty: one is made up; none of / : . % " ' \ #
    std::string source_run_id;
    std::string model_type;
    std::vector<Param> params;
    std::vector<Tag> tags;
  };
  // PENDING. The id is "m-" and 32 hex digits. `source_run_id` need not be known here.
  LoggedModel create(const NewModel& model);
  // This and all but restore take a deleted model for none, as MLflow does: kNotFound.
  LoggedModel get(const std::string& model_id, bool allow_deleted = false) const;
  // In all experiments when `experiment_ids` is empty.
  SearchPage<LoggedModel> search(const std::vector<std::string>& experiment_ids,
                                 const SearchQuery& query) const;
  // As requests of MLflow's protocol have it, which order by objects.
  struct Order {
    std::string field_name;  // an attribute, or "metrics." and a key
    bool ascending = true;
    std::string dataset_name;  // only a metric's values on this data set count; empty: on any
    std::string dataset_digest;
  };
  struct Dataset {
    std::string name;    // models that have a metric on this data set
    std::string digest;  // empty: any
  };
  // `orders` come before the query's order_by.
  SearchPage<LoggedModel> search(const std::vector<std::string>& experiment_ids,
                                 const SearchQuery& query, const std::vector<Order>& orders,
                                 const std::vector<Dataset>& datasets) const;
  LoggedModel finalize(const std::string& model_id, LoggedModelStatus status);  // kReady or kFailed
  // A parameter is immutable, as a run's.
  void log_params(const std::string& model_id, const std::vector<Param>& params);
  void set_tags(const std::string& model_id, const std::vector<Tag>& tags);
  void delete_tag(const std::string& model_id, const std::string& key);  // kNotFound without it
  void remove(const std::string& model_id);                              // marks it deleted
  void restore(const std::string& model_id);

 private:
  std::shared_ptr<Database> database_;
  std::string artifact_root_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_LOGGED_MODELS_HPP_
