#include "tracking/rules.hpp"

#include <doctest/doctest.h>

#include "store/store_testing.hpp"

using mlrt::ErrorCode;
using mlrt::test::caught;
using mlrt::test::Caught;

namespace {

const std::string kRulesBadCharacters =
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), "
    "colon(:) and slashes (/).";

std::string key_message(const std::string& key) {
  const Caught error = caught([&] { mlrt::check_key(key, "name"); });
  if (!error.message.empty()) CHECK(error.code == ErrorCode::kInvalidParameter);
  return error.message;
}

std::string resolves_to(const std::string& shown, const std::string& normal) {
  return "Invalid value " + shown +
         " for parameter 'name' supplied: Names may be treated as files in certain cases, and must "
         "not "
         "resolve to other names when treated as such. This name would resolve to '" +
         normal + "'";
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("keys that MLflow takes are taken") {
  for (const char* key :
       {"a", "log_loss", "train/auc", "a.b-c d:e", "0", "a..b", "\xc3\xa9t\xc3\xa9",
        "\xe6\xb8\xa9\xe5\xba\xa6", "\xd0\xba", "_", "a/..b"}) {
    CHECK(key_message(key) == "");
  }
}

TEST_CASE("keys that MLflow refuses are refused with its words") {
  CHECK(key_message("bad!") ==
        "Invalid value \"bad!\" for parameter 'name' supplied: " + kRulesBadCharacters);
  CHECK(key_message("\xc3\xa9!") ==
        "Invalid value \"\\u00e9!\" for parameter 'name' supplied: " + kRulesBadCharacters);
  CHECK(key_message("a\nb") ==
        "Invalid value \"a\\nb\" for parameter 'name' supplied: " + kRulesBadCharacters);
  CHECK(key_message("a\"b") ==
        "Invalid value \"a\\\"b\" for parameter 'name' supplied: " + kRulesBadCharacters);
  for (const char* key :
       {"a\n", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc2\xa0", "a\\b", "a\tb", "#"}) {
    CHECK(key_message(key).find(kRulesBadCharacters) != std::string::npos);
  }
  CHECK(key_message("a//b") == resolves_to("\"a//b\"", "a/b"));
  CHECK(key_message("") == resolves_to("\"\"", "."));
  CHECK(key_message(".") == resolves_to("\".\"", "."));
  CHECK(key_message("../x") == resolves_to("\"../x\"", "../x"));
  CHECK(key_message("/x") == resolves_to("\"/x\"", "/x"));
  CHECK(key_message("//x") == resolves_to("\"//x\"", "//x"));
  CHECK(key_message("///x") == resolves_to("\"///x\"", "/x"));
  CHECK(key_message("a/./b") == resolves_to("\"a/./b\"", "a/b"));
  CHECK(key_message("a/../b") == resolves_to("\"a/../b\"", "b"));
  CHECK(key_message("..x") == resolves_to("\"..x\"", "..x"));
  CHECK(key_message("a/") == resolves_to("\"a/\"", "a"));
  CHECK(key_message("\xff").find("is not valid UTF-8") != std::string::npos);
}

TEST_CASE("lengths count characters and name the limit") {
  const std::string long_key = repeated("\xc3\xa9", 250);
  CHECK(key_message(long_key) == "");
  CHECK(mlrt::checked_param({long_key, "v"}, "").key == long_key);
  CHECK(caught([&] {
          mlrt::checked_param({long_key + "x", "v"}, "params[0]");
        }).message == "'Param key' exceeds the maximum length of 250 characters");
  CHECK(caught([&] {
          mlrt::checked_tag({long_key + "x", "v"}, "tags[0]");
        }).message == "'tags[0].key' exceeds the maximum length of 250 characters");
  CHECK(caught([&] {
          mlrt::check_metric({long_key + "x", 1, 1, 0}, "metrics[0]");
        }).message == "'Metric name' exceeds the maximum length of 250 characters");
  CHECK(caught([] {
          mlrt::checked_param({"bad!", "v"}, "params[2]");
        }).has("for parameter 'params[2].key' supplied"));
  CHECK(caught([] { mlrt::check_run_name(repeated("x", 251)); }).message ==
        "'run_name' exceeds the maximum length of 250 characters");
}

TEST_CASE("values that are too long are cut at a character") {
  const std::string value = repeated("\xc3\xa9", 6001);
  CHECK(mlrt::checked_param({"k", value}, "").value == repeated("\xc3\xa9", 6000));
  CHECK(mlrt::checked_param({"k", repeated("\xc3\xa9", 6000)}, "").value ==
        repeated("\xc3\xa9", 6000));
  CHECK(mlrt::checked_tag({"k", repeated("x", 9000)}, "").value == repeated("x", 8000));
  CHECK(caught([] { mlrt::checked_param({"k", "\xff"}, ""); }).has("'value' is not valid UTF-8"));
}

TEST_CASE("a metric's timestamp must not be negative") {
  CHECK(caught([] {
          mlrt::check_metric({"a", 1, -1, 0}, "metrics[0]");
        }).message ==
        "Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'a' (value=1). "
        "Timestamp must be a nonnegative long (64-bit integer)");
}

TEST_CASE("an artifact location is a folder of this machine") {
  for (const char* good : {"/a/b", "/a/b/", "file:/a/b", "file:///a/b", "file:///a%2Fb"}) {
    CAPTURE(good);
    CHECK(mlrt::checked_artifact_location(good) == "/a/b");
  }
  for (const char* good : {"a/b", "c:/x", "2:30/x", "a_b:/x", "./dbfs:/x", "file:a"}) {
    CAPTURE(good);
    CHECK(mlrt::checked_artifact_location(good)[0] == '/');
  }
  for (const char* bad :
       {"dbfs:/x", "s3://b/x", "mlflow-artifacts:/x", "DBFS:x", "file://host/x"}) {
    CAPTURE(bad);
    CHECK(caught([&] { mlrt::checked_artifact_location(bad); }).has("a folder of this machine"));
  }
  for (const char* blank : {"", " \t", "file:"}) {
    CHECK(caught([&] { mlrt::checked_artifact_location(blank); }).has("it is blank"));
  }
}

TEST_CASE("run ids, experiment ids and names follow MLflow's rules") {
  for (const char* good : {"a", "0123456789abcdef0123456789abcdef", "A-b_c"}) {
    CHECK(caught([&] { mlrt::check_run_id(good); }).message == "");
  }
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("-a"), std::string("_a"),
        std::string("../x"), std::string("\xc3\xa9"), std::string(257, 'a')}) {
    CHECK(caught([&] { mlrt::check_run_id(bad); }).has("for parameter 'run_id' supplied."));
  }
  CHECK(caught([] { mlrt::check_run_id("a b"); }).message ==
        "Invalid value \"a b\" for parameter 'run_id' supplied.");
  CHECK(mlrt::parse_experiment_id("17") == 17);
  CHECK(caught([] { mlrt::parse_experiment_id("seven"); }).message ==
        "Invalid experiment ID 'seven'. Experiment ID must be a valid integer.");
  CHECK(caught([] { mlrt::parse_experiment_id("-1"); }).code == ErrorCode::kInvalidParameter);
  CHECK(caught([] { mlrt::parse_experiment_id("99999999999999999999"); }).code ==
        ErrorCode::kInvalidParameter);
  CHECK(caught([] { mlrt::check_experiment_name(""); }).message == "Invalid experiment name: ''");
  CHECK_NOTHROW(mlrt::check_experiment_name("a\x01\nb"));
  CHECK(caught([] {
          mlrt::check_experiment_name(std::string("a\0b", 3));
        }).has("Invalid experiment name: 'a\\x00b' has a NUL character"));
  CHECK(caught([] { mlrt::check_experiment_name(repeated("x", 501)); }).message ==
        "'name' exceeds the maximum length of 500 characters");
}

