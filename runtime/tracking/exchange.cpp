#include "tracking/exchange.hpp"

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "tracking/import_sink.hpp"
#include "tracking/import_sources.hpp"
#include "tracking/tfevents.hpp"

namespace mlrt {
namespace {

// The first bytes of a file.
std::string exchange_head(const std::string& path) {
  if (fs::file_size(path) == 0) return std::string();
  const fs::MappedFile file(path);
  return std::string(file.bytes().substr(0, 16));
}

std::vector<std::string> exchange_event_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const std::string& path : fs::list_files_below(folder)) {
    if (is_event_file_name(fs::basename(path))) files.push_back(fs::join(folder, path));
  }
  return files;
}

[[noreturn]] void exchange_refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kInvalidParameter,
              quoted(path, 300) + " " + what +
                  "; what can be imported is an MLflow database (SQLite), an mlruns folder, or "
                  "TensorBoard event files");
}

}  // namespace

ImportReport import_tracking(TrackingStore& store, const std::shared_ptr<Database>& database,
                             const std::string& given_path, const ImportOptions& options) {
  std::string path = given_path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (!fs::exists(path)) {
    throw Error(ErrorCode::kNotFound, "cannot import " + quoted(path, 300) + ": no such file");
  }
  ImportReport report;
  ImportSink sink(database, store.artifact_root(), options, report);
  if (fs::is_file(path)) {
    const std::string head = exchange_head(path);
    if (head == std::string("SQLite format 3\0", 16)) {
      import_mlflow_database(sink, path, report);
    } else if (looks_like_tfevents(head) || is_event_file_name(fs::basename(path))) {
      import_event_files(sink, fs::parent(path), {path}, options);
    } else {
      exchange_refuse(path, head.empty() ? "is empty" : "is no file that is known here");
    }
  } else if (fs::is_folder(path)) {
    if (looks_like_mlruns(path)) {
      import_mlruns_folder(sink, path);
    } else {
      const std::vector<std::string> files = exchange_event_files(path);
      if (files.empty()) exchange_refuse(path, "holds neither runs nor event files");
      import_event_files(sink, path, files, options);
    }
  } else {
    exchange_refuse(path, "is neither a file nor a folder");
  }
  sink.finish();
  return report;
}

}  // namespace mlrt
