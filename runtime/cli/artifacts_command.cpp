#include "cli/artifacts_command.hpp"

#include <vector>

#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::string_view kRunsScheme = "runs:/";

struct ArtifactPlace {
  std::string owner;
  std::string path;
};

ArtifactPlace find_artifact_place(const TrackingStore& store, const ArtifactsOptions& options) {
  if (!starts_with(options.owner, kRunsScheme))
    return {find_artifact_owner(store, options.owner), options.path};
  if (!options.path.empty()) {
    throw Error(ErrorCode::kUsage, "the path stands in " + quoted(options.owner) +
                                       " already, but " + quoted(options.path) + " follows");
  }
  const std::string rest = options.owner.substr(kRunsScheme.size());
  const std::size_t slash = rest.find('/');
  return {find_artifact_owner(store, rest.substr(0, slash)),
          slash == std::string::npos ? "" : rest.substr(slash + 1)};
}

OrderedJson artifact_json(const ArtifactInfo& file) {
  OrderedJson item;
  item["path"] = file.path;
  item["is_dir"] = file.is_folder;
  item["file_size"] = file.is_folder ? OrderedJson() : OrderedJson(file.size_bytes);
  item["sha256"] = file.sha256.empty() ? OrderedJson() : OrderedJson(file.sha256);
  return item;
}

}  // namespace

void run_artifacts_log(const GlobalOptions& global, const ArtifactsOptions& options) {
  const Session session = open_store(global);
  const ArtifactPlace place = find_artifact_place(session.tracking(), options);
  const bool folder = fs::is_folder(options.local);
  if (folder) {
    session.artifacts().log_folder(place.owner, options.local, place.path);
  } else {
    session.artifacts().log_file(place.owner, options.local, place.path);
  }
  print_out("logged " + std::string(folder ? "folder " : "file ") + quoted(options.local, 400) +
            " to " + place.owner + "\n");
}

void run_artifacts_list(const GlobalOptions& global, const ArtifactsOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  const ArtifactPlace place = find_artifact_place(session.tracking(), options);
  TextTable table({{"PATH"}, {"SIZE", TextTable::Align::kRight}, {"SHA-256"}});
  OrderedJson list = OrderedJson::array();
  for (const ArtifactInfo& file :
       session.artifacts().list(place.owner, place.path, options.recursive)) {
    table.add({file.path + (file.is_folder ? "/" : ""),
               file.is_folder ? std::string() : size_text(file.size_bytes), file.sha256});
    list.push_back(artifact_json(file));
  }
  print_listing(form, table, artifact_json(ArtifactInfo()), list,
                place.path.empty() ? "no artifacts" : "no artifacts in " + quoted(place.path, 400));
}

void run_artifacts_download(const GlobalOptions& global, const ArtifactsOptions& options) {
  const Session session = open_store(global);
  const ArtifactPlace place = find_artifact_place(session.tracking(), options);
  print_out(session.artifacts().download(place.owner, place.path,
                                         options.local.empty() ? "." : options.local) +
            "\n");
}

}  // namespace mlrt
