#include "data/transform.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kTransformFormat = 1;
constexpr std::uint64_t kTransformMaxValues = std::uint64_t{1} << 32;
constexpr std::size_t kTransformNoCategory = ~std::size_t{0};

using TransformStep = Transform::Step;

struct TransformOpName {
  TransformStep::Op op;
  const char* name;
};

constexpr TransformOpName kTransformOps[] = {
    {TransformStep::Op::kStandardize, "standardize"},
    {TransformStep::Op::kNumeric, "numeric"},
    {TransformStep::Op::kOneHot, "one_hot"},
};

constexpr ColumnType kTransformTypes[] = {ColumnType::kBoolean, ColumnType::kLong,
                                          ColumnType::kDouble, ColumnType::kString};

const char* transform_op_name(TransformStep::Op op) {
  for (const TransformOpName& row : kTransformOps) {
    if (row.op == op) return row.name;
  }
  return "unknown";
}

[[noreturn]] void throw_transform(const std::string& what) {
  throw Error(ErrorCode::kInvalidParameter, what);
}

// Mean and population standard deviation of the values that are there; two passes, in row order.
void fit_transform_moments(const Column& column, TransformStep& step) {
  double sum = 0, low = 0, high = 0;
  std::size_t count = 0;
  for (std::size_t row = 0; row < column.size(); ++row) {
    if (column.is_missing(row)) continue;
    double value = column.number(row);
    if (std::isinf(value)) {
      throw_transform("column " + quoted(column.name()) + " is infinite in row " +
                      std::to_string(row));
    }
    low = count == 0 ? value : std::min(low, value);
    high = count == 0 ? value : std::max(high, value);
    sum += value;
    ++count;
  }
  if (count == 0) return;
  if (low == high) {  // the mean of equal values by sums can be off in the last bit, and the
                      // deviation not 0
    step.mean = low + 0.0;
    return;
  }
  double mean = sum / static_cast<double>(count);
  if (!std::isfinite(mean) || !std::isfinite(high - low)) {
    throw_transform("column " + quoted(column.name()) + " has numbers too large to average");
  }
  step.mean = mean + 0.0;  // no negative zero
  if (step.op != TransformStep::Op::kStandardize) return;
  int exponent = 0;  // scaling by a power of two, which is exact, keeps the squares in range
  std::frexp(high - low, &exponent);
  double squares = 0;
  for (std::size_t row = 0; row < column.size(); ++row) {
    if (column.is_missing(row)) continue;
    double distance = std::ldexp(column.number(row) - mean, -exponent);
    squares += distance * distance;
  }
  double std_dev = std::ldexp(std::sqrt(squares / static_cast<double>(count)), exponent);
  if (std_dev > 0) step.std_dev = std_dev;
}

void fit_transform_categories(const Column& column, std::size_t max_categories,
                              TransformStep& step) {
  std::unordered_map<std::string, std::size_t> counts;
  for (std::size_t row = 0; row < column.size(); ++row) {
    if (!column.is_missing(row)) ++counts[column.cell_text(row)];
  }
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (auto& category : sorted) {
    if (step.categories.size() == max_categories) break;
    if (!is_utf8(category.first)) {
      throw_transform("column " + quoted(column.name()) + " has the value " +
                      quoted(category.first) + ", which is not UTF-8");
    }
    step.categories.push_back(std::move(category.first));
  }
}

std::string transform_json_text(const std::string& text) { return dump_json(Json(text)); }

std::string transform_step_path(std::string_view what, std::size_t index) {
  return std::string(what) + ": steps[" + std::to_string(index) + "]";
}

void check_transform_keys(const Json& object, std::initializer_list<const char*> known,
                          const std::string& what) {
  for (const auto& item : object.items()) {
    bool found =
        std::any_of(known.begin(), known.end(), [&](const char* key) { return item.key() == key; });
    if (!found) throw_transform(what + " has the unknown key " + quoted(item.key()));
  }
}

double finite_transform_number(const Json& parent, const char* key, const std::string& what) {
  double value = json_number(parent, key, what);
  if (!std::isfinite(value)) throw_transform(what + ": '" + key + "' is not a finite number");
  return value;
}

