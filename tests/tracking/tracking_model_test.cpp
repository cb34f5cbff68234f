#include <doctest/doctest.h>

#include <algorithm>
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
  std::string name, experiment;
  RunStatus status = RunStatus::kRunning;
  bool deleted = false;
  std::map<std::string, std::string> params, tags;
  std::map<std::string, std::set<std::tuple<std::int64_t, std::int64_t, OrderedValue>>> history;
};

struct ModelExperiment {
  std::string name;
  bool deleted = false;
  std::map<std::string, std::string> tags;
};

struct TrackingModel {
  std::map<std::string, ModelExperiment> experiments{{"0", {"Default", false, {}}}};  // by id
  std::map<std::string, ModelRun> runs;

  bool has_name(const std::string& name) const {
    return std::any_of(experiments.begin(), experiments.end(),
                       [&](const auto& entry) { return entry.second.name == name; });
  }
  // What collect_garbage does, by its rules.
  void collect_garbage() {
    std::set<std::string> gone;
    for (const auto& [id, experiment] : experiments) {
      if (experiment.deleted && id != "0") gone.insert(id);
    }
    for (const auto& [id, run] : runs) {
      if (!run.deleted) gone.erase(run.experiment);
    }
    for (auto run = runs.begin(); run != runs.end();)
      run = run->second.deleted ? runs.erase(run) : std::next(run);
    for (const std::string& id : gone) experiments.erase(id);
  }
};

std::map<std::string, std::string> as_map(const std::vector<mlrt::Tag>& tags) {
  std::map<std::string, std::string> map;
  for (const auto& tag : tags) map[tag.key] = tag.value;
  return map;
}

void compare_with_model(const TrackingStore& store, const TrackingModel& model) {
  std::size_t active_experiments = 0, active_runs = 0;
  for (const auto& [id, expected] : model.experiments) {
    const mlrt::Experiment found = store.experiment(id);
    CHECK(found.name == expected.name);
    CHECK(found.lifecycle_stage == (expected.deleted ? "deleted" : "active"));
    CHECK(as_map(found.tags) == expected.tags);
    CHECK(store.experiment_by_name(expected.name)->id == id);
    active_experiments += expected.deleted ? 0 : 1;
  }
  CHECK(store.list_experiments().size() == active_experiments);
  mlrt::SearchQuery all;
  all.view = mlrt::ViewType::kAll;
  CHECK(store.search_experiments(all).items.size() == model.experiments.size());
  for (const auto& entry : model.runs) active_runs += entry.second.deleted ? 0 : 1;
  CHECK(store.list_runs({}, 1000000).size() == active_runs);
  for (const auto& [id, expected] : model.runs) {
    const RunRecord record = store.run(id);
    CHECK(record.name == expected.name);
    CHECK(record.experiment_id == expected.experiment);
    CHECK(record.lifecycle_stage == (expected.deleted ? "deleted" : "active"));
    CHECK((record.end_time_ms == 0) == (expected.status == RunStatus::kRunning));
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
    for (int call = 0; call < 1000; ++call) {
      const auto pick = [&] {
        auto run = model.runs.begin();
        std::advance(run, below(static_cast<unsigned>(model.runs.size())));
        return run;
      };
      if (call % 50 == 49) compare_with_model(*store, model);
      const auto pick_experiment = [&] {
        auto experiment = model.experiments.begin();
        std::advance(experiment, below(static_cast<unsigned>(model.experiments.size())));
        return experiment;
      };
      const auto works = [&](const auto& action, bool expected) {
        CHECK(caught(action).message.empty() == expected);
        return expected;
      };
      const int kind = model.runs.size() < 3 ? 1 + 12 * below(2) : below(16);
      if (kind == 0) {
        const std::string name = word(4);
        const bool taken = model.has_name(name);
        std::string id;
        CHECK(caught([&] { id = store->create_experiment(name); }).message.empty() == !taken);
        if (!taken) model.experiments[id] = {name, false, {}};
      } else if (kind == 1) {
        const std::string name = "run " + word(26);
        const auto experiment = pick_experiment();
        RunRecord record;
        if (works(
                [&] {
                  record = store->create_run({experiment->first, name, "u", 0, {}});
                },
                !experiment->second.deleted)) {
          ModelRun& run = model.runs[record.run_id];
          run.name = name;
          run.experiment = experiment->first;
          run.tags = {{"mlflow.runName", name}};
        }
      } else if (kind <= 3) {
        auto run = pick();
        std::map<std::string, std::string> list;
        for (int i = below(3); i >= 0; --i) list[word(5)] = word(3);
        bool fine = !run->second.deleted;
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
        if (!works([&] { store->log_metrics(run->first, metrics); },
                   !broken && !run->second.deleted))
          continue;
        for (const Metric& metric : metrics) {
          run->second.history[metric.key].emplace(metric.timestamp_ms, metric.step,
                                                  ordered(metric.value));
        }
      } else if (kind == 7) {
        auto run = pick();
        const std::string key = below(5) == 0 ? "mlflow.runName" : word(4);
        const std::string value = "v" + word(9);
        if (!works([&] { store->set_tags(run->first, {{key, value}}); }, !run->second.deleted))
          continue;
        run->second.tags[key] = value;
        if (key == "mlflow.runName") run->second.name = value;
      } else if (kind == 8) {
        auto run = pick();
        const RunStatus status = below(2) == 0 ? RunStatus::kFinished : RunStatus::kFailed;
        if (works([&] { store->end_run(run->first, status); }, !run->second.deleted))
          run->second.status = status;
      } else if (kind == 9) {  // resumes
        auto run = pick();
        const std::string name = "again " + word(26);
        if (works(
                [&] {
                  store->update_run(run->first, {RunStatus::kRunning, 0, name});
                },
                !run->second.deleted)) {
          run->second.status = RunStatus::kRunning;
          run->second.name = name;
          run->second.tags["mlflow.runName"] = name;
        }
      } else if (kind == 10) {
        auto run = pick();
        store->delete_run(run->first);
        run->second.deleted = true;
      } else if (kind == 11) {
        auto run = pick();
        store->restore_run(run->first);
        run->second.deleted = false;
      } else if (kind == 12) {
        auto run = pick();
        const std::string key = word(4);
        if (works([&] { store->delete_tag(run->first, key); },
                  !run->second.deleted && run->second.tags.count(key) > 0))
          run->second.tags.erase(key);
      } else if (kind == 13) {
        const auto experiment = pick_experiment();
        const bool restores = below(2) == 0;
        const std::string id = experiment->first;
        if (works([&] { restores ? store->restore_experiment(id) : store->delete_experiment(id); },
                  experiment->second.deleted == restores)) {
          experiment->second.deleted = !restores;
          for (auto& entry : model.runs) {
            if (entry.second.experiment == id) entry.second.deleted = !restores;
          }
        }
      } else if (kind == 14) {
        const auto experiment = pick_experiment();
        const std::string id = experiment->first, key = word(3), name = word(6);
        const bool active = !experiment->second.deleted;
        auto& tags = experiment->second.tags;
        const int what = below(3);
        if (what == 0 && works([&] { store->set_experiment_tag(id, key, name); }, active))
          tags[key] = name;
        if (what == 1 &&
            works([&] { store->delete_experiment_tag(id, key); }, active && tags.count(key) > 0))
          tags.erase(key);
        if (what == 2 &&
            works([&] { store->rename_experiment(id, name); },
                  active && (experiment->second.name == name || !model.has_name(name))))
          experiment->second.name = name;
      } else if (below(12) == 0) {
        store->collect_garbage();
        model.collect_garbage();
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
