#ifndef MLRT_API_AUTOLOG_HPP_
#define MLRT_API_AUTOLOG_HPP_

#include <functional>
#include <memory>

#include "api/session.hpp"
#include "train/hooks.hpp"

namespace mlrt {

struct AutologOptions {
  bool log_model = true;      // as the artifact "model"
  bool log_dataset = true;    // as an input with the context "train"
};

// An observer that logs each training: its parameters, a metric a round, the data set, the model, and the
// tags mlrt.learner and mlrt.autologging. `active_run` gives the run to log to, or null, in which case the
// training gets a run of its own that ends with it (FINISHED, FAILED, or KILLED after an interrupt).
std::shared_ptr<TrainObserver> make_autolog(Session session, std::function<Run*()> active_run,
                                            const AutologOptions& options = {});

}  // namespace mlrt

#endif  // MLRT_API_AUTOLOG_HPP_
