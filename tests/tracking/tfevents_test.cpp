#include "tracking/tfevents.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tracking/tfevents_builder.hpp"

using mlrt::read_tfevents;
using mlrt::TfEventsSummary;
using mlrt::TfScalar;
using namespace mlrt::test::tfevents;

namespace {

std::vector<TfScalar> scalars_of(const std::string& bytes, TfEventsSummary* summary = nullptr) {
  std::vector<TfScalar> found;
  TfEventsSummary read = read_tfevents(bytes, [&](const TfScalar& one) { found.push_back(one); });
  if (summary) *summary = std::move(read);
  return found;
}

}  // namespace

TEST_CASE("the masked CRC-32C is that of the TFRecord format") {
  // The check value of CRC-32C is 0xe3069283 for "123456789".
  const std::uint32_t crc = 0xe3069283u;
  CHECK(mlrt::tfrecord_crc("123456789") == ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
  CHECK(mlrt::tfrecord_crc("") == 0xa282ead8u);
}

TEST_CASE("simple values of an event file are read with tag, step and time") {
  const std::string file =
      record(version_event(10.5)) + record(event(11.25, 3, {simple_value("loss", 0.5f)})) +
      record(
          event(12, -4, {simple_value("loss", std::nanf("")), simple_value("val/acc", INFINITY)}));
  TfEventsSummary summary;
  const std::vector<TfScalar> found = scalars_of(file, &summary);
  REQUIRE(found.size() == 3);
  CHECK(found[0].tag == "loss");
  CHECK(found[0].value == 0.5);
  CHECK(found[0].step == 3);
  CHECK(found[0].wall_time_s == 11.25);
  CHECK(found[1].step == -4);
  CHECK(std::isnan(found[1].value));
  CHECK(found[2].tag == "val/acc");
  CHECK(std::isinf(found[2].value));
  CHECK(summary.records == 3);
  CHECK(summary.scalars == 3);
  CHECK(summary.first_time_s == 10.5);
  CHECK(summary.last_time_s == 12);
  CHECK(summary.problems.empty());
}

TEST_CASE("tensors of one number are scalars, whatever their type") {
  const auto value_of = [](const std::string& tensor) {
    const std::vector<TfScalar> found =
        scalars_of(record(event(1, 1, {tensor_value("x", tensor, "scalars")})));
    REQUIRE(found.size() == 1);
    return found[0].value;
  };
  CHECK(value_of(bytes_field(4, raw(2.5f)) + number_field(1, 1)) == 2.5);
  CHECK(value_of(number_field(1, 2) + bytes_field(4, raw(-0.1))) == -0.1);
  CHECK(value_of(number_field(1, 1) + bytes_field(5, raw(7.f))) == 7);
  CHECK(value_of(number_field(1, 2) + bytes_field(6, raw(8.0))) == 8);
  CHECK(value_of(number_field(1, 3) + number_field(7, static_cast<std::uint64_t>(-5))) == -5);
  CHECK(value_of(number_field(1, 9) + bytes_field(10, varint(1234567890123))) == 1234567890123.0);
  CHECK(value_of(number_field(1, 10) + number_field(11, 1)) == 1);
  CHECK(value_of(number_field(1, 19) + number_field(13, 0x3c00)) == 1);  // half
  CHECK(value_of(number_field(1, 14) + number_field(13, 0x4040)) == 3);  // bfloat16
  CHECK(value_of(number_field(1, 1) + bytes_field(2, "")) == 0);         // zero is left out
}

TEST_CASE("what is no scalar is counted and left out") {
  const std::string two = number_field(1, 1) + bytes_field(2, bytes_field(2, number_field(1, 2))) +
                          bytes_field(4, raw(1.f) + raw(2.f));
  TfEventsSummary summary;
  // The plugin stands with the first value of a tag only.
  const std::string one = number_field(1, 1) + bytes_field(4, raw(1.f));
  CHECK(scalars_of(record(event(1, 1,
                                {tensor_value("vector", two, "scalars"),
                                 tensor_value("histogram", one, "histograms")})) +
                       record(event(2, 2, {tensor_value("histogram", one, "")})),
                   &summary)
            .empty());
  CHECK(summary.other_values == 3);
  CHECK(summary.problems.empty());
}

TEST_CASE("hyperparameters of the hparams plugin are read as texts") {
  const auto entry = [](const std::string& name, const std::string& value) {
    return bytes_field(1, bytes_field(1, name) + bytes_field(2, value));
  };
  const std::string start = entry("lr", double_field(2, 0.1)) +
                            entry("optimizer", bytes_field(3, "adam")) +
                            entry("nesterov", number_field(4, 1));
  const std::string metadata =
      bytes_field(1, bytes_field(1, "hparams") + bytes_field(2, bytes_field(3, start)));
  TfEventsSummary summary;
  scalars_of(
      record(
          event(1, 0, {bytes_field(1, "_hparams_/session_start_info") + bytes_field(9, metadata)})),
      &summary);
  REQUIRE(summary.hyperparameters.size() == 3);
  CHECK(summary.hyperparameters[0] == std::pair<std::string, std::string>("lr", "0.1"));
  CHECK(summary.hyperparameters[1].second == "adam");
  CHECK(summary.hyperparameters[2].second == "True");
}

TEST_CASE("a damaged record is left out, those before and after it are read") {
  const std::string first = record(event(1, 1, {simple_value("a", 1)}));
  const std::string second = record(event(2, 2, {simple_value("a", 2)}));
  const std::string third = record(event(3, 3, {simple_value("a", 3)}));
  const auto steps = [&](const std::string& damaged, TfEventsSummary& summary) {
    std::vector<std::int64_t> found;
    for (const TfScalar& one : scalars_of(first + damaged + third, &summary)) {
      found.push_back(one.step);
    }
    return found;
  };
  for (std::size_t at = 0; at < second.size(); ++at) {
    std::string damaged = second;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    TfEventsSummary summary;
    CHECK(steps(damaged, summary) == std::vector<std::int64_t>{1, 3});
    CHECK(summary.damaged_records == 1);
    REQUIRE(summary.problems.size() == 1);
    CHECK(summary.problems[0].find("byte " + std::to_string(first.size()) + ": ") == 0);
  }
}

TEST_CASE("an event file that ends inside of a record gives what stands before") {
  const std::string first = record(event(1, 1, {simple_value("a", 1)}));
  const std::string file = first + record(event(2, 2, {simple_value("a", 2)}));
  for (std::size_t size = 0; size <= file.size(); ++size) {
    TfEventsSummary summary;
    const std::size_t expected = size < first.size() ? 0 : size < file.size() ? 1 : 2;
    CHECK(scalars_of(file.substr(0, size), &summary).size() == expected);
    const bool whole = size == 0 || size == first.size() || size == file.size();
    CHECK(summary.problems.size() == (whole ? 0 : 1));
    if (!whole)
      CHECK(summary.problems[0].find("the file ends inside of a record") != std::string::npos);
  }
}

TEST_CASE("a sound record that is no event is named and left out") {
  TfEventsSummary summary;
  const std::string not_protobuf = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
  CHECK(scalars_of(record(not_protobuf) + record(event(1, 1, {simple_value("a", 1)})), &summary)
            .size() == 1);
  REQUIRE(summary.problems.size() == 1);
  CHECK(summary.problems[0] ==
        "byte 0: a record that is not an event (a number of more than ten bytes) is left out");
  CHECK(scalars_of(record(event(1e300, 1, {simple_value("a", 1)})), &summary).empty());
  CHECK(summary.problems[0].find("a time out of range") != std::string::npos);
  CHECK(scalars_of(record(event(NAN, 1, {simple_value("a", 1)})), &summary).empty());
  CHECK(scalars_of(record(event(1, 1, {simple_value("\xc3", 1)})), &summary).empty());
  CHECK(summary.problems[0].find("a tag that is not a text") != std::string::npos);
}

TEST_CASE("no flipped byte of an event file crashes or makes up values") {
  std::string file;
  for (int i = 0; i < 20; ++i) {
    file += record(event(i, i, {simple_value("tag " + std::to_string(i % 3), 1.5f * float(i))}));
  }
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (unsigned char mask : {0x01, 0x80, 0xff}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ mask);
      TfEventsSummary summary;
      CHECK(scalars_of(damaged, &summary).size() == 19);
      CHECK(summary.damaged_records == 1);
    }
  }
}

TEST_CASE("problems of an event file are listed up to a limit") {
  std::string file;
  for (int i = 0; i < 100; ++i) file += record("\xff");
  TfEventsSummary summary;
  scalars_of(file, &summary);
  REQUIRE(summary.problems.size() == 21);
  CHECK(summary.problems.back() == "and 80 more");
}
