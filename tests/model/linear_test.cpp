#include "model/linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/expect_error.hpp"

using mlrt::LinearPredictor;
using mlrt::Link;
using mlrt::Matrix;
using mlrt::MemoryFiles;
using mlrt::test::message_of;

namespace {

std::string linear_test_message(const std::string& json) {
  MemoryFiles files;
  files.add("linear.json", json);
  return message_of([&] { LinearPredictor::load(files, "linear.json"); });
}

}  // namespace

TEST_CASE("a linear predictor links the sum of intercept and weighted features") {
  Matrix features(2, 2);
  features.values = {1, 2, -3, 0.5};
  CHECK(LinearPredictor({2, -1}, 0.5, Link::kIdentity).predict(features).values ==
        std::vector<double>{0.5, -6});
  Matrix out = LinearPredictor({2, -1}, 0.5, Link::kLogistic).predict(features);
  CHECK(out.rows == 2);
  CHECK(out.columns == 1);
  CHECK(out.values[0] == doctest::Approx(0.6224593312018546));
  CHECK(out.values[1] == doctest::Approx(0.0024726231566347743));
}

TEST_CASE("a linear predictor refuses another width and numbers that are not finite") {
  LinearPredictor predictor({2, -1}, 0, Link::kIdentity);
  CHECK(message_of([&] { predictor.predict(Matrix(1, 3)); }) ==
        "the model takes 2 features, not 3");
  CHECK(message_of([] {
          LinearPredictor({1, NAN}, 0, Link::kIdentity);
        }) == "coefficient 1 is not a finite number");
  CHECK(message_of([] { LinearPredictor({}, INFINITY, Link::kIdentity); }) ==
        "the intercept is not a finite number");
}

TEST_CASE("the logistic function does not overflow, and is symmetric") {
  CHECK(mlrt::logistic(0) == 0.5);
  CHECK(mlrt::logistic(1000) == 1);
  CHECK(mlrt::logistic(-1000) == 0);
  CHECK(mlrt::logistic(-700) > 0);
  CHECK(mlrt::logistic(-std::numeric_limits<double>::infinity()) == 0);
  CHECK(std::isnan(mlrt::logistic(NAN)));
  CHECK(mlrt::logistic(2) + mlrt::logistic(-2) == doctest::Approx(1));
}

TEST_CASE("a linear predictor is saved as JSON and read back bit for bit") {
  LinearPredictor predictor({0.1, -1e-300, 5e-324, -0.0, 1e22}, -1.0 / 3, Link::kLogistic);
  MemoryFiles files;
  predictor.save(files);
  CHECK(files.read("linear.json") ==
        "{\"format\":1,\"link\":\"logistic\",\n\"intercept\":-0.3333333333333333,"
        "\n\"coefficients\":[\n"
        "0.1,\n-1e-300,\n5e-324,\n0,\n1e+22\n]}\n");
  auto read = LinearPredictor::load(files, "linear.json");
  CHECK(read->coefficients() == predictor.coefficients());
  CHECK(read->intercept() == predictor.intercept());
  CHECK(read->link() == Link::kLogistic);
}

TEST_CASE("a linear.json that save would not write is refused with its key") {
  CHECK(linear_test_message(
            "{\"format\":1,\"link\":\"identity\",\"intercept\":1,\"coefficients\":[]}")
            .empty());
  CHECK(linear_test_message(
            "{\"format\":3,\"link\":\"identity\",\"intercept\":1,\"coefficients\":[]}") ==
        "linear.json: format 3 is not known to this mlrt, which reads 1");
  CHECK(linear_test_message(
            "{\"format\":1,\"link\":\"probit\",\"intercept\":1,\"coefficients\":[]}") ==
        "linear.json: 'link' must be identity or logistic, not 'probit'");
  CHECK(linear_test_message(
            "{\"format\":1,\"link\":\"identity\",\"intercept\":\"1\",\"coefficients\":[]}") ==
        "linear.json: 'intercept' must be a number, not string");
  CHECK(linear_test_message(
            "{\"format\":1,\"link\":\"identity\",\"intercept\":1,\"coefficients\":[null]}") ==
        "linear.json: 'coefficients' must hold numbers only");
  CHECK(linear_test_message("{\"format\":1,\"link\":\"identity\",\"intercept\":1}") ==
        "linear.json lacks the key 'coefficients'");
  CHECK(linear_test_message(
            "{\"format\":1,\"link\":\"identity\",\"intercept\":1,\"coefficients\":[],\"n\":0}") ==
        "linear.json has the unknown key 'n'");
  CHECK(message_of([] { LinearPredictor::load(MemoryFiles(), "x.json"); }) ==
        "the model lacks the file 'x.json'");
}
