// Models that a run makes, as MLflow 3 has them: logged models of their own.

#include <exception>

#include "api/session_state.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

// After an error: no file stays, and the logged model says what became of it.
void run_model_give_up(LoggedModels& logged_models, const LoggedModel& model) noexcept {
  try {
    logged_models.finalize(model.model_id, LoggedModelStatus::kFailed);
  } catch (const std::exception& error) {
    log_warn("a logged model stays PENDING",
             {{"model_id", model.model_id}, {"error", error.what()}});
  }
  try {
    fs::remove_tree(model.artifact_folder);
  } catch (const std::exception& error) {
    log_warn("files of a failed model were left behind",
             {{"path", model.artifact_folder}, {"error", error.what()}});
  }
}

}  // namespace

LoggedRunModel log_model_of_run(TrackingStore& tracking, ArtifactStore& artifacts,
                                LoggedModels& logged_models, const std::string& run_id,
                                const Model& model, const RunModelLog& log) {
  check_artifact_path(log.path);
  // Of a run that is deleted nothing is kept.
  bool taken = fs::exists(fs::join(artifacts.folder(run_id, true), log.path));
  for (const ArtifactStore::RunModel& there : artifacts.models_of_run(run_id)) {
    taken = taken || there.path == log.path;
  }
  if (taken) {
    throw Error(ErrorCode::kAlreadyExists, "the run " + run_id + " has an artifact " +
                                               quoted(log.path, 300) +
                                               " already; log the model under another path");
  }
  const MemoryFiles files = model.save();
  LoggedModels::NewModel wanted;
  wanted.experiment_id = tracking.run(run_id).experiment_id;
  wanted.name = fs::basename(log.path);
  wanted.source_run_id = run_id;
  wanted.params = log.params;
  if (wanted.name != log.path) wanted.tags.push_back({kLoggedModelPathTag, log.path});
  const LoggedModel logged = logged_models.create(wanted);
  try {
    artifacts.log_files(logged.model_id, files);
    tracking.log_outputs(run_id, {{logged.model_id, 0}});
    logged_models.finalize(logged.model_id, LoggedModelStatus::kReady);
  } catch (const std::exception&) {
    run_model_give_up(logged_models, logged);
    throw;
  }
  return {"runs:/" + run_id + "/" + log.path, logged.model_id};
}

}  // namespace mlrt
