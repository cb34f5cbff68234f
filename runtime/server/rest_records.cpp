#include "server/rest_records.hpp"

#include "core/text.hpp"

namespace mlrt {
namespace {

const char* rest_logged_model_status(LoggedModelStatus status) {
  switch (status) {
    case LoggedModelStatus::kPending:
      return "LOGGED_MODEL_PENDING";
    case LoggedModelStatus::kReady:
      return "LOGGED_MODEL_READY";
    case LoggedModelStatus::kFailed:
      break;
  }
  return "LOGGED_MODEL_UPLOAD_FAILED";
}

void rest_write_pair(RestWriter& out, const std::string& key, const std::string& value) {
  out.open('{');
  out.member("key", key);
  out.member("value", value);
  out.close('}');
}

void rest_write_params(RestWriter& out, const std::vector<Param>& params) {
  if (params.empty()) return;
  out.open("params", '[');
  for (const Param& param : params) rest_write_pair(out, param.key, param.value);
  out.close(']');
}

// MLflow has the context of a data set among its tags.
void rest_write_input(RestWriter& out, const DatasetInput& input) {
  out.open('{');
  if (!input.context.empty() || !input.tags.empty()) {
    out.open("tags", '[');
    if (!input.context.empty()) rest_write_pair(out, "mlflow.data.context", input.context);
    for (const Tag& tag : input.tags) rest_write_pair(out, tag.key, tag.value);
    out.close(']');
  }
  out.open("dataset", '{');
  out.member("name", input.name);
  out.member("digest", input.digest);
  out.member("source_type", input.source_type);
  out.member("source", input.source);
  out.optional("schema", input.schema);
  out.optional("profile", input.profile);
  out.close('}');
  out.close('}');
}

void rest_write_version_number(RestWriter& out, std::int64_t version) {
  out.member("version", std::to_string(version));
}

}  // namespace

std::string rest_artifact_uri(const RestContext& context, const std::string& folder) {
  return context.artifact_uri ? context.artifact_uri(folder) : folder;
}

void rest_write_tags(RestWriter& out, const char* name, const std::vector<Tag>& tags) {
  if (tags.empty()) return;
  out.open(name, '[');
  for (const Tag& tag : tags) rest_write_pair(out, tag.key, tag.value);
  out.close(']');
}

void rest_write_experiment(RestWriter& out, const RestContext& context,
                           const Experiment& experiment) {
  out.open('{');
  out.member("experiment_id", experiment.id);
  out.member("name", experiment.name);
  out.member("artifact_location", rest_artifact_uri(context, experiment.artifact_location));
  out.member("lifecycle_stage", experiment.lifecycle_stage);
  out.member("last_update_time", experiment.last_update_time_ms);
  out.member("creation_time", experiment.creation_time_ms);
  rest_write_tags(out, "tags", experiment.tags);
  out.close('}');
}

void rest_write_run_info(RestWriter& out, const RestContext& context, const RunRecord& run) {
  out.open('{');
  out.member("run_uuid", run.run_id);
  out.member("experiment_id", run.experiment_id);
  out.member("run_name", run.name);
  out.member("user_id", run.user);
  out.member("status", run_status_name(run.status));
  out.member("start_time", run.start_time_ms);
  if (run.end_time_ms != 0) out.member("end_time", run.end_time_ms);
  out.member("artifact_uri", rest_artifact_uri(context, run.artifact_folder));
  out.member("lifecycle_stage", run.lifecycle_stage);
  out.member("run_id", run.run_id);
  out.close('}');
}

void rest_write_metric(RestWriter& out, const Metric& metric, const std::string& run_id) {
  out.open('{');
  out.member("key", metric.key);
  out.member("value", metric.value);
  out.member("timestamp", metric.timestamp_ms);
  out.member("step", metric.step);
  out.optional("dataset_name", metric.dataset_name);
  out.optional("dataset_digest", metric.dataset_digest);
  out.optional("model_id", metric.model_id);
  out.optional("run_id", run_id);
  out.close('}');
}

void rest_write_run(RestWriter& out, const RestContext& context, const RunRecord& run) {
  out.open('{');
  out.name("info");
  rest_write_run_info(out, context, run);
  out.open("data", '{');
  if (!run.metrics.empty()) {
    out.open("metrics", '[');
    for (const Metric& metric : run.metrics) rest_write_metric(out, metric, {});
    out.close(']');
  }
  rest_write_params(out, run.params);
  rest_write_tags(out, "tags", run.tags);
  out.close('}');
  out.open("inputs", '{');
  if (!run.inputs.empty()) {
    out.open("dataset_inputs", '[');
    for (const DatasetInput& input : run.inputs) rest_write_input(out, input);
    out.close(']');
  }
  if (!run.model_inputs.empty()) {
    out.open("model_inputs", '[');
    for (const std::string& id : run.model_inputs) {
      out.open('{');
      out.member("model_id", id);
      out.close('}');
    }
    out.close(']');
  }
  out.close('}');
  out.open("outputs", '{');
  if (!run.outputs.empty()) {
    out.open("model_outputs", '[');
    for (const RunOutput& output : run.outputs) {
      out.open('{');
      out.member("model_id", output.model_id);
      out.member("step", output.step);
      out.close('}');
    }
    out.close(']');
  }
  out.close('}');
  out.close('}');
}

void rest_write_logged_model(RestWriter& out, const RestContext& context,
                             const LoggedModel& model) {
  out.open('{');
  out.open("info", '{');
  out.member("model_id", model.model_id);
  out.member("experiment_id", model.experiment_id);
  out.member("name", model.name);
  out.member("creation_timestamp_ms", model.creation_time_ms);
  out.member("last_updated_timestamp_ms", model.last_update_time_ms);
  out.member("artifact_uri", rest_artifact_uri(context, model.artifact_folder));
  out.member("status", rest_logged_model_status(model.status));
  out.member("model_type", model.model_type);
  out.member("source_run_id", model.source_run_id);
  rest_write_tags(out, "tags", model.tags);
  out.close('}');
  out.open("data", '{');
  rest_write_params(out, model.params);
  if (!model.metrics.empty()) {
    out.open("metrics", '[');
    for (std::size_t i = 0; i < model.metrics.size(); ++i) {
      rest_write_metric(out, model.metrics[i], model.metric_runs[i]);
    }
    out.close(']');
  }
  out.close('}');
  out.close('}');
}

void rest_write_model_version(RestWriter& out, const ModelVersion& version) {
  out.open('{');
  out.member("name", version.name);
  rest_write_version_number(out, version.version);
  out.member("creation_timestamp", version.creation_time_ms);
  out.member("last_updated_timestamp", version.last_update_time_ms);
  // What rest_registry calls one who gives no name is none; MLflow leaves it out then.
  if (!starts_with(version.user, kRestNobody)) out.optional("user_id", version.user);
  out.member("current_stage", version.stage);
  out.member("description", version.description);
  out.member("source", version.source);
  out.member("run_id", version.run_id);
  out.member("status", "READY");
  rest_write_tags(out, "tags", version.tags);
  out.member("run_link", version.run_link);
  if (!version.aliases.empty()) {
    out.open("aliases", '[');
    for (const std::string& alias : version.aliases) out.text(alias);
    out.close(']');
  }
  out.optional("model_id", version.model_id);
  out.close('}');
}

void rest_write_registered_model(RestWriter& out, const RegisteredModel& model) {
  out.open('{');
  out.member("name", model.name);
  out.member("creation_timestamp", model.creation_time_ms);
  out.member("last_updated_timestamp", model.last_update_time_ms);
  out.optional("description", model.description);
  if (!model.latest_versions.empty()) {
    out.open("latest_versions", '[');
    for (const ModelVersion& version : model.latest_versions) {
      rest_write_model_version(out, version);
    }
    out.close(']');
  }
  rest_write_tags(out, "tags", model.tags);
  if (!model.aliases.empty()) {
    out.open("aliases", '[');
    for (const ModelAlias& alias : model.aliases) {
      out.open('{');
      out.member("alias", alias.alias);
      rest_write_version_number(out, alias.version);
      out.close('}');
    }
    out.close(']');
  }
  out.close('}');
}

}  // namespace mlrt
