#ifndef MLRT_API_AUTOLOG_HPP_
#define MLRT_API_AUTOLOG_HPP_

#include <functional>
#include <memory>
#include <string>

#include "api/session.hpp"
#include "train/hooks.hpp"

namespace mlrt {

struct AutologOptions {
  // As the logged model "model" ("model-2", ... if the run has that already), with the training's
  // parameters and its final metrics.
  bool log_model = true;
  bool log_dataset = true;  // as an input with the context "train", if its digest is known
  std::string
      source_name;  // of runs of its own: the script or program; empty: the executable's name
};

// An observer that logs each training: its parameters, a metric a round, the data set, the model,
// and the tags mlrt.learner and mlrt.autologging. `active_run` gives the run to log to, or null, in
// which case the training gets a run of its own that ends with it (FINISHED, FAILED, or KILLED
// after an interrupt). What cannot be logged (the store is locked, a parameter has another value
// already) is a warning on the log: training goes on. Trainings may nest. For one thread at a time.
std::shared_ptr<TrainObserver> make_autolog(Session session, std::function<Run*()> active_run,
                                            const AutologOptions& options = {});

}  // namespace mlrt

#endif  // MLRT_API_AUTOLOG_HPP_
