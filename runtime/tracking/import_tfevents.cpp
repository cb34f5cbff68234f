#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "tracking/import_sources.hpp"
#include "tracking/tfevents.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kEventMaxKeyCharacters = 250;
constexpr std::size_t kEventHeadBytes = 4096;

using TfScalarSink = std::function<void(const TfScalar&)>;

std::int64_t event_milliseconds(double seconds) {
  return static_cast<std::int64_t>(std::llround(seconds * 1000));
}

// A tag as a key that MLflow's rules allow: other characters become '_', and the parts between '/'
// are none of "", "." and "..".
std::string event_key(const std::string& tag) {
  std::vector<std::string> parts;
  for (const std::string& part : split(tag, '/')) {
    std::string clean;
    for (char c : part) {
      const bool ascii_sign = static_cast<unsigned char>(c) < 0x80 && !(c >= '0' && c <= '9') &&
                              !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' &&
                              c != '.' && c != '-' && c != ' ' && c != ':';
      clean += ascii_sign ? '_' : c;
    }
    if (clean.empty()) continue;
    parts.push_back(clean == "." || clean == ".." ? std::string(clean.size(), '_') : clean);
  }
  std::string key = join(parts, "/");
  if (key.size() > kEventMaxKeyCharacters) {
    std::size_t end = kEventMaxKeyCharacters;
    while (end > 0 && (static_cast<unsigned char>(key[end]) & 0xc0) == 0x80) --end;
    key.resize(end);
    while (!key.empty() && key.back() == '/') key.pop_back();
  }
  return key.empty() ? "value" : key;
}

// The event files of one folder are one run.
class EventFolderImport {
 public:
  EventFolderImport(ImportSink& sink, std::string name, std::string experiment_id,
                    const std::string& experiment)
      : sink_(sink),
        name_(std::move(name)),
        experiment_id_(std::move(experiment_id)),
        experiment_(experiment) {}

  // In the order in which they were written.
  void read(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
      check_interrupt();
      try {
        read_file(file);
      } catch (const EventFileFault& fault) {
        sink_.problem(file, fault.message);
      }
    }
    if (run_id_.empty()) return;
    add_run();
    sink_.add_params(run_id_, name_, params_);
    sink_.add_tags(run_id_, name_, {{"mlflow.runName", name_}, {"mlflow.source.type", "LOCAL"}});
  }

 private:
  struct EventFileFault {
    std::string message;
  };

  void read_file(const std::string& file) {
    const std::unique_ptr<fs::MappedFile> mapped = map(file);
    // The run must be there before its metrics; the first event of all is nearly always sound.
    const TfScalarSink ignore = [](const TfScalar&) {};
    TfEventsSummary start = read_tfevents(mapped->bytes().substr(0, kEventHeadBytes), ignore);
    if (start.records == 0) start = read_tfevents(mapped->bytes(), ignore);
    if (start.records > 0) {
      if (run_id_.empty()) {
        start_run(file, start.first_time_s);
        first_time_s_ = start.first_time_s;
        add_run();
      }
      first_time_s_ = std::min(first_time_s_, start.first_time_s);
    }
    const TfEventsSummary summary = read_tfevents(mapped->bytes(), [&](const TfScalar& scalar) {
      auto known = keys_.find(scalar.tag);
      if (known == keys_.end()) known = keys_.emplace(scalar.tag, event_key(scalar.tag)).first;
      Metric metric;
      metric.key = known->second;
      metric.value = scalar.value;
      metric.step = scalar.step;
      metric.timestamp_ms = event_milliseconds(scalar.wall_time_s);
      sink_.add_metric(run_id_, file, std::move(metric));
    });
    last_time_s_ = std::max(last_time_s_, summary.last_time_s);
    for (const std::string& problem : summary.problems) sink_.problem(file, problem);
    if (summary.other_values > 0) {
      sink_.problem(file, std::to_string(summary.other_values) +
                              " values that are not scalars (pictures, histograms, texts) are left "
                              "out");
    }
    for (const auto& parameter : summary.hyperparameters) {
      params_.push_back({event_key(parameter.first), parameter.second});
    }
  }

  static std::unique_ptr<fs::MappedFile> map(const std::string& file) {
    try {
      return std::make_unique<fs::MappedFile>(file);
    } catch (const Error& error) {
      throw EventFileFault{error.message()};
    }
  }

  // The same files, wherever they lie, are the same run.
  void start_run(const std::string& first_file, double first_time_s) {
    const std::string folder = fs::basename(fs::parent(fs::absolute(first_file)));
    run_id_ = sha256_hex("tensorboard\n" + experiment_ + "\n" + folder + "\n" +
                         fs::basename(first_file) + "\n" + format_double(first_time_s))
                  .substr(0, 32);
  }

  void add_run() {
    ImportedRun run;
    run.place = name_;
    run.record.run_id = run_id_;
    run.record.name = name_.substr(0, kEventMaxKeyCharacters);
    run.record.experiment_id = experiment_id_;
    run.record.status = RunStatus::kFinished;
    run.record.start_time_ms = event_milliseconds(first_time_s_);
    run.record.end_time_ms = event_milliseconds(std::max(first_time_s_, last_time_s_));
    run.record.lifecycle_stage = "active";
    if (!sink_.add_run(run)) {
      run_id_.clear();
      throw EventFileFault{"the run cannot be stored under the name of its folder"};
    }
  }

  ImportSink& sink_;
  std::string name_, experiment_id_;
  const std::string& experiment_;
  std::string run_id_;
  double first_time_s_ = 0, last_time_s_ = 0;
  std::map<std::string, std::string> keys_;
  std::vector<Param> params_;
};

}  // namespace

bool is_event_file_name(const std::string& name) {
  return name.find(".tfevents.") != std::string::npos || ends_with(name, ".tfevents");
}

void import_event_files(ImportSink& sink, const std::string& root,
                        const std::vector<std::string>& files, const ImportOptions& options) {
  const std::string experiment_name =
      options.experiment.empty() ? std::string("tensorboard") : options.experiment;
  std::map<std::string, std::vector<std::string>> folders;
  for (const std::string& file : files) folders[fs::parent(file)].push_back(file);

  ImportedExperiment experiment;
  experiment.place = root;
  // The name decides; the number only if it is free, which it never is for "Default".
  experiment.record.id = "0";
  experiment.record.name = experiment_name;
  experiment.record.lifecycle_stage = "active";
  experiment.record.creation_time_ms = now_ms();
  experiment.record.last_update_time_ms = experiment.record.creation_time_ms;
  if (!sink.add_experiment(experiment)) {
    throw Error(ErrorCode::kInvalidParameter,
                "the experiment cannot be named " + quoted(experiment_name));
  }
  sink.set_total(files.size() * 1000);
  std::uint64_t done = 0;
  for (auto& folder : folders) {
    std::sort(folder.second.begin(), folder.second.end());
    // "train" of "logs/train"; a folder with files of its own is known by its name.
    std::string name =
        folder.first == root ? fs::basename(fs::absolute(root)) : folder.first.substr(root.size());
    while (!name.empty() && name.front() == '/') name.erase(0, 1);
    if (name.empty()) name = "run";
    EventFolderImport(sink, name, experiment.record.id, experiment_name).read(folder.second);
    sink.advance(done += 1000 * folder.second.size());
  }
}

}  // namespace mlrt
