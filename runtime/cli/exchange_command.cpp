#include "cli/exchange_command.hpp"

#include <cstddef>
#include <optional>
#include <vector>

#include "cli/listing.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kProblemsShown = 100;
constexpr std::size_t kProblemSize = 500;

struct ImportCount {
  const char* name;
  const char* one;
  const char* many;
  std::size_t ImportReport::*count;
};

constexpr ImportCount kImportCounts[] = {
    {"experiments", "experiment", "experiments", &ImportReport::experiments},
    {"runs", "run", "runs", &ImportReport::runs},
    {"params", "parameter", "parameters", &ImportReport::params},
    {"tags", "tag", "tags", &ImportReport::tags},
    {"metrics", "metric point", "metric points", &ImportReport::metrics},
    {"inputs", "data set input", "data set inputs", &ImportReport::inputs},
    {"logged_models", "logged model", "logged models", &ImportReport::logged_models},
    {"registered_models", "registered model", "registered models",
     &ImportReport::registered_models},
    {"model_versions", "model version", "model versions", &ImportReport::model_versions},
    {"artifacts", "artifact", "artifacts", &ImportReport::artifacts},
};

std::string import_report_json(const ImportReport& report) {
  OrderedJson out;
  for (const ImportCount& item : kImportCounts) out[item.name] = report.*item.count;
  out["problems"] = report.problems;
  return json_text(out);
}

std::string import_report_text(const ImportReport& report) {
  std::vector<std::string> parts;
  for (const ImportCount& item : kImportCounts) {
    const std::size_t count = report.*item.count;
    if (count > 0)
      parts.push_back(std::to_string(count) + " " + (count == 1 ? item.one : item.many));
  }
  return parts.empty() ? "nothing new to import\n" : "imported " + join(parts, ", ") + "\n";
}

void print_problems(const std::vector<std::string>& problems) {
  for (std::size_t i = 0; i < problems.size() && i < kProblemsShown; ++i) {
    const std::string safe = quoted(problems[i], kProblemSize);
    print_warning(safe.substr(1, safe.size() - 2));  // one line, without the quotes
  }
  if (problems.size() > kProblemsShown) {
    print_warning("and " + std::to_string(problems.size() - kProblemsShown) +
                  " more problems; --json lists all");
  }
}

}  // namespace

int run_import(const GlobalOptions& global, const ImportCommandOptions& options) {
  // Before a store is made for nothing.
  if (!fs::exists(options.path)) {
    throw Error(ErrorCode::kNotFound,
                "cannot import " + quoted(options.path, 400) + ": no such file or folder");
  }
  const Session session = open_store(global, true);
  const InterruptSignals signals;
  std::optional<ProgressLine> line;
  line.emplace("importing");
  ImportOptions import;
  import.experiment = options.experiment;
  import.copy_artifacts = !options.no_artifacts;
  import.progress = [&](std::uint64_t done, std::uint64_t total) { check_interrupt();
  line->show(done, total);
};
const ImportReport report = session.import_tracking(options.path, import);
line.reset();
if (options.json) {
  print_out(import_report_json(report));
} else {
  print_problems(report.problems);
  print_out(import_report_text(report));
}
return report.problems.empty() ? 0 : 1;
}  // namespace mlrt

void run_export(const GlobalOptions& global, const std::string& path) {
  const Session session = open_store(global);
  const std::string revision = session.export_mlflow(path);
  print_out("wrote " + quoted(path, 400) + ", an MLflow database of schema revision " + revision +
            "; to look at it: mlflow ui --backend-store-uri sqlite:///" + path + "\n");
}

}  // namespace mlrt
