#include <iterator>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"
#include "tracking/search_parser.hpp"

namespace mlrt {
namespace {

constexpr RestField kRestRunId[] = {{"run_id", RestType::kText, true}};

constexpr RunStatus kRestRunStatuses[] = {RunStatus::kRunning, RunStatus::kScheduled,
                                          RunStatus::kFinished, RunStatus::kFailed,
                                          RunStatus::kKilled};
constexpr const char* kRestRunStatusNames[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED",
                                               "KILLED"};

void rest_create_run(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"experiment_id", RestType::kText}, {"start_time", RestType::kInteger},
      {"run_name", RestType::kText},      {"user_id", RestType::kText},
      {"tags", RestType::kObjects},
  };
  call.request.check(kFields);
  TrackingStore::NewRun run;
  // A request without an experiment is for the default one.
  if (call.request.has("experiment_id")) run.experiment_id = call.request.text("experiment_id");
  run.name = call.request.text("run_name");
  run.user = call.request.text("user_id");
  run.start_time_ms = call.request.integer("start_time");
  run.tags = call.request.tags("tags");
  const RunRecord record = call.tracking().create_run(run);
  call.out.name("run");
  rest_write_run(call.out, call.context, record);
}

void rest_get_run(RestCall& call) {
  call.request.check(kRestRunId);
  const RunRecord record = call.tracking().run(call.request.text("run_id"));
  call.out.name("run");
  rest_write_run(call.out, call.context, record);
}

void rest_update_run(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"run_id", RestType::kText, true},
      {"end_time", RestType::kInteger},
      {"status", RestType::kChoice},
      {"run_name", RestType::kText},
  };
  call.request.check(kFields);
  TrackingStore::RunUpdate update;
  const int status = call.request.choice("status", kRestRunStatusNames, 5);
  if (status >= 0) update.status = kRestRunStatuses[status];
  update.end_time_ms = call.request.integer("end_time");
  if (call.request.has("run_name")) update.name = call.request.text("run_name");
  const RunRecord record = call.tracking().update_run(call.request.text("run_id"), update);
  call.out.name("run_info");
  rest_write_run_info(call.out, call.context, record);
  const bool ended = update.status && *update.status != RunStatus::kRunning &&
                     *update.status != RunStatus::kScheduled;
  if (ended && call.context.on_run_end) call.context.on_run_end(record);
}

void rest_delete_run(RestCall& call) {
  call.request.check(kRestRunId);
  call.tracking().delete_run(call.request.text("run_id"));
}

void rest_restore_run(RestCall& call) {
  call.request.check(kRestRunId);
  call.tracking().restore_run(call.request.text("run_id"));
}

void rest_search_runs(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"experiment_ids", RestType::kTexts},
      {"filter", RestType::kText},
      {"max_results", RestType::kInteger, false, 50000},
      {"order_by", RestType::kTexts},
      {"run_view_type", RestType::kChoice},
      {"page_token", RestType::kText},
  };
  call.request.check(kFields);
  SearchQuery query = rest_search_query(call.request, 1000);
  query.view = rest_view_type(call.request, "run_view_type");
  // As the answers have it: "mlflow-artifacts:/".
  query.artifact_uri =
      rest_artifact_uri(call.context, fs::join(call.tracking().artifact_root(), "x"));
  query.artifact_uri.pop_back();
  const std::vector<std::string> experiments = call.request.texts("experiment_ids");
  if (experiments.empty()) {
    // To MLflow no experiments are no runs; to the store they are all.
    parse_search_filter(SearchTarget::kRuns, query.filter);
    return;
  }
  const SearchPage<RunRecord> page = call.tracking().search_runs(experiments, query);
  if (!page.items.empty()) {
    call.out.open("runs", '[');
    for (const RunRecord& run : page.items) rest_write_run(call.out, call.context, run);
    call.out.close(']');
  }
  call.out.optional("next_page_token", page.next_page_token);
}

constexpr RestRoute kRestRunRoutes[] = {
    {"POST", "/runs/create", rest_create_run, true},
    {"GET", "/runs/get", rest_get_run, false},
    {"POST", "/runs/update", rest_update_run, true},
    {"POST", "/runs/delete", rest_delete_run, true},
    {"POST", "/runs/restore", rest_restore_run, true},
    {"POST", "/runs/search", rest_search_runs, false},
};

}  // namespace

void add_run_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestRunRoutes, std::size(kRestRunRoutes));
}

}  // namespace mlrt
