// Parameters, tags and metrics of a run: what clients send most.

#include <iterator>

#include "core/error.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

void rest_log_metric(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"run_id", RestType::kText, true},  {"key", RestType::kText, true},
      {"value", RestType::kNumber, true}, {"timestamp", RestType::kInteger, true},
      {"step", RestType::kInteger},       {"model_id", RestType::kText},
      {"dataset_name", RestType::kText},  {"dataset_digest", RestType::kText},
  };
  call.request.check(kFields);
  Metric metric;
  metric.key = call.request.text("key");
  metric.value = call.request.number("value");
  metric.timestamp_ms = call.request.integer("timestamp");
  metric.step = call.request.integer("step");
  metric.model_id = call.request.text("model_id");
  metric.dataset_name = call.request.text("dataset_name");
  metric.dataset_digest = call.request.text("dataset_digest");
  call.tracking().log_metrics(call.request.text("run_id"), {metric});
}

void rest_log_param(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"key", RestType::kText, true},
                                          {"value", RestType::kText}};
  call.request.check(kFields);
  call.tracking().log_params(call.request.text("run_id"),
                             {{call.request.text("key"), call.request.text("value")}});
}

void rest_set_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"key", RestType::kText, true},
                                          {"value", RestType::kText}};
  call.request.check(kFields);
  call.tracking().set_tags(call.request.text("run_id"),
                           {{call.request.text("key"), call.request.text("value")}});
}

void rest_delete_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"key", RestType::kText, true}};
  call.request.check(kFields);
  call.tracking().delete_tag(call.request.text("run_id"), call.request.text("key"));
}

// One pass over the members of a metric in a batch.
Metric rest_batch_metric(const RestRequest& request, std::uint32_t object, std::size_t number) {
  const RestDocument& document = request.document();
  Metric metric;
  bool has_value = false, has_time = false;
  const std::uint32_t end = document.at(object).next;
  for (std::uint32_t i = object + 1; i < end; i = document.at(i + 1).next) {
    const std::string_view name = document.at(i).text;
    const RestNode& value = document.at(i + 1);
    if (value.kind == RestNode::Kind::kNull) continue;
    std::string* text = nullptr;
    bool fits = true;
    const bool empty = value.kind == RestNode::Kind::kString && value.text.empty();
    if (name == "key") {
      text = &metric.key;
    } else if (name == "value") {
      has_value = !empty;
      fits = empty || rest_read_number(value, metric.value);
    } else if (name == "timestamp") {
      has_time = !empty;
      fits = empty || rest_read_integer(value, metric.timestamp_ms);
    } else if (name == "step") {
      fits = rest_read_integer(value, metric.step);
    } else if (name == "model_id") {
      text = &metric.model_id;
    } else if (name == "dataset_name") {
      text = &metric.dataset_name;
    } else if (name == "dataset_digest") {
      text = &metric.dataset_digest;
    }
    if (text != nullptr) {
      fits = value.kind == RestNode::Kind::kString;
      if (fits) *text = value.text;
    }
    if (!fits) {
      request.refuse(rest_element("metrics", number) + "." + std::string(name), i + 1);
    }
  }
  if (metric.key.empty() || !has_value || !has_time) {
    RestRequest::refuse_missing(rest_element("metrics", number) + "." +
                                (metric.key.empty() ? "key"
                                 : has_value        ? "timestamp"
                                                    : "value"));
  }
  return metric;
}

void rest_log_batch(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"metrics", RestType::kObjects},
                                          {"params", RestType::kObjects},
                                          {"tags", RestType::kObjects}};
  call.request.check(kFields);
  std::vector<Metric> metrics;
  const std::vector<std::uint32_t> objects = call.request.objects("metrics");
  metrics.reserve(objects.size());
  for (const std::uint32_t object : objects) {
    metrics.push_back(rest_batch_metric(call.request, object, metrics.size()));
  }
  const std::vector<Param> params = call.request.params("params", true);
  const std::vector<Tag> tags = call.request.tags("tags", true);
  call.tracking().log_batch(call.request.text("run_id"), metrics, params, tags);
}

constexpr RestRoute kRestLoggingRoutes[] = {
    {"POST", "/runs/log-metric", rest_log_metric, true},
    {"POST", "/runs/log-parameter", rest_log_param, true},
    {"POST", "/runs/set-tag", rest_set_tag, true},
    {"POST", "/runs/delete-tag", rest_delete_tag, true},
    {"POST", "/runs/log-batch", rest_log_batch, true},
};

}  // namespace

void add_run_logging_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestLoggingRoutes, std::size(kRestLoggingRoutes));
}

}  // namespace mlrt
