// Data sets and models that a run took in and put out.

#include <algorithm>
#include <iterator>
#include <mutex>

#include "core/error.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

constexpr char kRestModelHistoryTag[] = "mlflow.log-model.history";
constexpr std::size_t kRestMaxTagBytes = 8000;

DatasetInput rest_dataset_input(const RestRequest& request, std::uint32_t object,
                                const std::string& path) {
  const RestDocument& document = request.document();
  const std::uint32_t dataset = document.member(object, "dataset");
  DatasetInput input;
  if (dataset != RestDocument::kNone) {
    if (document.at(dataset).kind != RestNode::Kind::kObject) {
      request.refuse(path + ".dataset", dataset);
    }
    const std::string inner = path + ".dataset";
    input.name = request.member_text(dataset, "name", inner);
    input.digest = request.member_text(dataset, "digest", inner);
    input.source_type = request.member_text(dataset, "source_type", inner);
    input.source = request.member_text(dataset, "source", inner);
    input.schema = request.member_text(dataset, "schema", inner);
    input.profile = request.member_text(dataset, "profile", inner);
  }
  const std::uint32_t tags = document.member(object, "tags");
  if (tags == RestDocument::kNone) return input;
  if (document.at(tags).kind != RestNode::Kind::kArray) request.refuse(path + ".tags", tags);
  for (std::uint32_t i = tags + 1; i < document.at(tags).next; i = document.at(i).next) {
    if (document.at(i).kind != RestNode::Kind::kObject) request.refuse(path + ".tags", tags);
    input.tags.push_back({request.member_text(i, "key", path + ".tags"),
                          request.member_text(i, "value", path + ".tags")});
  }
  return input;
}

// Clients log a data set again, without its context, with each metric on it: it is no second input.
void rest_drop_known_inputs(const RestCall& call, const std::string& run_id,
                            std::vector<DatasetInput>& inputs) {
  const auto bare = [](const DatasetInput& input) { return input.tags.empty(); };
  if (std::none_of(inputs.begin(), inputs.end(), bare)) return;
  const std::vector<DatasetInput> known = call.tracking().run(run_id).inputs;
  const auto is_known = [&](const DatasetInput& input) {
    return bare(input) && std::any_of(known.begin(), known.end(), [&](const DatasetInput& other) {
             return other.name == input.name && other.digest == input.digest;
           });
  };
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(), is_known), inputs.end());
}

void rest_log_inputs(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"datasets", RestType::kObjects},
                                          {"models", RestType::kObjects}};
  call.request.check(kFields);
  const std::string run_id = call.request.text("run_id");
  std::vector<DatasetInput> datasets;
  for (const std::uint32_t object : call.request.objects("datasets")) {
    datasets.push_back(
        rest_dataset_input(call.request, object, rest_element("datasets", datasets.size())));
  }
  std::vector<std::string> models;
  for (const std::uint32_t object : call.request.objects("models")) {
    models.push_back(
        call.request.member_text(object, "model_id", rest_element("models", models.size())));
  }
  rest_drop_known_inputs(call, run_id, datasets);
  // The models first: their ids are all that can be wrong about them.
  if (!models.empty()) call.tracking().log_model_inputs(run_id, models);
  call.tracking().log_inputs(run_id, datasets);
}

void rest_log_outputs(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"models", RestType::kObjects, true}};
  call.request.check(kFields);
  std::vector<RunOutput> outputs;
  for (const std::uint32_t object : call.request.objects("models")) {
    const std::string path = rest_element("models", outputs.size());
    RunOutput output;
    output.model_id = call.request.member_text(object, "model_id", path);
    const std::uint32_t step = call.request.document().member(object, "step");
    const bool given = step != RestDocument::kNone &&
                       call.request.document().at(step).kind != RestNode::Kind::kNull;
    if (given && !rest_read_integer(call.request.document().at(step), output.step)) {
      call.request.refuse(path + ".step", step);
    }
    outputs.push_back(output);
  }
  call.tracking().log_outputs(call.request.text("run_id"), outputs);
}

