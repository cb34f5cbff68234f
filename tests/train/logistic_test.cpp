#include "train/logistic.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "core/interrupt.hpp"
#include "data/csv.hpp"
#include "data/expect_error.hpp"
#include "data/shared_data.hpp"
#include "model/evaluate.hpp"
#include "model/linear.hpp"

using mlrt::BinaryMetrics;
using mlrt::Column;
using mlrt::FeatureSpec;
using mlrt::fit_logistic;
using mlrt::LogisticOptions;
using mlrt::Model;
using mlrt::Table;
using mlrt::test::message_of;

namespace {

const mlrt::LinearPredictor& logistic_test_weights(const Model& model) {
  return dynamic_cast<const mlrt::LinearPredictor&>(model.predictor());
}

BinaryMetrics logistic_test_evaluate(const Model& model, const Table& table,
                                     const std::string& label) {
  Table predictions = model.predict(table);
  std::vector<double> labels, probabilities;
  for (std::size_t row = 0; row < table.row_count(); ++row) {
    labels.push_back(table.column(label).number(row));
    probabilities.push_back(predictions.column("prediction").number(row));
  }
  return mlrt::evaluate_binary(labels, probabilities);
}

// Labels drawn with the log odds 0.5 + x - 2 z.
Table logistic_test_table(std::size_t rows) {
  std::mt19937 random(99);
  auto uniform = [&] { return static_cast<double>(random()) / 4294967296.0; };
  std::vector<double> x(rows), z(rows);
  std::vector<std::string> group(rows);
  std::vector<std::int64_t> label(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    x[i] = 4 * uniform() - 2;
    z[i] = 4 * uniform() - 2;
    group[i] = uniform() < 0.3 ? "a" : "b";
    label[i] = uniform() < mlrt::logistic(0.5 + x[i] - 2 * z[i]) ? 1 : 0;
  }
  return Table::of_columns({Column::of_doubles("x", x), Column::of_doubles("z", z),
                            Column::of_strings("group", group), Column::of_longs("y", label)});
}

FeatureSpec logistic_test_numeric(std::vector<std::string> columns) {
  FeatureSpec spec;
  spec.numeric = std::move(columns);
  return spec;
}

class LogisticTestObserver : public mlrt::TrainObserver {
 public:
  void on_begin(const mlrt::TrainingInfo& began) override { info = began; }
  void on_round(std::int64_t step, const mlrt::NamedValues& metrics) override {
    CHECK(metrics.size() == 1);
    CHECK(metrics[0].first == "log_loss");
    steps.push_back(step);
    losses.push_back(metrics[0].second);
    if (step == interrupt_at) mlrt::request_interrupt();
  }
  void on_finish(const std::shared_ptr<const Model>& model,
                 const mlrt::NamedValues& metrics) override {
    finished = model != nullptr;
    final_metrics = metrics;
  }
  void on_failure(const std::string& reason) noexcept override { failure = reason; }

  mlrt::TrainingInfo info;
  std::vector<std::int64_t> steps;
  std::vector<double> losses;
  mlrt::NamedValues final_metrics;
  bool finished = false;
  std::string failure;
  std::int64_t interrupt_at = -1;
};

std::string logistic_test_refusal(const Table& table, const std::string& label,
                                  const FeatureSpec& spec, const LogisticOptions& options = {}) {
  return message_of([&] { fit_logistic(table, label, spec, options); });
}

}  // namespace

TEST_CASE("logistic regression finds the weights that made the labels") {
  auto model = fit_logistic(logistic_test_table(20000), "y", logistic_test_numeric({"x", "z"}));
  const auto& weights = logistic_test_weights(*model);
  CHECK(weights.intercept() == doctest::Approx(0.5).epsilon(0.1));
  CHECK(weights.coefficients()[0] == doctest::Approx(1).epsilon(0.05));
  CHECK(weights.coefficients()[1] == doctest::Approx(-2).epsilon(0.05));
  CHECK(weights.link() == mlrt::Link::kLogistic);
  CHECK(model->metadata().at("learner") == "logistic_regression");
  CHECK(model->metadata().at("label") == "y");
}

