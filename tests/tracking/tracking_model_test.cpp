#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::Metric;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::TrackingStore;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

// A value that orders as the store does: NaN first.
using OrderedValue = std::pair<bool, double>;

OrderedValue ordered(double value) {
  return std::isnan(value) ? OrderedValue{false, 0} : OrderedValue{true, value};
}

// What the store should hold, in plain containers and with the rules written down a second time.
struct ModelRun {
  std::string name;
  RunStatus status = RunStatus::kRunning;
  std::map<std::string, std::string> params, tags;
  std::map<std::string, std::set<std::tuple<std::int64_t, std::int64_t, OrderedValue>>> history;
};

struct TrackingModel {
  std::map<std::string, std::string> experiments{{"Default", "0"}};
  std::map<std::string, ModelRun> runs;
};

void compare_with_model(const TrackingStore& store, const TrackingModel& model) {
  CHECK(store.list_experiments().size() == model.experiments.size());
  for (const auto& [name, id] : model.experiments) CHECK(store.experiment_by_name(name)->id == id);
  CHECK(store.list_runs({}, 1000000).size() == model.runs.size());
  for (const auto& [id, expected] : model.runs) {
    const RunRecord record = store.run(id);
    CHECK(record.name == expected.name);
    CHECK(record.status == expected.status);
    std::map<std::string, std::string> params, tags;
    for (const auto& param : record.params) params[param.key] = param.value;
    for (const auto& tag : record.tags) tags[tag.key] = tag.value;
    CHECK(params == expected.params);
    CHECK(tags == expected.tags);
    REQUIRE(record.metrics.size() == expected.history.size());
    for (const Metric& latest : record.metrics) {
      const auto& rows = expected.history.at(latest.key);
      // The rows are by time, step, value; the latest is by step, time, value.
      std::tuple<std::int64_t, std::int64_t, OrderedValue> greatest{
          std::numeric_limits<std::int64_t>::min(), 0, {false, 0}};
      for (const auto& [time, step, value] : rows) {
        greatest = std::max(greatest, std::make_tuple(step, time, value));
      }
      CHECK(std::make_tuple(latest.step, latest.timestamp_ms, ordered(latest.value)) == greatest);
      std::vector<std::tuple<std::int64_t, std::int64_t, OrderedValue>> history;
      for (const Metric& row : store.metric_history(id, latest.key)) {
        history.emplace_back(row.timestamp_ms, row.step, ordered(row.value));
      }
      CHECK(history == decltype(history)(rows.begin(), rows.end()));
    }
  }
}

}  // namespace

TEST_CASE("a store agrees with a plain model over random calls, also after it is reopened") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned limit) { return static_cast<int>(random() % limit); };
    const auto word = [&](unsigned limit) {
      return std::string(1, static_cast<char>('a' + below(limit)));
    };
    TempDir dir;
    TrackingModel model;
    auto store = std::make_unique<TrackingStore>(Database::open(dir.path("s.db")), dir.path("a"));
    const double values[] = {0,
                             1,
                             -1,
                             0.1,
                             1e300,
                             std::nan(""),
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity()};
    for (int call = 0; call < 300; ++call) {
      const auto pick = [&] {
        auto run = model.runs.begin();
        std::advance(run, below(static_cast<unsigned>(model.runs.size())));
        return run;
      };
      const int kind = model.runs.empty() ? 1 : below(10);
      if (kind == 0) {
        const std::string name = word(4);
        const bool taken = model.experiments.count(name) > 0;
        std::string id;
        CHECK(caught([&] { id = store->create_experiment(name); }).message.empty() == !taken);
        if (!taken) model.experiments[name] = id;
      } else if (kind == 1) {
        const std::string name = "run " + word(26);
        auto experiment = model.experiments.begin();
        std::advance(experiment, below(static_cast<unsigned>(model.experiments.size())));
        const RunRecord record = store->create_run({experiment->second, name, "u", 0, {}});
        model.runs[record.run_id] = {name, RunStatus::kRunning, {}, {{"mlflow.runName", name}}, {}};
      } else if (kind <= 3) {
        auto run = pick();
        std::map<std::string, std::string> list;
        for (int i = below(3); i >= 0; --i) list[word(5)] = word(3);
        bool fine = true;
        for (const auto& [key, value] : list) {
          auto old = run->second.params.find(key);
          fine = fine && (old == run->second.params.end() || old->second == value);
        }
        std::vector<mlrt::Param> params;
        for (const auto& [key, value] : list) params.push_back({key, value});
        CHECK(caught([&] { store->log_params(run->first, params); }).message.empty() == fine);
        if (fine) run->second.params.insert(list.begin(), list.end());
      } else if (kind <= 6) {
        auto run = pick();
        std::vector<Metric> metrics;
        for (int i = below(6); i >= 0; --i) {
          metrics.push_back({word(3), values[below(8)], 1 + below(3), below(5) - 2});
        }
        const bool broken = below(8) == 0;
        if (broken) metrics.push_back({"not!", 1, 1, 1});
        CHECK(caught([&] { store->log_metrics(run->first, metrics); }).message.empty() == !broken);
        if (broken) continue;
        for (const Metric& metric : metrics) {
          run->second.history[metric.key].emplace(metric.timestamp_ms, metric.step,
                                                  ordered(metric.value));
        }
      } else if (kind == 7) {
        auto run = pick();
        const std::string key = below(5) == 0 ? "mlflow.runName" : word(4);
        const std::string value = "v" + word(9);
        store->set_tags(run->first, {{key, value}});
        run->second.tags[key] = value;
        if (key == "mlflow.runName") run->second.name = value;
      } else if (kind == 8) {
        auto run = pick();
        run->second.status = below(2) == 0 ? RunStatus::kFinished : RunStatus::kFailed;
        store->end_run(run->first, run->second.status);
      } else if (below(5) == 0) {
        store.reset();
        store = std::make_unique<TrackingStore>(Database::open(dir.path("s.db")), dir.path("a"));
      }
    }
    compare_with_model(*store, model);
    store.reset();
    store = std::make_unique<TrackingStore>(Database::open(dir.path("s.db")), dir.path("a"));
    compare_with_model(*store, model);
  }
}