TransformStep read_transform_step(const Json& json, const std::string& what) {
  TransformStep step;
  std::string op = json_string(json, "op", what);
  auto known = std::find_if(std::begin(kTransformOps), std::end(kTransformOps),
                            [&](const TransformOpName& row) { return op == row.name; });
  if (known == std::end(kTransformOps)) {
    throw_transform(what + ": 'op' must be standardize, numeric or one_hot, not " + quoted(op));
  }
  step.op = known->op;
  step.column = json_string(json, "column", what);
  if (step.column.empty()) throw_transform(what + ": 'column' is empty");
  std::string type = json_string(json, "type", what);
  auto known_type = std::find_if(std::begin(kTransformTypes), std::end(kTransformTypes),
                                 [&](ColumnType t) { return type == column_type_name(t); });
  if (known_type == std::end(kTransformTypes)) {
    throw_transform(what + ": 'type' must be boolean, long, double or string, not " + quoted(type));
  }
  step.type = *known_type;
  if (step.op == TransformStep::Op::kOneHot) {
    check_transform_keys(json, {"op", "column", "type", "categories"}, what);
    std::unordered_set<std::string> seen;
    for (const Json& category : json_array(json, "categories", what)) {
      if (!category.is_string()) throw_transform(what + ": 'categories' must hold strings only");
      step.categories.push_back(category.get<std::string>());
      if (!seen.insert(step.categories.back()).second) {
        throw_transform(what + ": 'categories' has " + quoted(step.categories.back()) + " twice");
      }
    }
    return step;
  }
  if (step.type == ColumnType::kString) throw_transform(what + ": 'type' string cannot be " + op);
  step.mean = finite_transform_number(json, "mean", what);
  if (step.op == TransformStep::Op::kStandardize) {
    check_transform_keys(json, {"op", "column", "type", "mean", "std_dev"}, what);
    step.std_dev = finite_transform_number(json, "std_dev", what);
    if (!(step.std_dev > 0)) throw_transform(what + ": 'std_dev' must be above 0");
  } else {
    check_transform_keys(json, {"op", "column", "type", "mean"}, what);
  }
  return step;
}

// The column of a step; tables that enforce_schema made have it at the step's own place.
const Column& transform_column(const Table& table, std::size_t step, const std::string& name) {
  if (step < table.column_count() && table.columns()[step].name() == name)
    return table.columns()[step];
  return table.column(name);
}

}  // namespace

Transform Transform::fit(const Table& table, const FeatureSpec& spec) {
  if (spec.standardize.empty() && spec.numeric.empty() && spec.one_hot.empty()) {
    throw_transform("no feature columns: name some under standardize, numeric or one_hot");
  }
  if (table.row_count() == 0) throw_transform("the table has no rows to fit on");
  if (spec.max_categories == 0 && !spec.one_hot.empty())
    throw_transform("max_categories must be 1 or more");
  Transform transform;
  std::unordered_set<std::string> seen;
  auto add = [&](const std::string& name, Step::Op op) {
    const Column& column = table.column(name);
    if (!is_utf8(name)) throw_transform("the column name " + quoted(name) + " is not UTF-8");
    if (!seen.insert(name).second)
      throw_transform("column " + quoted(name) + " is named twice among the features");
    Step step;
    step.op = op;
    step.column = name;
    step.type = column.type();
    if (op == Step::Op::kOneHot) {
      if (column.type() == ColumnType::kDouble && column.missing_count() < column.size()) {
        throw_transform("column " + quoted(name) +
                        " holds double values: one_hot takes strings, longs and booleans");
      }
      if (column.type() == ColumnType::kLong && column.missing_count() > 0)
        step.type = ColumnType::kDouble;
      fit_transform_categories(column, spec.max_categories, step);
    } else {
      if (!column.is_numeric()) {
        throw_transform("column " + quoted(name) +
                        " holds string values: " + transform_op_name(op) + " takes numbers");
      }
      fit_transform_moments(column, step);
    }
    transform.steps_.push_back(std::move(step));
  };
  for (const std::string& name : spec.standardize) add(name, Step::Op::kStandardize);
  for (const std::string& name : spec.numeric) add(name, Step::Op::kNumeric);
  for (const std::string& name : spec.one_hot) add(name, Step::Op::kOneHot);
  transform.index_categories();
  return transform;
}

void Transform::index_categories() {
  sorted_.assign(steps_.size(), {});
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const std::vector<std::string>& categories = steps_[i].categories;
    sorted_[i].resize(categories.size());
    for (std::size_t k = 0; k < categories.size(); ++k)
      sorted_[i][k] = static_cast<std::uint32_t>(k);
    std::sort(sorted_[i].begin(), sorted_[i].end(),
              [&](std::uint32_t a, std::uint32_t b) { return categories[a] < categories[b]; });
  }
}

std::size_t Transform::find_category(std::size_t step, std::string_view text) const {
  const std::vector<std::string>& categories = steps_[step].categories;
  const std::vector<std::uint32_t>& sorted = sorted_[step];
  auto found =
      std::lower_bound(sorted.begin(), sorted.end(), text,
                       [&](std::uint32_t k, std::string_view t) { return categories[k] < t; });
  return found != sorted.end() && categories[*found] == text ? *found : kTransformNoCategory;
}

