#include "model/evaluate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "data/expect_error.hpp"

using mlrt::BinaryMetrics;
using mlrt::evaluate_binary;
using mlrt::test::message_of;

TEST_CASE("the metrics of a small example are what they are by hand") {
  BinaryMetrics m = evaluate_binary({1, 1, 1, 0, 0}, {0.9, 0.5, 0.2, 0.8, 0.1});
  CHECK(m.example_count == 5);
  CHECK(m.true_positives == 2);
  CHECK(m.false_negatives == 1);
  CHECK(m.false_positives == 1);
  CHECK(m.true_negatives == 1);
  CHECK(m.accuracy_score == doctest::Approx(0.6));
  CHECK(m.precision_score == doctest::Approx(2.0 / 3));
  CHECK(m.recall_score == doctest::Approx(2.0 / 3));
  CHECK(m.f1_score == doctest::Approx(2.0 / 3));
  double loss =
      -(std::log(0.9) + std::log(0.5) + std::log(0.2) + std::log(0.2) + std::log(0.9)) / 5;
  CHECK(m.log_loss == doctest::Approx(loss).epsilon(1e-14));
  CHECK(m.roc_auc == doctest::Approx(4.0 / 6));
  REQUIRE(m.named().size() == 11);
  CHECK(m.named()[0] == std::make_pair(std::string("example_count"), 5.0));
  CHECK(m.named()[10] == std::make_pair(std::string("roc_auc"), m.roc_auc));
}

TEST_CASE("ties count half in the area under the curve") {
  CHECK(evaluate_binary({0, 1, 0, 1}, {0.5, 0.5, 0.5, 0.5}).roc_auc == 0.5);
  CHECK(evaluate_binary({0, 1, 0, 1}, {0.1, 0.5, 0.5, 0.9}).roc_auc == 0.875);
}

TEST_CASE("the area under the curve is the share of pairs ranked rightly") {
  std::mt19937 random(7);
  std::vector<double> labels, probabilities;
  for (int i = 0; i < 300; ++i) {
    labels.push_back(random() % 3 == 0 ? 1 : 0);
    probabilities.push_back(static_cast<double>(random() % 50) / 50);
  }
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (std::size_t j = 0; j < labels.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      pairs += 1;
      won += probabilities[i] > probabilities[j]    ? 1
             : probabilities[i] == probabilities[j] ? 0.5
                                                    : 0;
    }
  }
  CHECK(evaluate_binary(labels, probabilities).roc_auc == won / pairs);
}

TEST_CASE("one class only, certain errors and empty denominators have defined metrics") {
  BinaryMetrics m = evaluate_binary({0, 0}, {0, 0.1});
  CHECK(std::isnan(m.roc_auc));
  CHECK(m.precision_score == 0);
  CHECK(m.recall_score == 0);
  CHECK(m.f1_score == 0);
  CHECK(evaluate_binary({1}, {0}).log_loss == doctest::Approx(-std::log(1e-15)));
  CHECK(evaluate_binary({0}, {1}).log_loss == doctest::Approx(-std::log(1e-15)).epsilon(0.01));
}

TEST_CASE("the threshold counts as positive") {
  CHECK(evaluate_binary({1}, {0.3}, 0.3).true_positives == 1);
  CHECK(evaluate_binary({1}, {0.3}, 0.31).false_negatives == 1);
}

TEST_CASE("labels and probabilities that are none are refused") {
  CHECK(message_of([] { evaluate_binary({}, {}); }) == "there are no rows to evaluate");
  CHECK(message_of([] { evaluate_binary({1}, {0.5, 0.5}); }) == "1 labels but 2 probabilities");
  CHECK(message_of([] {
          evaluate_binary({1, 0.5}, {0.5, 0.5});
        }) == "label 1 is 0.5; a label is 0 or 1");
  CHECK(message_of([] { evaluate_binary({1}, {1.5}); }) ==
        "probability 0 is 1.5, not between 0 and 1");
  CHECK(message_of([] { evaluate_binary({1}, {NAN}); }) ==
        "probability 0 is NaN, not between 0 and 1");
  CHECK(message_of([] { evaluate_binary({1}, {0.5}, NAN); }) == "the threshold is not a number");
}