TEST_CASE("at the optimum the gradient is nil, penalty included") {
  Table table = logistic_test_table(500);
  for (double l2 : {0.0, 1.0, 100.0}) {
    CAPTURE(l2);
    LogisticOptions options;
    options.l2 = l2;
    options.tolerance = 0;
    auto model = fit_logistic(table, "y", logistic_test_numeric({"x", "z"}), options);
    const auto& weights = logistic_test_weights(*model);
    Table predictions = model->predict(table);
    double by_x = -l2 * weights.coefficients()[0], by_z = -l2 * weights.coefficients()[1],
           by_one = 0;
    for (std::size_t i = 0; i < table.row_count(); ++i) {
      double error = table.column("y").number(i) - predictions.column("prediction").number(i);
      by_x += error * table.column("x").number(i);
      by_z += error * table.column("z").number(i);
      by_one += error;
    }
    CHECK(std::fabs(by_x) < 1e-6);
    CHECK(std::fabs(by_z) < 1e-6);
    CHECK(std::fabs(by_one) < 1e-6);
  }
}

TEST_CASE("training twice gives the same bytes") {
  FeatureSpec spec;
  spec.standardize = {"x", "z"};
  spec.one_hot = {"group"};
  auto first = fit_logistic(logistic_test_table(300), "y", spec)->save();
  auto second = fit_logistic(logistic_test_table(300), "y", spec)->save();
  for (const std::string& name : first.names()) CHECK(first.read(name) == second.read(name));
}

TEST_CASE("columns that depend on each other or never change do no harm") {
  Table table = logistic_test_table(400);
  double alone = logistic_test_evaluate(
                     *fit_logistic(table, "y", logistic_test_numeric({"x", "z"})), table, "y")
                     .log_loss;
  std::vector<double> twice(400), both(400), constant(400, 3.7), zero(400), huge(400), tiny(400);
  for (std::size_t i = 0; i < 400; ++i) {
    twice[i] = 2 * table.column("x").number(i) - 5;
    both[i] = table.column("x").number(i) + table.column("z").number(i);
    huge[i] = 1e200 * table.column("x").number(i);
    tiny[i] = 1e-200 * table.column("x").number(i);
  }
  table.set(Column::of_doubles("twice", twice));
  table.set(Column::of_doubles("both", both));
  table.set(Column::of_doubles("constant", constant));
  table.set(Column::of_doubles("zero", zero));
  table.set(Column::of_doubles("huge", huge));
  table.set(Column::of_doubles("tiny", tiny));
  FeatureSpec spec =
      logistic_test_numeric({"x", "z", "twice", "both", "constant", "zero", "huge", "tiny"});
  auto model = fit_logistic(table, "y", spec);
  CHECK(logistic_test_evaluate(*model, table, "y").log_loss ==
        doctest::Approx(alone).epsilon(1e-6));
  const auto& coefficients = logistic_test_weights(*model).coefficients();
  for (double coefficient : coefficients) CHECK(std::fabs(coefficient) < 100);
  CHECK(coefficients[4] == 0);
  CHECK(coefficients[5] == 0);
  CHECK(coefficients[7] == 0);

  // All categories of a column add up to the intercept.
  spec = logistic_test_numeric({"x", "z"});
  spec.one_hot = {"group"};
  model = fit_logistic(table, "y", spec);
  CHECK(logistic_test_evaluate(*model, table, "y").log_loss <= alone);
  for (double coefficient : logistic_test_weights(*model).coefficients())
    CHECK(std::fabs(coefficient) < 100);
}

TEST_CASE("separable classes end with finite weights that separate them") {
  Table table = Table::of_columns({Column::of_doubles("x", {-3, -2, -1, 1, 2, 3}),
                                   Column::of_booleans("y", {0, 0, 0, 1, 1, 1})});
  LogisticOptions options;
  options.tolerance = 0;
  options.max_iterations = 10000;
  for (double tolerance : {1e-8, 0.0}) {
    options.tolerance = tolerance;
    auto model = fit_logistic(table, "y", logistic_test_numeric({"x"}), options);
    CHECK(std::isfinite(logistic_test_weights(*model).coefficients()[0]));
    CHECK(logistic_test_evaluate(*model, table, "y").accuracy_score == 1);
  }
}