std::size_t Transform::feature_count() const {
  std::size_t count = 0;
  for (const Step& step : steps_)
    count += step.op == Step::Op::kOneHot ? step.categories.size() : 1;
  return count;
}

std::vector<std::string> Transform::feature_names() const {
  std::vector<std::string> names;
  for (const Step& step : steps_) {
    if (step.op != Step::Op::kOneHot) names.push_back(step.column);
    for (const std::string& category : step.categories)
      names.push_back(step.column + "=" + category);
  }
  return names;
}

Matrix Transform::apply(const Table& table) const {
  std::size_t rows = table.row_count();
  std::size_t width = feature_count();
  if (width > 0 && rows > kTransformMaxValues / width) {
    throw Error(ErrorCode::kTooLarge,
                std::to_string(rows) + " rows of " + std::to_string(width) +
                    " features are more than fit into one matrix; give fewer rows");
  }
  Matrix matrix(rows, width);
  std::size_t first = 0;  // the step's first feature
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const Column& column = transform_column(table, i, step.column);
    bool wants_text = step.op == Step::Op::kOneHot && step.type == ColumnType::kString;
    bool serves = step.op == Step::Op::kOneHot
                      ? wants_text == (column.type() == ColumnType::kString)
                      : column.is_numeric();
    if (!serves) {
      if (column.missing_count() < column.size()) {
        throw_transform("column " + quoted(step.column) + " holds " +
                        column_type_name(column.type()) + " values where the model takes " +
                        (wants_text ? "strings" : "numbers"));
      }
      if (step.op != Step::Op::kOneHot) {
        double filled = step.op == Step::Op::kStandardize ? 0.0 : step.mean;
        for (std::size_t row = 0; row < rows; ++row) matrix.row(row)[first] = filled;
      }
    } else if (step.op == Step::Op::kOneHot) {
      for (std::size_t row = 0; row < rows; ++row) {
        if (column.is_missing(row)) continue;
        std::size_t category = wants_text ? find_category(i, column.text(row))
                                          : find_category(i, column.cell_text(row));
        if (category != kTransformNoCategory) matrix.row(row)[first + category] = 1;
      }
    } else {
      bool standardize = step.op == Step::Op::kStandardize;
      for (std::size_t row = 0; row < rows; ++row) {
        double value = column.number(row);
        if (std::isnan(value)) value = step.mean;
        matrix.row(row)[first] = standardize ? (value - step.mean) / step.std_dev : value;
      }
    }
    first += step.op == Step::Op::kOneHot ? step.categories.size() : 1;
  }
  return matrix;
}

std::string Transform::to_json() const {
  // By hand: a line a step reads well, and format_double is the shortest form, which the library's
  // isn't always.
  std::string out = "{\"format\":" + std::to_string(kTransformFormat) + ",\"steps\":[";
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    out += std::string(i > 0 ? "," : "") + "\n{\"op\":\"" + transform_op_name(step.op) +
           "\",\"column\":" + transform_json_text(step.column) + ",\"type\":\"" +
           column_type_name(step.type) + "\"";
    if (step.op == Step::Op::kOneHot) {
      out += ",\"categories\":[";
      for (std::size_t k = 0; k < step.categories.size(); ++k) {
        out += (k > 0 ? "," : "") + transform_json_text(step.categories[k]);
      }
      out += "]";
    } else {
      out += ",\"mean\":" + format_double(step.mean);
      if (step.op == Step::Op::kStandardize) out += ",\"std_dev\":" + format_double(step.std_dev);
    }
    out += "}";
  }
  return out + "\n]}\n";
}

Transform Transform::from_json(std::string_view text, std::string_view what) {
  std::string name(what);
  Json json = parse_json(text, what);
  const Json& format = json_member(json, "format", what);
  if (!format.is_number_integer()) throw_transform(name + ": 'format' must be a whole number");
  if (format != kTransformFormat) {
    throw_transform(name + ": format " + dump_json(format) +
                    " is not known to this mlrt, which reads " + std::to_string(kTransformFormat));
  }
  check_transform_keys(json, {"format", "steps"}, name);
  Transform transform;
  std::unordered_set<std::string> seen;
  for (const Json& item : json_array(json, "steps", what)) {
    std::string path = transform_step_path(what, transform.steps_.size());
    Step step = read_transform_step(item, path);
    if (!seen.insert(step.column).second) {
      throw_transform(path + ": column " + quoted(step.column) + " stands in an earlier step too");
    }
    transform.steps_.push_back(std::move(step));
  }
  transform.index_categories();
  return transform;
}

}  // namespace mlrt
