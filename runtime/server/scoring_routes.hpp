#ifndef MLRT_SERVER_SCORING_ROUTES_HPP_
#define MLRT_SERVER_SCORING_ROUTES_HPP_

#include <memory>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "net/router.hpp"
#include "server/host_rules.hpp"

namespace mlrt {

// The routes of MLflow's scoring protocol for one model, which the router keeps alive:
//   GET  /ping, /health  "\n" while the model can answer
//   GET  /version        mlrt's version as plain text
//   POST /invocations    application/json or text/csv (parse_scoring_json, parse_scoring_csv);
//                        answers {"predictions": [0.93, ...]}, one number a row
// Numbers are the shortest text that reads back as the same double. A NaN or infinite prediction is
// null, since JSON has no word for it. Every other content type, and a charset other than UTF-8, is
// 415 with a plain text, as MLflow's server answers; all other errors are {"error_code",
// "message"}. A request that `hosts` refuses is 403 on every route.
Router make_scoring_router(std::shared_ptr<const Model> model, HostRules hosts);

// {"predictions": [...]} of `values`.
std::string format_predictions(const std::vector<double>& values);

}  // namespace mlrt

#endif  // MLRT_SERVER_SCORING_ROUTES_HPP_
