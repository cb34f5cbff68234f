#include "model/model.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "data/expect_error.hpp"
#include "model/linear.hpp"

using mlrt::Column;
using mlrt::ColumnType;
using mlrt::FeatureSpec;
using mlrt::LinearPredictor;
using mlrt::Link;
using mlrt::MemoryFiles;
using mlrt::Model;
using mlrt::Table;
using mlrt::Transform;
using mlrt::test::ends_cleanly;
using mlrt::test::message_of;

namespace {

Table model_test_table() {
  return Table::of_columns(
      {Column::of_longs("n", {1, 2, 4, 7}), Column::of_doubles("x", {0.3, NAN, 5, 1e-3}),
       Column::of_strings("s", {"a", "b", "a", "c"}), Column::of_longs("k", {1, 2, 1, 2}),
       Column::of_booleans("f", {0, 1, 1, 1})});
}

Transform model_test_transform() {
  FeatureSpec spec;
  spec.standardize = {"n", "x"};
  spec.numeric = {"f"};
  spec.one_hot = {"s", "k"};
  return Transform::fit(model_test_table(), spec);
}

Model model_test_model(Link link = Link::kLogistic) {
  std::vector<double> coefficients = {0.1, -0.7, 1.0 / 3, 2, -1, 0.25, 1e-5, -3};
  return Model(model_test_transform(),
               std::make_shared<const LinearPredictor>(coefficients, 0.2, link),
               {{"learner", "by hand"}, {"note", "1"}});
}

MemoryFiles model_test_copy(const MemoryFiles& files) {
  MemoryFiles copy;
  for (const std::string& name : files.names()) copy.add(name, std::string(files.read(name)));
  return copy;
}

// The message for the model's files with `from` in MLmodel replaced by `to`.
std::string model_test_refusal(const std::string& from, const std::string& to) {
  MemoryFiles files = model_test_model().save();
  std::string text(files.read("MLmodel"));
  std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  files.add("MLmodel", text);
  return message_of([&] { Model::load(files); });
}

}  // namespace

TEST_CASE(
    "a model takes raw columns: doubles where numbers are scaled, their own types elsewhere") {
  auto inputs = model_test_model().signature().inputs;
  CHECK(mlrt::format_schema(inputs) ==
        "[{\"name\": \"n\", \"type\": \"double\", \"required\": true}, "
        "{\"name\": \"x\", \"type\": \"double\", \"required\": true}, "
        "{\"name\": \"f\", \"type\": \"boolean\", \"required\": true}, "
        "{\"name\": \"s\", \"type\": \"string\", \"required\": true}, "
        "{\"name\": \"k\", \"type\": \"long\", \"required\": true}]");
  CHECK(model_test_model().signature().outputs.size() == 1);
}

TEST_CASE("a model predicts the same bits one row at a time, together, and after a round trip") {
  for (Link link : {Link::kIdentity, Link::kLogistic}) {
    Model model = model_test_model(link);
    Table together = model.predict(model_test_table());
    CHECK(together.column_names() == std::vector<std::string>{"prediction"});
    REQUIRE(together.row_count() == 4);
    auto read = Model::load(model.save());
    for (std::size_t row = 0; row < 4; ++row) {
      Table alone = read->predict(model_test_table().take({row}));
      CHECK(alone.column("prediction").number(0) == together.column("prediction").number(row));
    }
  }
  CHECK(model_test_model(Link::kIdentity)
            .predict(model_test_table())
            .column("prediction")
            .number(0) == doctest::Approx(0.2 + 0.1 * (1 - 3.5) / 2.29128784747792 -
                                          0.7 * (0.3 - 1.767) / 2.28929465263195 + 2 + 1e-5));
}

TEST_CASE("a model refuses rows without its columns, and ignores others") {
  Model model = model_test_model();
  CHECK(message_of([&] {
          model.predict(model_test_table().select({"n", "s", "k"}));
        }) == "Model is missing inputs ['x', 'f'].");
  Table table = model_test_table();
  table.set(Column::of_strings("n", {"1", "2", "3", "4"}));
  CHECK(message_of([&] { model.predict(table); }) ==
        "Incompatible input types for column n. Can not safely convert object to float64.");
  table = model_test_table();
  table.set(Column::of_doubles("more", {1, 2, 3, 4}));
  CHECK(model.predict(table).row_count() == 4);
  CHECK(model.predict(table.take({})).row_count() == 0);
}