// Appends the value, without the members of its members that are named `left_out`, if any.
void rest_copy_value(RestWriter& out, const RestDocument& from, std::uint32_t index,
                     const char* left_out = nullptr) {
  using Kind = RestNode::Kind;
  const RestNode& node = from.at(index);
  switch (node.kind) {
    case Kind::kString:
      out.text(node.text);
      return;
    case Kind::kInteger:
    case Kind::kFloat:
      out.word(node.text);
      return;
    case Kind::kNull:
      out.word("null");
      return;
    case Kind::kFalse:
      out.word("false");
      return;
    case Kind::kTrue:
      out.word("true");
      return;
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  const bool object = node.kind == Kind::kObject;
  out.open(object ? '{' : '[');
  for (std::uint32_t i = index + 1; i < node.next; i = from.at(object ? i + 1 : i).next) {
    if (!object) {
      rest_copy_value(out, from, i);
    } else if (left_out == nullptr || from.at(i).text != left_out) {
      out.text(from.at(i).text);
      out.colon();
      rest_copy_value(out, from, i + 1);
    }
  }
  out.close(object ? '}' : ']');
}

// What MLflow keeps of a model in the tag.
std::string rest_model_summary(const RestDocument& model) {
  std::string text;
  RestWriter out(text);
  out.open('{');
  for (const char* key : {"run_id", "artifact_path", "utc_time_created", "model_uuid"}) {
    const std::uint32_t value = model.member(0, key);
    if (value == RestDocument::kNone) continue;
    out.name(key);
    rest_copy_value(out, model, value);
  }
  const std::uint32_t flavors = model.member(0, "flavors");
  if (model.at(flavors).kind == RestNode::Kind::kObject) {
    out.open("flavors", '{');
    for (std::uint32_t i = flavors + 1; i < model.at(flavors).next; i = model.at(i + 1).next) {
      out.text(model.at(i).text);
      out.colon();
      rest_copy_value(out, model, i + 1, "config");
    }
    out.close('}');
  }
  out.close('}');
  return text;
}

// `added` behind as many of the last elements of the list `before` as a tag has room for.
std::string rest_model_history(const std::string& before, const std::string& added) {
  std::vector<std::string> elements;
  RestDocument list;
  if (list.parse(before) && list.at(0).kind == RestNode::Kind::kArray) {
    for (std::uint32_t i = 1; i < list.at(0).next; i = list.at(i).next) {
      std::string text;
      RestWriter out(text);
      rest_copy_value(out, list, i);
      elements.push_back(text);
    }
  }
  std::string history = "[" + added + "]";
  for (std::size_t i = elements.size(); i-- > 0;) {
    if (history.size() + elements[i].size() + 2 > kRestMaxTagBytes) break;
    history.insert(1, elements[i] + ", ");
  }
  return history;
}

// What clients before MLflow 3 call beside writing the model's files: the run gets a tag with a
// list of its models.
void rest_log_model(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"model_json", RestType::kText, true}};
  call.request.check(kFields);
  const std::string text = call.request.text("model_json"), run_id = call.request.text("run_id");
  RestDocument model;
  if (!model.parse(text) || model.at(0).kind != RestNode::Kind::kObject) {
    throw Error(ErrorCode::kInvalidParameter,
                "Malformed model info. \n " + text.substr(0, 1000) + " \n is not a valid JSON.");
  }
  std::string missing;
  for (const char* key : {"artifact_path", "flavors", "utc_time_created", "run_id"}) {
    if (model.member(0, key) != RestDocument::kNone) continue;
    missing += (missing.empty() ? "'" : ", '") + std::string(key) + "'";
  }
  if (!missing.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                "Model json is missing mandatory fields: {" + missing + "}");
  }
  const std::string summary = rest_model_summary(model);
  if (summary.size() + 2 > kRestMaxTagBytes) {
    throw Error(ErrorCode::kInvalidParameter, "'model_json' exceeds the maximum length of " +
                                                  std::to_string(kRestMaxTagBytes) + " characters");
  }
  // Another call must not add to the list in between.
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  std::string before;
  const RunRecord run = call.tracking().run(run_id);
  for (const Tag& tag : run.tags) {
    if (tag.key == kRestModelHistoryTag) before = tag.value;
  }
  call.tracking().set_tags(run_id, {{kRestModelHistoryTag, rest_model_history(before, summary)}});
}

constexpr RestRoute kRestRunLinkRoutes[] = {
    {"POST", "/runs/log-inputs", rest_log_inputs, true},
    {"POST", "/runs/outputs", rest_log_outputs, true},
    {"POST", "/runs/log-model", rest_log_model, true},
};

}  // namespace

void add_run_link_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestRunLinkRoutes, std::size(kRestRunLinkRoutes));
}

}  // namespace mlrt
