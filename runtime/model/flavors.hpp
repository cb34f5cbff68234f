#ifndef MLRT_MODEL_FLAVORS_HPP_
#define MLRT_MODEL_FLAVORS_HPP_

// Internal: the one table of model kinds. A table rather than objects that register themselves:
// those would be dropped from a static library.

#include <memory>
#include <string>

#include "core/file_set.hpp"
#include "core/json.hpp"
#include "model/predictor.hpp"

namespace mlrt {

struct Flavor {
  const char* name;  // its key below "flavors" in MLmodel
  // Makes the predictor out of the files and its own part of MLmodel. Throws kInvalidParameter.
  std::shared_ptr<const Predictor> (*load)(const FileSet& files, const Json& config);
  // Its own part of MLmodel.
  OrderedJson (*config)(const Predictor& predictor);
};

// The row of `name`, or null.
const Flavor* find_flavor(const std::string& name);

// "'linear'": for messages.
std::string known_flavors();

}  // namespace mlrt

#endif  // MLRT_MODEL_FLAVORS_HPP_