TEST_CASE("a model's files are these bytes, for ever") {
  MemoryFiles files = model_test_model().save();
  CHECK(files.names() == std::vector<std::string>{"MLmodel", "linear.json", "transform.json"});
  CHECK(files.read("MLmodel") ==
        "flavors:\n"
        "  linear:\n"
        "    data: linear.json\n"
        "  mlrt:\n"
        "    format: 1\n"
        "    transform: transform.json\n"
        "metadata:\n"
        "  learner: by hand\n"
        "  note: '1'\n"
        "signature:\n"
        "  inputs: '[{\"name\": \"n\", \"type\": \"double\", \"required\": true}, {\"name\": "
        "\"x\", \"type\": "
        "\"double\", \"required\": true}, {\"name\": \"f\", \"type\": \"boolean\", \"required\": "
        "true}, "
        "{\"name\": \"s\", \"type\": \"string\", \"required\": true}, {\"name\": \"k\", \"type\": "
        "\"long\", "
        "\"required\": true}]'\n"
        "  outputs: '[{\"name\": \"prediction\", \"type\": \"double\", \"required\": true}]'\n"
        "  params: null\n");
  CHECK(files.read("transform.json") == model_test_transform().to_json());
  auto read = Model::load(files);
  CHECK(read->metadata().at("note") == "1");
  MemoryFiles again = read->save();
  for (const std::string& name : files.names()) CHECK(again.read(name) == files.read(name));
}

TEST_CASE("a model that does not fit together is refused") {
  auto predictor =
      std::make_shared<const LinearPredictor>(std::vector<double>{1}, 0, Link::kIdentity);
  CHECK(message_of([&] { Model(model_test_transform(), predictor); }) ==
        "the transform makes 8 features, the predictor takes 1");
  CHECK(message_of([&] { Model(model_test_transform(), nullptr); }) == "a model needs a predictor");
  CHECK(message_of([&] { Model(Transform(), predictor); }) ==
        "a model needs a transform with at least one column");
  CHECK(message_of([] {
          Model(model_test_transform(),
                std::make_shared<const LinearPredictor>(std::vector<double>(8), 0, Link::kIdentity),
                {{"k", "\xFF"}});
        }) == "the metadata 'k' is not UTF-8");
}

TEST_CASE("a model folder that cannot be read is refused with file and key") {
  CHECK(message_of([] { Model::load(MemoryFiles()); }) == "the model lacks the file 'MLmodel'");
  CHECK(model_test_refusal("  linear:", "  sklearn:") ==
        "MLmodel has no flavor that mlrt knows: it knows 'linear', the model has 'sklearn'");
  CHECK(model_test_refusal("flavors:", "flavours:") == "MLmodel lacks the key 'flavors'");
  CHECK(model_test_refusal("  mlrt:", "  other:") == "MLmodel: 'flavors' lacks the key 'mlrt'");
  CHECK(model_test_refusal("format: 1", "format: 2") ==
        "MLmodel: flavor 'mlrt': format 2 is not known to this mlrt, which reads 1");
  CHECK(model_test_refusal("format: 1", "format: x") ==
        "MLmodel: flavor 'mlrt': 'format' must be a whole number");
  CHECK(model_test_refusal("transform: transform.json", "transform: ../x") ==
        "the model lacks the file '../x'");
  CHECK(model_test_refusal("data: linear.json", "file: linear.json") ==
        "MLmodel: flavor 'linear' lacks the key 'data'");
  CHECK(model_test_refusal("note: '1'", "note: 1") ==
        "MLmodel: 'metadata': 'note' must be a string; put it in quotes");
  CHECK(model_test_refusal("\"name\": \"n\", \"type\": \"double\"",
                           "\"name\": \"n\", \"type\": \"long\"")
            .rfind(
                "MLmodel: 'signature': 'inputs' is not what the model takes and gives, which is [{",
                0) == 0);
  CHECK(model_test_refusal("outputs: '[", "outputs: '{")
            .rfind("MLmodel: 'signature': 'outputs' is not valid JSON", 0) == 0);
  MemoryFiles files = model_test_model().save();
  files.add("MLmodel", "- 1\n");
  CHECK(message_of([&] { Model::load(files); }) ==
        "MLmodel must be an object with the key 'flavors'");
  files.add("MLmodel", "a: [\n");
  CHECK(message_of([&] { Model::load(files); }).rfind("MLmodel", 0) == 0);
}

TEST_CASE("no flipped byte and no truncation of a model's files does more than fail cleanly") {
  MemoryFiles good = model_test_model().save();
  for (const std::string& name : good.names()) {
    std::string bytes(good.read(name));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      MemoryFiles files = model_test_copy(good);
      files.add(name, bytes.substr(0, i));
      CHECK(ends_cleanly([&] { Model::load(files); }));
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        files.add(name, flipped);
        CHECK(ends_cleanly([&] { Model::load(files)->predict(model_test_table()); }));
      }
    }
  }
}
