#include "model/linear.hpp"

#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "model/stable_math.hpp"

namespace mlrt {
namespace {

constexpr int kLinearFormat = 1;
constexpr const char* kLinearFile = "linear.json";

struct LinearLinkName {
  Link link;
  const char* name;
};

constexpr LinearLinkName kLinearLinks[] = {{Link::kIdentity, "identity"},
                                           {Link::kLogistic, "logistic"}};

const char* linear_link_name(Link link) {
  for (const LinearLinkName& row : kLinearLinks) {
    if (row.link == link) return row.name;
  }
  return "unknown";
}

Link parse_linear_link(const std::string& name, const std::string& what) {
  for (const LinearLinkName& row : kLinearLinks) {
    if (name == row.name) return row.link;
  }
  throw Error(ErrorCode::kInvalidParameter,
              what + ": 'link' must be identity or logistic, not " + quoted(name));
}

void check_linear_keys(const Json& json, const std::string& what) {
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (key != "format" && key != "link" && key != "intercept" && key != "coefficients") {
      throw Error(ErrorCode::kInvalidParameter, what + " has the unknown key " + quoted(key));
    }
  }
}

}  // namespace

double logistic(double x) {
  if (x >= 0) return 1.0 / (1.0 + stable_exp(-x));
  double e = stable_exp(x);
  return e / (1.0 + e);
}

LinearPredictor::LinearPredictor(std::vector<double> coefficients, double intercept, Link link)
    : coefficients_(std::move(coefficients)), intercept_(intercept + 0.0), link_(link) {
  if (!std::isfinite(intercept_))
    throw Error(ErrorCode::kInvalidParameter, "the intercept is not a finite number");
  for (std::size_t i = 0; i < coefficients_.size(); ++i) {
    coefficients_[i] += 0.0;  // no negative zeros, whose sign JSON readers may drop
    if (!std::isfinite(coefficients_[i])) {
      throw Error(ErrorCode::kInvalidParameter,
                  "coefficient " + std::to_string(i) + " is not a finite number");
    }
  }
}

Matrix LinearPredictor::predict(const Matrix& features) const {
  if (features.columns != coefficients_.size()) {
    throw Error(ErrorCode::kInvalidParameter,
                "the model takes " + std::to_string(coefficients_.size()) + " features, not " +
                    std::to_string(features.columns));
  }
  Matrix out(features.rows, 1);
  for (std::size_t i = 0; i < features.rows; ++i) {
    const double* row = features.row(i);
    double sum = intercept_;
    for (std::size_t j = 0; j < coefficients_.size(); ++j) sum += coefficients_[j] * row[j];
    out.values[i] = link_ == Link::kLogistic ? logistic(sum) : sum;
  }
  return out;
}

void LinearPredictor::save(MemoryFiles& files) const {
  std::string json = "{\"format\":" + std::to_string(kLinearFormat) + ",\"link\":\"" +
                     linear_link_name(link_) + "\",\n\"intercept\":" + format_double(intercept_) +
                     ",\n\"coefficients\":[";
  for (std::size_t i = 0; i < coefficients_.size(); ++i) {
    json += (i > 0 ? ",\n" : "\n") + format_double(coefficients_[i]);
  }
  files.add(kLinearFile, json + "\n]}\n");
}

std::shared_ptr<const LinearPredictor> LinearPredictor::load(const FileSet& files,
                                                             const std::string& file) {
  if (!files.contains(file)) {
    throw Error(ErrorCode::kInvalidParameter, "the model lacks the file " + quoted(file));
  }
  Json json = parse_json(files.read(file), file);
  const Json& format = json_member(json, "format", file);
  if (!format.is_number_integer()) {
    throw Error(ErrorCode::kInvalidParameter, file + ": 'format' must be a whole number");
  }
  if (format != kLinearFormat) {
    throw Error(ErrorCode::kInvalidParameter, file + ": format " + dump_json(format) +
                                                  " is not known to this mlrt, which reads " +
                                                  std::to_string(kLinearFormat));
  }
  check_linear_keys(json, file);
  Link link = parse_linear_link(json_string(json, "link", file), file);
  double intercept = json_number(json, "intercept", file);
  std::vector<double> coefficients;
  for (const Json& value : json_array(json, "coefficients", file)) {
    if (!value.is_number()) {
      throw Error(ErrorCode::kInvalidParameter, file + ": 'coefficients' must hold numbers only");
    }
    coefficients.push_back(value.get<double>());
  }
  return std::make_shared<const LinearPredictor>(std::move(coefficients), intercept, link);
}

}  // namespace mlrt
