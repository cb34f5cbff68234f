#include "tracking/records.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr struct {
  RunStatus status;
  const char* name;
} kRunStatusNames[] = {{RunStatus::kRunning, "RUNNING"},
                       {RunStatus::kScheduled, "SCHEDULED"},
                       {RunStatus::kFinished, "FINISHED"},
                       {RunStatus::kFailed, "FAILED"},
                       {RunStatus::kKilled, "KILLED"}};

constexpr struct {
  LoggedModelStatus status;
  const char* name;
} kLoggedModelStatusNames[] = {{LoggedModelStatus::kPending, "PENDING"},
                               {LoggedModelStatus::kReady, "READY"},
                               {LoggedModelStatus::kFailed, "FAILED"}};

}  // namespace

const char* run_status_name(RunStatus status) {
  for (const auto& row : kRunStatusNames) {
    if (row.status == status) return row.name;
  }
  throw Error(ErrorCode::kInternal, "a run has a status that is none");
}

RunStatus parse_run_status(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& row : kRunStatusNames) {
    if (name == row.name) return row.status;
    known.push_back(row.name);
  }
  throw Error(ErrorCode::kInvalidParameter,
              "Invalid run status: " + quoted(name) + ". Valid values are: " + join(known, ", "));
}

const char* logged_model_status_name(LoggedModelStatus status) {
  for (const auto& row : kLoggedModelStatusNames) {
    if (row.status == status) return row.name;
  }
  throw Error(ErrorCode::kInternal, "a logged model has a status that is none");
}

LoggedModelStatus parse_logged_model_status(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& row : kLoggedModelStatusNames) {
    if (name == row.name) return row.status;
    known.push_back(row.name);
  }
  throw Error(ErrorCode::kInvalidParameter, "Invalid logged model status: " + quoted(name) +
                                                ". Valid values are: " + join(known, ", "));
}

}  // namespace mlrt
