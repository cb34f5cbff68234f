#ifndef MLRT_TRACKING_IMPORT_SOURCES_HPP_
#define MLRT_TRACKING_IMPORT_SOURCES_HPP_

// Internal: the sources that import_tracking reads, one function and file each.

#include <cstdint>
#include <string>
#include <vector>

#include "tracking/exchange.hpp"
#include "tracking/import_sink.hpp"

namespace mlrt {

// Each gives what is sound to `sink` and lists the rest; none changes the source. They throw what
// import_tracking states; the sink's finish() is the caller's.

// An MLflow database of any revision. Rows are read in the order of writing; nothing is held in
// memory but experiments, runs' ids, data sets and logged models' metrics.
void import_mlflow_database(ImportSink& sink, const std::string& path, ImportReport& report);

// An mlruns folder (MLflow's file store) with its registered models. Links are not followed.
void import_mlruns_folder(ImportSink& sink, const std::string& path);
bool looks_like_mlruns(const std::string& folder);

// Event files: each folder with some is one run, named after it below `root`.
void import_event_files(ImportSink& sink, const std::string& root,
                        const std::vector<std::string>& files, const ImportOptions& options);
bool is_event_file_name(const std::string& name);

// MLflow's number: 1 PENDING, 2 READY, 3 FAILED.
LoggedModelStatus logged_model_status_of_number(std::int64_t number);

}  // namespace mlrt

#endif  // MLRT_TRACKING_IMPORT_SOURCES_HPP_
