#include "tracking/metric_blocks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::Metric;
using mlrt::MetricPoint;
using mlrt::MetricRecord;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

constexpr std::int64_t kLeastInteger = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatestInteger = std::numeric_limits<std::int64_t>::max();

std::string encoded_block(const std::vector<MetricPoint>& points) {
  std::string data;
  MetricPoint before{points[0].seq, 0, 0, 0};
  for (const MetricPoint& point : points) {
    mlrt::encode_metric_point(data, before, point);
    before = point;
  }
  return data;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

struct BlocksFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore store{database, dir.path("artifacts")};
  std::string run_id = store.create_run({}).run_id;

  std::size_t add(const std::string& writer, const std::vector<Metric>& metrics,
                  std::int64_t first_seq) {
    std::vector<MetricRecord> records;
    for (const Metric& metric : metrics) records.push_back({&metric, first_seq++});
    Transaction transaction(*database, Transaction::Mode::kWrite);
    const std::size_t added = mlrt::add_metrics(transaction, 1, writer, records);
    transaction.commit();
    return added;
  }
  std::size_t import(const std::vector<Metric>& metrics) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    const std::size_t added = mlrt::add_imported_metrics(transaction, 1, metrics);
    transaction.commit();
    return added;
  }
  std::int64_t number(const std::string& sql) {
    Transaction transaction(*database, Transaction::Mode::kRead);
    mlrt::Statement row = transaction.query(sql);
    return row.step() ? row.integer(0) : -1;
  }
  std::vector<Metric> points(int first, int count) {
    std::vector<Metric> metrics;
    for (int i = first; i < first + count; ++i) metrics.push_back({"m", i * 0.5, 1000 + i, i});
    return metrics;
  }
};

}  // namespace

TEST_CASE("a block gives back the bits that were put in, of any numbers") {
  const double values[] = {0.0,
                           -0.0,
                           1.5,
                           std::nan(""),
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::denorm_min(),
                           std::numeric_limits<double>::max()};
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<MetricPoint> points;
    std::int64_t seq = round % 3 == 0 ? kLeastInteger : static_cast<std::int64_t>(random() >> 20);
    const std::size_t count = 1 + random() % mlrt::kMetricBlockCapacity;
    for (std::size_t i = 0; i < count; ++i) {
      std::int64_t step = static_cast<std::int64_t>(random() >> (random() % 64));
      if (random() % 10 == 0) step = random() % 2 == 0 ? kLeastInteger : kGreatestInteger;
      points.push_back({seq, step, static_cast<std::int64_t>(random()), values[random() % 8]});
      seq += 1 + static_cast<std::int64_t>(random() % 1000);
    }
    std::vector<MetricPoint> read;
    mlrt::decode_metric_block(encoded_block(points), points[0].seq,
                              static_cast<std::int64_t>(count), read);
    REQUIRE(read.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(read[i].seq == points[i].seq);
      REQUIRE(read[i].step == points[i].step);
      REQUIRE(read[i].timestamp_ms == points[i].timestamp_ms);
      REQUIRE(same_bits(read[i].value, points[i].value));
    }
  }
}

TEST_CASE("a damaged block is refused or read within its bounds") {
  const std::string good = encoded_block({{5, 1, 1700000000000, 0.5}, {6, 2, 1700000000001, 0.25}});
  std::vector<MetricPoint> points{{1, 2, 3, 4}};
  const auto code = [&](const std::string& data, std::int64_t count) {
    return caught([&] { mlrt::decode_metric_block(data, 5, count, points); });
  };
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(code(good.substr(0, size), 2).code == ErrorCode::kDataCorrupt);
  }
  CHECK(code(good, 2).message.empty());
  REQUIRE(points.size() == 3);
  for (const std::int64_t count : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1},
                                   std::int64_t{3}, std::int64_t{513}, kGreatestInteger}) {
    CHECK(code(good, count).has("a block of metrics cannot be read"));
  }
  CHECK(code(good + "x", 2).code == ErrorCode::kDataCorrupt);
  CHECK(code(std::string(600, '\xff'), 2).code == ErrorCode::kDataCorrupt);
  // The same number twice.
  CHECK(code(encoded_block({{5, 1, 1, 1}, {5, 2, 2, 2}}), 2).code == ErrorCode::kDataCorrupt);
  CHECK(points.size() == 3);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      points.clear();
      caught([&] { mlrt::decode_metric_block(flipped, 5, 2, points); });
      CHECK((points.empty() || points.size() == 2));
    }
  }
}

