#include "model/model.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "core/yaml.hpp"
#include "model/flavors.hpp"

namespace mlrt {
namespace {

constexpr int kModelFormat = 1;
constexpr const char* kModelFile = "MLmodel";
constexpr const char* kTransformFile = "transform.json";
constexpr const char* kOwnFlavor = "mlrt";  // what mlrt adds to any flavor: the preprocessing

[[noreturn]] void throw_model(const std::string& what) {
  throw Error(ErrorCode::kInvalidParameter, what);
}

// The type that a raw column is declared with. Numbers that are scaled are doubles whatever they
// were in training, so that 12.5 and null are fine at serving; categories keep theirs, as their
// text counts.
const char* declared_model_type(const Transform::Step& step) {
  bool scaled = step.op != Transform::Step::Op::kOneHot;
  if (scaled && step.type == ColumnType::kLong) return column_type_name(ColumnType::kDouble);
  return column_type_name(step.type);
}

Signature model_signature(const Transform& transform) {
  Signature signature;
  for (const Transform::Step& step : transform.steps()) {
    signature.inputs.push_back({step.column, declared_model_type(step), true});
  }
  signature.outputs.push_back({"prediction", "double", true});
  return signature;
}

std::string_view read_model_file(const FileSet& files, const std::string& name) {
  if (!files.contains(name)) throw_model("the model lacks the file " + quoted(name));
  return files.read(name);
}

// The flavor of the folder that this mlrt can read. More than one: the first by name.
const Flavor& choose_flavor(const Json& flavors) {
  std::string found;
  for (const auto& item : flavors.items()) {
    const Flavor* flavor = find_flavor(item.key());
    if (flavor != nullptr) return *flavor;
    if (item.key() != kOwnFlavor) found += (found.empty() ? "" : ", ") + quoted(item.key());
  }
  throw_model("MLmodel has no flavor that mlrt knows: it knows " + known_flavors() +
              ", the model has " + (found.empty() ? "none" : found));
}

Transform load_model_transform(const FileSet& files, const Json& flavors) {
  const std::string what = "MLmodel: flavor 'mlrt'";
  const Json& own = json_object(flavors, kOwnFlavor, "MLmodel: 'flavors'");
  const Json& format = json_member(own, "format", what);
  if (!format.is_number_integer()) throw_model(what + ": 'format' must be a whole number");
  if (format != kModelFormat) {
    throw_model(what + ": format " + dump_json(format) +
                " is not known to this mlrt, which reads " + std::to_string(kModelFormat));
  }
  std::string file = json_string(own, "transform", what);
  return Transform::from_json(read_model_file(files, file), file);
}

// The signature stands in MLmodel for other readers; ours must not contradict it.
void check_stored_signature(const Json& json, const Signature& signature) {
  const std::string what = "MLmodel: 'signature'";
  const Json& stored = json_object(json, "signature", "MLmodel");
  const std::pair<const char*, const std::vector<ColumnSpec>*> sides[] = {
      {"inputs", &signature.inputs}, {"outputs", &signature.outputs}};
  for (const auto& side : sides) {
    std::string side_what = what + ": '" + side.first + "'";
    auto columns = parse_schema(json_string(stored, side.first, what), side_what);
    if (format_schema(columns) != format_schema(*side.second)) {
      throw_model(side_what + " is not what the model takes and gives, which is " +
                  format_schema(*side.second));
    }
  }
}

std::map<std::string, std::string> load_model_metadata(const Json& json) {
  std::map<std::string, std::string> metadata;
  auto found = json.find("metadata");
  if (found == json.end() || found->is_null()) return metadata;
  if (!found->is_object()) throw_model("MLmodel: 'metadata' must be a mapping");
  for (const auto& item : found->items()) {
    if (!item.value().is_string()) {
      throw_model("MLmodel: 'metadata': " + quoted(item.key()) +
                  " must be a string; put it in quotes");
    }
    metadata[item.key()] = item.value().get<std::string>();
  }
  return metadata;
}

}  // namespace

Model::Model(Transform transform, std::shared_ptr<const Predictor> predictor,
             std::map<std::string, std::string> metadata)
    : transform_(std::move(transform)),
      predictor_(std::move(predictor)),
      metadata_(std::move(metadata)) {
  if (predictor_ == nullptr) throw_model("a model needs a predictor");
  if (transform_.steps().empty()) throw_model("a model needs a transform with at least one column");
  if (transform_.feature_count() != predictor_->feature_count()) {
    throw_model("the transform makes " + std::to_string(transform_.feature_count()) +
                " features, the predictor takes " + std::to_string(predictor_->feature_count()));
  }
  if (predictor_->output_count() != 1) {
    throw_model("the predictor gives " + std::to_string(predictor_->output_count()) +
                " values a row; a model has one");
  }
  for (const auto& item : metadata_) {
    if (!is_utf8(item.first) || !is_utf8(item.second)) {
      throw_model("the metadata " + quoted(item.first) + " is not UTF-8");
    }
  }
  signature_ = model_signature(transform_);
}

Table Model::predict(const Table& table) const {
  Matrix predictions = predictor_->predict(transform_.apply(enforce_schema(table, signature_)));
  return Table::of_columns({Column::of_doubles("prediction", std::move(predictions.values))});
}

MemoryFiles Model::save() const {
  const Flavor* flavor = find_flavor(predictor_->flavor());
  if (flavor == nullptr) {
    throw_model("a model of the flavor " + quoted(predictor_->flavor()) +
                " cannot be saved: mlrt knows " + known_flavors());
  }
  OrderedJson flavors = OrderedJson::object();
  flavors[flavor->name] = flavor->config(*predictor_);
  flavors[kOwnFlavor] = OrderedJson{{"format", kModelFormat}, {"transform", kTransformFile}};
  OrderedJson mlmodel = OrderedJson::object();
  mlmodel["flavors"] = std::move(flavors);
  OrderedJson metadata = OrderedJson::object();
  for (const auto& item : metadata_) metadata[item.first] = item.second;
  mlmodel["metadata"] = std::move(metadata);
  mlmodel["signature"] = OrderedJson{{"inputs", format_schema(signature_.inputs)},
                                     {"outputs", format_schema(signature_.outputs)},
                                     {"params", nullptr}};
  MemoryFiles files;
  predictor_->save(files);
  files.add(kTransformFile, transform_.to_json());
  files.add(kModelFile, dump_yaml(mlmodel));
  return files;
}

std::shared_ptr<const Model> Model::load(const FileSet& files) {
  Json json = parse_yaml(read_model_file(files, kModelFile), kModelFile);
  const Json& flavors = json_object(json, "flavors", kModelFile);
  const Flavor& flavor = choose_flavor(flavors);
  Transform transform = load_model_transform(files, flavors);
  std::shared_ptr<const Predictor> predictor =
      flavor.load(files, json_object(flavors, flavor.name, "MLmodel: 'flavors'"));
  auto model = std::make_shared<const Model>(std::move(transform), std::move(predictor),
                                             load_model_metadata(json));
  check_stored_signature(json, model->signature());
  return model;
}

}  // namespace mlrt
