#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "core/yaml.hpp"
#include "tracking/import_sources.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kMlrunsMaxMetaBytes = 32u << 20;
constexpr std::uint64_t kMlrunsMaxValueBytes = 1u << 20;
constexpr int kMlrunsMaxBadLines = 20;

// Values of a meta.yaml, whatever type YAML took them for.
std::string mlruns_text(const Json& meta, const char* key) {
  const auto found = meta.find(key);
  if (found == meta.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return std::to_string(found->get<std::int64_t>());
  return dump_json(*found);
}

std::int64_t mlruns_integer(const Json& meta, const char* key) {
  long long value = 0;
  return parse_int64(mlruns_text(meta, key), value) ? value : 0;
}

// A mapping of texts, as tags and aliases are kept.
std::vector<Tag> mlruns_pairs(const Json& meta, const char* key) {
  std::vector<Tag> pairs;
  const auto found = meta.find(key);
  if (found == meta.end() || !found->is_object()) return pairs;
  for (const auto& item : found->items()) {
    pairs.push_back({item.key(), mlruns_text(*found, item.key().c_str())});
  }
  return pairs;
}

// One mlruns folder. A place in messages is a path below it.
class MlrunsImport {
 public:
  MlrunsImport(ImportSink& sink, std::string root) : sink_(sink), root_(std::move(root)) {}

  void run() {
    std::vector<std::string> experiments;
    for (const std::string& name : names(root_)) {
      if (name == ".trash" || name == "models") continue;
      experiments.push_back(name);
    }
    for (const std::string& name : names(at(".trash"))) experiments.push_back(".trash/" + name);
    std::vector<std::pair<std::string, std::string>> taken;  // folder, experiment id
    for (const std::string& experiment : experiments) {
      guarded(experiment, [&] {
        if (!is_folder(experiment)) return;
        if (const auto id = read_experiment(experiment)) taken.emplace_back(experiment, *id);
      });
    }
    std::vector<std::pair<std::string, std::string>> runs;  // folder, experiment's folder
    for (const auto& experiment : taken) {
      for (const std::string& name : names(at(experiment.first))) {
        const std::string folder = experiment.first + "/" + name;
        if (name == "tags" || name == "datasets" || name == "models" || name == "traces") continue;
        guarded(folder, [&] {
          if (is_folder(folder)) runs.emplace_back(folder, experiment.first);
        });
      }
    }
    // Thousandths of a run; each is visited twice.
    sink_.set_total(runs.size() * 2000);
    std::uint64_t done = 0;
    std::vector<TakenRun> taken_runs;
    for (const auto& run : runs) {
      guarded(run.first, [&] {
        const std::string id = read_run(run.first);
        if (!id.empty()) taken_runs.push_back({run.first, run.second, id});
      });
      sink_.advance(done += 1000);
    }
    // Before the runs' own files, which hold the metrics of logged models once more.
    for (const auto& experiment : taken) {
      const std::string models = experiment.first + "/models";
      for (const std::string& name : names(at(models))) {
        const std::string folder = models + "/" + name;
        guarded(folder, [&] {
          if (is_folder(folder)) read_logged_model(folder);
        });
      }
    }
    for (const TakenRun& run : taken_runs) {
      guarded(run.folder, [&] { read_run_files(run); });
      sink_.advance(done += 1000);
    }
    for (const std::string& name : names(at("models"))) {
      const std::string folder = "models/" + name;
      guarded(folder, [&] {
        if (is_folder(folder)) read_registered_model(folder);
      });
    }
  }

 private:
  struct SourceFault {
    std::string message;
  };
  struct TakenRun {
    std::string folder, experiment_folder, run_id;
  };

  std::string at(const std::string& place) const { return fs::join(root_, place); }

  bool is_folder(const std::string& place) {
    return from_source([&] { return fs::is_folder(at(place)); });
  }

  // Names in a folder; none if there is no such folder.
  std::vector<std::string> names(const std::string& folder) {
    check_interrupt();
    std::vector<std::string> found;
    guarded(folder, [&] {
      from_source([&] {
        if (fs::is_folder(folder)) found = fs::list(folder);
      });
    });
    return found;
  }

  // What is wrong with one part of the folder does not touch the others. Only the source's faults
  // count as such: the store has errors of its own.
  void guarded(const std::string& place, const std::function<void()>& read) {
    try {
      read();
    } catch (const SourceFault& fault) {
      sink_.problem(place, fault.message);
    }
  }

  // Runs what reads the source.
  template <typename Read>
  auto from_source(const Read& read) -> decltype(read()) {
    try {
      return read();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kUnavailable) throw;
      throw SourceFault{error.message()};
    }
  }

  Json read_meta(const std::string& place) {
    return from_source([&] {
      const std::string file = place + "/meta.yaml";
      if (!fs::is_file(at(file))) {
        throw Error(ErrorCode::kNotFound, "there is no meta.yaml: it is left out");
      }
      Json meta = parse_yaml(fs::read_file(at(file), kMlrunsMaxMetaBytes), file);
      if (!meta.is_object()) {
        throw Error(ErrorCode::kInvalidParameter, "meta.yaml is not a mapping: it is left out");
      }
      return meta;
    });
  }

  // Calls `take` for each file below a folder: a key may hold '/', which is a folder. A link could
  // lead anywhere, in a circle too: a folder with one is left out.
  void each_key(const std::string& folder,
                const std::function<void(const std::string& key, const std::string& place)>& take) {
    std::vector<std::string> keys;
    guarded(folder, [&] {
      from_source([&] {
        if (fs::is_folder(at(folder))) keys = fs::list_files_below(at(folder));
      });
    });
    for (const std::string& key : keys) {
      const std::string place = folder + "/" + key;
      guarded(place, [&] { take(key, place); });
    }
  }

  std::vector<Tag> read_pairs(const std::string& folder) {
    std::vector<Tag> pairs;
    each_key(folder, [&](const std::string& key, const std::string& place) {
      pairs.push_back(
          {key, from_source([&] { return fs::read_file(at(place), kMlrunsMaxValueBytes); })});
    });
    return pairs;
  }

  std::optional<std::string> read_experiment(const std::string& folder) {
    const Json meta = read_meta(folder);
    ImportedExperiment experiment;
    experiment.place = folder;
    experiment.record.id = mlruns_text(meta, "experiment_id");
    experiment.record.name = mlruns_text(meta, "name");
    const bool trashed = starts_with(folder, ".trash/");
    experiment.record.lifecycle_stage = trashed ? "deleted" : mlruns_text(meta, "lifecycle_stage");
    experiment.record.creation_time_ms = mlruns_integer(meta, "creation_time");
    experiment.record.last_update_time_ms = mlruns_integer(meta, "last_update_time");
    experiment.record.tags = read_pairs(folder + "/tags");
    if (!sink_.add_experiment(experiment)) return std::nullopt;
    return experiment.record.id;
  }

  // The number of the protobuf enum, which old versions wrote as a name.
  RunStatus status_of(const std::string& place, const std::string& text) {
    const char* const names_by_number[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    long long number = 0;
    if (parse_int64(text, number) && number >= 1 && number <= 5) {
      return parse_run_status(names_by_number[number - 1]);
    }
    try {
      return parse_run_status(text);
    } catch (const Error&) {
      sink_.problem(place, "the run's status " + quoted(text) +
                               " is none of MLflow's; it is taken for FAILED");
      return RunStatus::kFailed;
    }
  }

  // Returns the run's id, or nothing if it was not taken.
  std::string read_run(const std::string& folder) {
    const Json meta = read_meta(folder);
    ImportedRun run;
    run.place = folder;
    run.record.run_id = mlruns_text(meta, "run_id");
    if (run.record.run_id.empty()) run.record.run_id = mlruns_text(meta, "run_uuid");
    run.record.name = mlruns_text(meta, "run_name");
    if (run.record.name.empty()) run.record.name = mlruns_text(meta, "name");
    run.record.experiment_id = mlruns_text(meta, "experiment_id");
    run.record.user = mlruns_text(meta, "user_id");
    run.record.status = status_of(folder, mlruns_text(meta, "status"));
    run.record.start_time_ms = mlruns_integer(meta, "start_time");
    run.record.end_time_ms = mlruns_integer(meta, "end_time");
    run.record.lifecycle_stage = mlruns_text(meta, "lifecycle_stage");
    run.deleted_time_ms = mlruns_integer(meta, "deleted_time");
    return sink_.add_run(run) ? run.record.run_id : std::string();
  }

  void read_run_files(const TakenRun& run) {
    const std::string &folder = run.folder, &run_id = run.run_id;
    for (const Tag& param : read_pairs(folder + "/params")) {
      sink_.add_params(run_id, folder + "/params/" + param.key, {{param.key, param.value}});
    }
    for (const Tag& tag : read_pairs(folder + "/tags")) {
      sink_.add_tags(run_id, folder + "/tags/" + tag.key, {tag});
    }
    each_key(folder + "/metrics", [&](const std::string& key, const std::string& place) {
      read_metric_file(place, key, run_id, "");
    });
    read_inputs(folder, run.experiment_folder, run_id);
    for (const std::string& name : names(at(folder + "/outputs"))) {
      guarded(folder + "/outputs/" + name, [&] {
        const Json output = read_meta(folder + "/outputs/" + name);
        sink_.add_outputs(
            run_id, folder + "/outputs/" + name,
            {{mlruns_text(output, "destination_id"), mlruns_integer(output, "step")}});
      });
    }
    // Where the folder was moved, its meta.yaml still has the old place.
    sink_.add_artifacts(run_id, at(folder + "/artifacts"));
  }

  void read_inputs(const std::string& folder, const std::string& experiment_folder,
                   const std::string& run_id) {
    for (const std::string& name : names(at(folder + "/inputs"))) {
      const std::string place = folder + "/inputs/" + name;
      guarded(place, [&] {
        const Json input = read_meta(place);
        if (mlruns_text(input, "source_type") != "DATASET") return;
        const std::string id = mlruns_text(input, "source_id");
        if (!fs::is_safe_relative(id) || id.find('/') != std::string::npos) {
          throw SourceFault{quoted(id) + " is no id of a data set"};
        }
        const Json dataset = read_meta(experiment_folder + "/datasets/" + id);
        DatasetInput record;
        record.name = mlruns_text(dataset, "name");
        record.digest = mlruns_text(dataset, "digest");
        record.source_type = mlruns_text(dataset, "source_type");
        record.source = mlruns_text(dataset, "source");
        record.schema = mlruns_text(dataset, "schema");
        record.profile = mlruns_text(dataset, "profile");
        for (const Tag& tag : mlruns_pairs(input, "tags")) {
          if (tag.key == "mlflow.data.context") {
            record.context = tag.value;
          } else {
            record.tags.push_back(tag);
          }
        }
        sink_.add_inputs(run_id, place, {record});
      });
    }
  }

  // A line of a run is "time value [step [dataset digest]]", one of a logged model
  // "time value step run [dataset digest]". A data set's name may hold spaces.
  bool read_metric_line(std::string_view line, bool of_model, Metric& metric, std::string& run_id) {
    const std::vector<std::string> parts = split(trim(line), ' ');
    const std::size_t fixed = of_model ? 4 : 3;
    long long time = 0, step = 0;
    if (parts.size() < (of_model ? 4u : 2u) || parts.size() == fixed + 1) return false;
    if (!parse_int64(parts[0], time) || !parse_double(parts[1], metric.value)) return false;
    if (parts.size() > 2 && !parse_int64(parts[2], step)) return false;
    metric.timestamp_ms = time;
    metric.step = step;
    if (of_model) run_id = parts[3];
    if (parts.size() > fixed) {
      metric.dataset_digest = parts.back();
      metric.dataset_name =
          join({parts.begin() + static_cast<std::ptrdiff_t>(fixed), parts.end() - 1}, " ");
    }
    return true;
  }

  void read_metric_file(const std::string& place, const std::string& key,
                        const std::string& run_of_file, const std::string& model_id) {
    const std::string content = from_source([&] { return fs::read_file(at(place)); });
    std::size_t number = 0, begin = 0;
    int bad_lines = 0;
    const auto complain = [&](const std::string& what) {
      ++bad_lines;
      if (bad_lines > kMlrunsMaxBadLines) return;
      sink_.problem(place + ":" + std::to_string(number), what);
    };
    while (begin < content.size()) {
      ++number;
      if ((number & 0xfff) == 0) check_interrupt();
      const std::size_t end = std::min(content.find('\n', begin), content.size());
      const std::string_view line = std::string_view(content).substr(begin, end - begin);
      begin = end + 1;
      if (trim(line).empty()) continue;
      Metric metric;
      std::string run_id = run_of_file;
      if (!read_metric_line(line, !model_id.empty(), metric, run_id)) {
        complain("not a metric (" + quoted(line) + "): expected 'time value step'");
        continue;
      }
      if (!sink_.has_run(run_id)) {
        complain("the run " + quoted(run_id) + " was not imported");
        continue;
      }
      metric.key = key;
      metric.model_id = model_id;
      const Point point{run_id, key, metric.timestamp_ms, metric.step, format_double(metric.value)};
      if (!model_id.empty()) {
        points_of_models_.insert(point);
      } else if (!points_of_models_.empty() && points_of_models_.count(point) != 0) {
        continue;
      }
      sink_.add_metric(run_id, place + ":" + std::to_string(number), std::move(metric));
    }
    if (bad_lines > kMlrunsMaxBadLines) {
      sink_.problem(place,
                    std::to_string(bad_lines - kMlrunsMaxBadLines) + " more lines are left out");
    }
  }

  void read_logged_model(const std::string& folder) {
    const Json meta = read_meta(folder);
    ImportedLoggedModel model;
    model.place = folder;
    model.record.model_id = mlruns_text(meta, "model_id");
    model.record.experiment_id = mlruns_text(meta, "experiment_id");
    model.record.name = mlruns_text(meta, "name");
    model.record.model_type = mlruns_text(meta, "model_type");
    model.record.source_run_id = mlruns_text(meta, "source_run_id");
    model.record.status = logged_model_status_of_number(mlruns_integer(meta, "status"));
    model.record.lifecycle_stage = mlruns_text(meta, "lifecycle_stage");
    model.record.creation_time_ms = mlruns_integer(meta, "creation_timestamp");
    model.record.last_update_time_ms = mlruns_integer(meta, "last_updated_timestamp");
    for (const Tag& param : read_pairs(folder + "/params")) {
      model.record.params.push_back({param.key, param.value});
    }
    model.record.tags = read_pairs(folder + "/tags");
    if (!sink_.add_logged_model(model)) return;
    each_key(folder + "/metrics", [&](const std::string& key, const std::string& place) {
      read_metric_file(place, key, "", model.record.model_id);
    });
    sink_.add_artifacts(model.record.model_id, at(folder + "/artifacts"));
  }

  void read_registered_model(const std::string& folder) {
    const Json meta = read_meta(folder);
    ImportedModel model;
    model.place = folder;
    model.name = mlruns_text(meta, "name");
    model.description = mlruns_text(meta, "description");
    model.creation_time_ms = mlruns_integer(meta, "creation_timestamp");
    model.last_update_time_ms = mlruns_integer(meta, "last_updated_timestamp");
    model.tags = read_pairs(folder + "/tags");
    const std::vector<Tag> aliases = read_pairs(folder + "/aliases");
    for (const std::string& name : names(at(folder))) {
      if (!starts_with(name, "version-")) continue;
      const std::string place = folder + "/" + name;
      guarded(place, [&] {
        const Json one = read_meta(place);
        ImportedVersion version;
        version.place = place;
        version.stage = mlruns_text(one, "current_stage");
        version.deleted = version.stage == "Deleted_Internal";
        version.run_link = mlruns_text(one, "run_link");
        version.user = mlruns_text(one, "user_id");
        version.version = mlruns_integer(one, "version");
        version.source = mlruns_text(one, "source");
        version.run_id = mlruns_text(one, "run_id");
        version.description = mlruns_text(one, "description");
        version.creation_time_ms = mlruns_integer(one, "creation_timestamp");
        version.last_update_time_ms = mlruns_integer(one, "last_updated_timestamp");
        version.tags = read_pairs(place + "/tags");
        for (const Tag& alias : aliases) {
          if (trim(alias.value) == std::to_string(version.version)) {
            version.aliases.push_back(alias.key);
          }
        }
        model.versions.push_back(std::move(version));
      });
    }
    sink_.add_registered_model(model);
  }

  using Point = std::tuple<std::string, std::string, std::int64_t, std::int64_t, std::string>;

  ImportSink& sink_;
  std::string root_;
  std::set<Point> points_of_models_;
};

}  // namespace

bool looks_like_mlruns(const std::string& folder) {
  if (fs::is_file(fs::join(folder, "0/meta.yaml"))) return true;
  for (const std::string& name : fs::list(folder)) {
    if (name == ".trash" || fs::is_file(fs::join(folder, name + "/meta.yaml"))) return true;
  }
  return false;
}

void import_mlruns_folder(ImportSink& sink, const std::string& path) {
  MlrunsImport(sink, path).run();
}

}  // namespace mlrt