TEST_CASE_FIXTURE(BlocksFixture, "records fill blocks of 512, whatever the batches were") {
  int next = 0;
  for (const int count : {1, 510, 1, 1, 600, 12}) {
    CHECK(add("w", points(next, count), next) == static_cast<std::size_t>(count));
    next += count;
  }
  CHECK(number("SELECT count(*) FROM metric_blocks") == 3);
  CHECK(number("SELECT sum(count) FROM metric_blocks") == next);
  CHECK(number("SELECT max(count) FROM metric_blocks") == 512);
  CHECK(number("SELECT min(min) FROM metric_blocks") == 0);
  CHECK(number("SELECT max(max) * 2 FROM metric_blocks") == next - 1);
  CHECK(number("SELECT max(last_seq) FROM metric_blocks") == next - 1);
  const std::vector<Metric> history = store.metric_history(run_id, "m");
  REQUIRE(history.size() == static_cast<std::size_t>(next));
  for (int i = 0; i < next; ++i) {
    REQUIRE(history[static_cast<std::size_t>(i)].step == i);
    REQUIRE(history[static_cast<std::size_t>(i)].value == i * 0.5);
  }
}

TEST_CASE_FIXTURE(BlocksFixture, "adding records again, or a part of them, changes nothing") {
  const std::vector<Metric> all = points(0, 700);
  CHECK(add("w", all, 10) == 700);
  CHECK(add("w", all, 10) == 0);
  CHECK(add("w", points(0, 100), 10) == 0);
  CHECK(add("w", points(690, 20), 700) == 10);
  CHECK(number("SELECT sum(count) FROM metric_blocks") == 710);
  // Another writer's records are others, even with the same numbers.
  CHECK(add("v", {{"m", 7, 1, 1}}, 10) == 1);
  CHECK(store.metric_history(run_id, "m").size() == 711);
}

TEST_CASE_FIXTURE(BlocksFixture, "NaN and infinities keep their place in the roll-up") {
  const double infinity = std::numeric_limits<double>::infinity();
  add("w", {{"n", std::nan(""), 1, 1}, {"n", std::nan(""), 2, 2}}, 0);
  CHECK(number("SELECT count(*) FROM metric_blocks WHERE min IS NULL AND max IS NULL AND "
               "last_value IS NULL") == 1);
  add("w", {{"n", infinity, 3, 3}, {"n", -2, 4, 4}}, 2);
  CHECK(number("SELECT min FROM metric_blocks") == -2);
  CHECK(number("SELECT max = 9e999 FROM metric_blocks") == 1);
  CHECK(store.metric_history(run_id, "n").size() == 4);
}

TEST_CASE_FIXTURE(BlocksFixture, "imported metrics are known by their content") {
  std::vector<Metric> source = points(0, 1000);
  CHECK(import(source) == 1000);
  CHECK(import(source) == 0);
  source.insert(source.begin(), {{"m", std::nan(""), 5, 5}, {"m", std::nan(""), 5, 5}});
  source.push_back({"other", 1, 1, 1});
  CHECK(import(source) == 2);
  CHECK(import(source) == 0);
  CHECK(store.metric_history(run_id, "m").size() == 1001);
  const std::vector<Metric> all = store.metric_history(run_id, "m");
  const std::vector<Metric> part = store.metric_history(run_id, "m", 998, 2);
  REQUIRE(part.size() == 2);
  CHECK(part[0].step == all[998].step);
  CHECK(part[1].step == all[999].step);
  CHECK(store.metric_history(run_id, "m", 1000, 2).size() == 1);
  CHECK(store.metric_history(run_id, "m", 1002, 2).empty());
  CHECK(store.run(run_id).metrics.at(0).step == 999);
  CHECK(number("SELECT count(*) FROM writers WHERE kind = 'import'") == 1);
  // What is measured on something else is something else, and shown once.
  CHECK(import({{"m", 0, 1000, 0, "m-1", "d", "x"}}) == 1);
  const std::vector<Metric> history = store.metric_history(run_id, "m");
  REQUIRE(history.size() == 1001);
  CHECK(history[1].dataset_name == "d");
  CHECK(history[1].model_id == "m-1");
}

TEST_CASE_FIXTURE(BlocksFixture, "a sample keeps the ends and the extremes, and is small") {
  std::vector<Metric> metrics = points(0, 5000);
  metrics[1234].value = -1e9;
  metrics[4321].value = 1e9;
  metrics[2000].value = std::nan("");
  add("w", metrics, 0);
  for (const std::size_t limit : {1u, 2u, 10u, 101u, 1000u}) {
    const std::vector<Metric> sample = store.sampled_history(run_id, "m", limit);
    CHECK(sample.size() <= std::max<std::size_t>(limit, 4));
    CHECK(sample.front().step == 0);
    CHECK(sample.back().step == 4999);
    bool least = false, greatest = false;
    for (const Metric& metric : sample) {
      least = least || metric.value == -1e9;
      greatest = greatest || metric.value == 1e9;
    }
    CHECK(least);
    CHECK(greatest);
  }
  CHECK(store.sampled_history(run_id, "m", 5000).size() == 5000);
  CHECK(store.sampled_history(run_id, "none", 10).empty());
}

TEST_CASE_FIXTURE(BlocksFixture, "a history with a damaged block says so") {
  add("w", points(0, 10), 0);
  {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("UPDATE metric_blocks SET data = x'ff'");
    transaction.commit();
  }
  CHECK(caught([&] { store.metric_history(run_id, "m"); }).code == ErrorCode::kDataCorrupt);
}
