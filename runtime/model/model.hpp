#ifndef MLRT_MODEL_MODEL_HPP_
#define MLRT_MODEL_MODEL_HPP_

#include <map>
#include <memory>
#include <string>

#include "core/file_set.hpp"
#include "data/table.hpp"
#include "data/transform.hpp"
#include "model/predictor.hpp"
#include "model/signature.hpp"

namespace mlrt {

// A model as people use it: raw columns in, predictions out. It joins the preprocessing, the
// predictor and the signature, and is stored as an MLflow model folder. Immutable; any thread may
// use it.
class Model {
 public:
  // Throws kInvalidParameter if the transform's features are not what the predictor takes, for a
  // predictor that is null or has more than one output, for a transform without steps, and for
  // metadata that is not UTF-8.
  Model(Transform transform, std::shared_ptr<const Predictor> predictor,
        std::map<std::string, std::string> metadata = {});

  const Signature& signature() const { return signature_; }
  const Transform& transform() const { return transform_; }
  const Predictor& predictor() const { return *predictor_; }
  const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }  // free text for readers

  // One row of output for each row of `table`: the column "prediction" (double). `table` is checked
  // against the signature first (enforce_schema), so extra columns are fine. The values are the
  // same whether rows are given one by one or together.
  Table predict(const Table& table) const;

  // The files of an MLflow model folder: "MLmodel" (YAML: flavors, signature, metadata), the
  // preprocessing, and the predictor's own. No clock, host or random id in them: the same model
  // gives the same bytes. Throws kInvalidParameter for a predictor of a flavor that is not in the
  // table.
  MemoryFiles save() const;

  // Reads a model folder of any known flavor (flavors.cpp has the table). Throws kInvalidParameter
  // that names the file and key at fault, and says which flavors are known when none of the
  // folder's is.
  static std::shared_ptr<const Model> load(const FileSet& files);

 private:
  Transform transform_;
  std::shared_ptr<const Predictor> predictor_;
  std::map<std::string, std::string> metadata_;
  Signature signature_;
};

}  // namespace mlrt

#endif  // MLRT_MODEL_MODEL_HPP_