TEST_CASE("the log loss falls from round to round, and observers hear all of it") {
  auto observer = std::make_shared<LogisticTestObserver>();
  mlrt::TrainHooks hooks;
  hooks.add(observer);
  Table table = logistic_test_table(500);
  FeatureSpec spec = logistic_test_numeric({"x", "z"});
  spec.one_hot = {"group"};
  auto model = fit_logistic(table, "y", spec, {}, &hooks, "sample");
  CHECK(observer->info.learner == "logistic_regression");
  CHECK(observer->info.dataset_name == "sample");
  CHECK(observer->info.dataset_digest == table.digest());
  CHECK(observer->info.row_count == 500);
  CHECK(observer->info.columns.size() == 4);
  CHECK(observer->info.columns[3].name == "y");
  CHECK(observer->info.columns[3].type == "long");
  using Param = std::pair<std::string, std::string>;
  CHECK(observer->info.params == std::vector<Param>{{"label", "y"},
                                                    {"standardize", ""},
                                                    {"numeric", "x,z"},
                                                    {"one_hot", "group"},
                                                    {"max_categories", "1000"},
                                                    {"l2", "0"},
                                                    {"max_iterations", "50"},
                                                    {"tolerance", "1e-08"}});
  REQUIRE(observer->steps.size() >= 3);
  CHECK(observer->losses[0] < std::log(2.0));
  for (std::size_t i = 0; i < observer->steps.size(); ++i) {
    CHECK(observer->steps[i] == static_cast<std::int64_t>(i) + 1);
    if (i > 0) CHECK(observer->losses[i] <= observer->losses[i - 1]);
  }
  CHECK(observer->finished);
  CHECK(observer->failure.empty());
  BinaryMetrics training = logistic_test_evaluate(*model, table, "y");
  REQUIRE(observer->final_metrics.size() == 6);
  CHECK(observer->final_metrics[0] ==
        std::make_pair(std::string("training_accuracy_score"), training.accuracy_score));
  CHECK(observer->final_metrics[4].first == "training_log_loss");
  CHECK(observer->final_metrics[4].second ==
        doctest::Approx(observer->losses.back()).epsilon(1e-12));
}

TEST_CASE("an interrupt ends the training, and observers hear why") {
  auto observer = std::make_shared<LogisticTestObserver>();
  observer->interrupt_at = 2;
  mlrt::TrainHooks hooks;
  hooks.add(observer);
  Table table = logistic_test_table(500);
  std::string message =
      message_of([&] { fit_logistic(table, "y", logistic_test_numeric({"x"}), {}, &hooks); },
                 mlrt::ErrorCode::kInterrupted);
  mlrt::clear_interrupt();
  CHECK(message == "interrupted");
  CHECK(observer->failure == "interrupted");
  CHECK(observer->steps.size() == 2);
  CHECK_FALSE(observer->finished);
}

TEST_CASE("max_iterations ends the training") {
  auto observer = std::make_shared<LogisticTestObserver>();
  mlrt::TrainHooks hooks;
  hooks.add(observer);
  LogisticOptions options;
  options.max_iterations = 1;
  fit_logistic(logistic_test_table(100), "y", logistic_test_numeric({"x"}), options, &hooks);
  CHECK(observer->steps == std::vector<std::int64_t>{1});
  CHECK(observer->finished);
}