TEST_CASE("a batch has MLflow's limits") {
  CHECK(caught([] { mlrt::check_batch_limits(800, 100, 100); }).message == "");
  CHECK(
      caught([] { mlrt::check_batch_limits(1001, 0, 0); }).message ==
      "A batch logging request can contain at most 1000 metrics. Got 1001 metrics. Please split up "
      "metrics across multiple requests and try again.");
  CHECK(caught([] { mlrt::check_batch_limits(0, 101, 0); }).has("at most 100 params. Got 101"));
  CHECK(caught([] { mlrt::check_batch_limits(0, 0, 101); }).has("at most 100 tags. Got 101"));
  CHECK(caught([] {
          mlrt::check_batch_limits(900, 100, 1);
        }).has("at most 1000 metrics, params, and tags. Got 1001"));
  CHECK(caught([] {
          mlrt::check_unique_params({{"a", "1"}, {"b", "1"}, {"a", "1"}});
        }).message ==
        "Duplicate parameter keys have been submitted: ['a']. Please ensure the request contains "
        "only "
        "one param value per param key.");
}

TEST_CASE("artifact paths stay below their folder") {
  for (const char* good : {"a", "a/b.txt", "model/MLmodel", "100%.txt", "a b/\xc3\xa9"}) {
    CHECK(caught([&] { mlrt::check_artifact_path(good); }).message == "");
  }
  for (const char* bad :
       {"", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/./b", "a\\b", "a#b", "%2e%2e/x",
        "a%2f..%2fb", "%252e%252e/x", "%2fetc", "a%5cb", "a/", "a%00b"}) {
    const Caught error = caught([&] { mlrt::check_artifact_path(bad); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.message.find("Invalid path") == 0);
  }
}

TEST_CASE("data sets have MLflow's limits") {
  mlrt::DatasetInput dataset{"train", "abc", "local", "x.csv", "", "", "train"};
  CHECK(caught([&] { mlrt::check_dataset(dataset); }).message == "");
  const auto refused = [&](std::string mlrt::DatasetInput::*member, const std::string& value) {
    mlrt::DatasetInput bad = dataset;
    bad.*member = value;
    return caught([&] { mlrt::check_dataset(bad); }).message;
  };
  CHECK(refused(&mlrt::DatasetInput::name, "") == "Dataset name cannot be empty");
  CHECK(refused(&mlrt::DatasetInput::digest, "") == "Dataset digest cannot be empty");
  CHECK(refused(&mlrt::DatasetInput::name, repeated("x", 501)) ==
        "'name' exceeds the maximum length of 500 characters");
  CHECK(refused(&mlrt::DatasetInput::digest, repeated("x", 37)) ==
        "'digest' exceeds the maximum length of 36 characters");
  CHECK(refused(&mlrt::DatasetInput::source, repeated("x", 65536)) ==
        "'source' exceeds the maximum length of 65535 characters");
}

TEST_CASE("model names and aliases follow MLflow's rules") {
  for (const char* good : {"taxi-tips", "a b", "\xc3\xa9", "a@b", "v1"}) {
    CHECK(caught([&] { mlrt::check_model_name(good); }).message == "");
  }
  CHECK(caught([] { mlrt::check_model_name(""); }).message ==
        "Missing value for required parameter 'name'.");
  CHECK(caught([] { mlrt::check_model_name("  "); }).message ==
        "Missing value for required parameter 'name'.");
  CHECK(caught([] { mlrt::check_model_name("a/b"); }).message ==
        "Invalid model name 'a/b'. Names cannot contain '/' or ':'.");
  CHECK(caught([] { mlrt::check_model_name("a:b"); }).has("Names cannot contain '/' or ':'."));
  CHECK(caught([] { mlrt::check_model_name(".."); }).has("This name would resolve to '..'"));
  CHECK(caught([] { mlrt::check_model_name("a\nb"); }).has("control characters"));
  CHECK(caught([] {
          mlrt::check_model_name(repeated("x", 501));
        }).has("maximum length of 500 bytes"));
  for (const char* good : {"champion", "a-b_c", "v", "v1x", "1"}) {
    CHECK(caught([&] { mlrt::check_model_alias(good); }).message == "");
  }
  CHECK(caught([] { mlrt::check_model_alias(""); }).message ==
        "Registered model alias name cannot be empty.");
  CHECK(caught([] { mlrt::check_model_alias("a b"); }).message ==
        "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and "
        "dashes (-).");
  CHECK(caught([] { mlrt::check_model_alias("Latest"); }).message ==
        "'latest' alias name (case insensitive) is reserved.");
  CHECK(caught([] { mlrt::check_model_alias("V12"); }).message ==
        "Version alias name 'V12' is reserved.");
  CHECK(caught([] { mlrt::check_model_alias(repeated("x", 256)); }).message ==
        "'Registered model alias name' exceeds the maximum length of 255 characters");
}

TEST_CASE("run statuses have MLflow's names") {
  for (mlrt::RunStatus status :
       {mlrt::RunStatus::kRunning, mlrt::RunStatus::kScheduled, mlrt::RunStatus::kFinished,
        mlrt::RunStatus::kFailed, mlrt::RunStatus::kKilled}) {
    CHECK(mlrt::parse_run_status(mlrt::run_status_name(status)) == status);
  }
  CHECK(std::string(mlrt::run_status_name(mlrt::RunStatus::kKilled)) == "KILLED");
  const Caught error = caught([] { mlrt::parse_run_status("DONE"); });
  CHECK(error.code == ErrorCode::kInvalidParameter);
  CHECK(error.has("'DONE'"));
  CHECK(error.has("RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"));
}
