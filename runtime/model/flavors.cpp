#include "model/flavors.hpp"

#include "core/text.hpp"
#include "model/linear.hpp"

namespace mlrt {
namespace {

std::shared_ptr<const Predictor> load_linear_flavor(const FileSet& files, const Json& config) {
  return LinearPredictor::load(files, json_string(config, "data", "MLmodel: flavor 'linear'"));
}

OrderedJson linear_flavor_config(const Predictor&) { return OrderedJson{{"data", "linear.json"}}; }

constexpr Flavor kFlavors[] = {{"linear", load_linear_flavor, linear_flavor_config}};

}  // namespace

const Flavor* find_flavor(const std::string& name) {
  for (const Flavor& flavor : kFlavors) {
    if (name == flavor.name) return &flavor;
  }
  return nullptr;
}

std::string known_flavors() {
  std::string names;
  for (const Flavor& flavor : kFlavors) names += (names.empty() ? "" : ", ") + quoted(flavor.name);
  return names;
}

}  // namespace mlrt