TEST_CASE("a training that cannot be is refused before anyone hears of it") {
  Table table = logistic_test_table(10);
  FeatureSpec spec = logistic_test_numeric({"x"});
  CHECK(logistic_test_refusal(table, "yy", spec).rfind("there is no column 'yy'", 0) == 0);
  CHECK(logistic_test_refusal(table, "group", spec) ==
        "the label 'group' holds strings; it must be 0 or 1");
  CHECK(logistic_test_refusal(table, "y", logistic_test_numeric({"x", "y"})) ==
        "the label 'y' is among the features");
  CHECK(logistic_test_refusal(table, "y", {}) ==
        "no feature columns: name some under standardize, numeric or one_hot");
  table.set(Column::of_doubles("y", {0, 1, 0.5, 1, 0, 0, 0, 0, 0, 0}));
  CHECK(logistic_test_refusal(table, "y", spec) ==
        "the label 'y' must be 0 or 1; in row 2 it is 0.5");
  table.set(Column::of_doubles("y", {0, 1, NAN, 1, 0, 0, 0, 0, 0, 0}));
  CHECK(logistic_test_refusal(table, "y", spec) ==
        "the label 'y' must be 0 or 1; in row 2 it is missing");
  table.set(Column::of_doubles("y", std::vector<double>(10, 1)));
  CHECK(logistic_test_refusal(table, "y", spec) ==
        "the label 'y' is 1 in every row: there is nothing to tell apart");
  table = logistic_test_table(10);
  table.set(Column::of_doubles("x", {1e301, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  CHECK(logistic_test_refusal(table, "y", spec) == "feature 'x' is beyond 1e300 in row 0");
  CHECK(logistic_test_refusal(table.take({}), "y", spec) == "the table has no rows to fit on");
}

TEST_CASE("options out of range are refused") {
  Table table = logistic_test_table(10);
  FeatureSpec spec = logistic_test_numeric({"x"});
  LogisticOptions options;
  options.l2 = -1;
  CHECK(logistic_test_refusal(table, "y", spec, options) ==
        "l2 must be a number of 0 or more, not -1");
  options.l2 = NAN;
  CHECK(logistic_test_refusal(table, "y", spec, options) ==
        "l2 must be a number of 0 or more, not NaN");
  options = {};
  options.max_iterations = 0;
  CHECK(logistic_test_refusal(table, "y", spec, options) ==
        "max_iterations must be between 1 and 10000, not 0");
  options = {};
  options.tolerance = INFINITY;
  CHECK(logistic_test_refusal(table, "y", spec, options) ==
        "tolerance must be a number of 0 or more, not Infinity");
}

TEST_CASE("more than 500 features are refused") {
  std::vector<std::int64_t> keys, labels;
  for (int i = 0; i < 501; ++i) {
    keys.push_back(i);
    labels.push_back(i % 2);
  }
  Table table = Table::of_columns({Column::of_longs("k", keys), Column::of_longs("y", labels)});
  FeatureSpec spec;
  spec.one_hot = {"k"};
  CHECK(logistic_test_refusal(table, "y", spec) ==
        "501 features are more than the 500 that logistic regression takes; name fewer columns or "
        "lower "
        "max_categories");
  spec.max_categories = 500;
  CHECK(fit_logistic(table, "y", spec)->predictor().feature_count() == 500);
}

TEST_CASE("on the Higgs data the fit is the maximum of the likelihood that others find") {
  if (!mlrt::test::has_shared_data()) return;
  mlrt::CsvOptions csv;
  csv.separator = '\t';
  csv.header = false;
  Table train =
      mlrt::parse_csv(mlrt::test::read_shared_data("higgs_binary.train.tsv"), "train.tsv", csv);
  Table test =
      mlrt::parse_csv(mlrt::test::read_shared_data("higgs_binary.test.tsv"), "test.tsv", csv);
  FeatureSpec spec;
  for (int i = 1; i <= 28; ++i) spec.numeric.push_back("c" + std::to_string(i));
  auto model = fit_logistic(train, "c0", spec);
  CHECK(std::fabs(logistic_test_weights(*model).intercept() - 0.30086284) < 1e-7);
  CHECK(std::fabs(logistic_test_evaluate(*model, train, "c0").log_loss - 0.638131) < 1e-6);
  BinaryMetrics m = logistic_test_evaluate(*model, test, "c0");
  CHECK(std::fabs(m.log_loss - 0.630030) < 1e-6);
  CHECK(std::fabs(m.roc_auc - 0.693563) < 1e-6);
}

TEST_CASE("on the taxi data a tip above 20% of the fare is predicted well") {
  if (!mlrt::test::has_shared_data()) return;
  Table table = mlrt::parse_csv(mlrt::test::read_shared_data("taxi.csv"), "taxi.csv");
  std::vector<std::uint8_t> labels;
  std::size_t positives = 0;
  for (std::size_t row = 0; row < table.row_count(); ++row) {
    labels.push_back(table.column("tips").number(row) > 0.2 * table.column("fare").number(row) ? 1
                                                                                               : 0);
    positives += labels.back();
  }
  CHECK(positives == 3374);
  table.set(Column::of_booleans("big_tip", labels));
  auto parts = table.split({2, 1});
  CHECK(parts[0].row_count() + parts[1].row_count() == 15002);
  for (bool with_company : {false, true}) {
    FeatureSpec spec;
    spec.standardize = {"trip_miles", "fare", "trip_seconds"};
    spec.one_hot = {"payment_type"};
    if (with_company) spec.one_hot.push_back("company");
    auto model = fit_logistic(parts[0], "big_tip", spec);
    BinaryMetrics m = logistic_test_evaluate(*model, parts[1], "big_tip");
    CHECK(m.accuracy_score >= 0.88);
    CHECK(m.roc_auc >= 0.93);
    // The bundle predicts the same bits as the model that was trained, on each raw row.
    auto read = Model::load(model->save());
    Table together = model->predict(parts[1]);
    for (std::size_t row = 0; row < parts[1].row_count(); row += 97) {
      CHECK(read->predict(parts[1].take({row})).column("prediction").number(0) ==
            together.column("prediction").number(row));
    }
  }
}
