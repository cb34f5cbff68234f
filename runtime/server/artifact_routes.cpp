#include "server/artifact_routes.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bundle/bundle.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "net/http_file.hpp"
#include "server/file_headers.hpp"
#include "server/rest_model_source.hpp"
#include "server/rest_writer.hpp"
#include "tracking/artifact_batch.hpp"
#include "tracking/artifact_upload.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr char kArtifactScheme[] = "mlflow-artifacts:";
constexpr std::size_t kArtifactSmallUploadBytes = std::size_t{10} << 20;
constexpr int kArtifactNotImplemented = 501;

// What the handlers share.
struct ArtifactContext {
  Session session;
  bool read_only;

  const std::string& root() const { return session.tracking().artifact_root(); }
};
using ArtifactContextPtr = std::shared_ptr<const ArtifactContext>;

// A file or folder of a run or logged model.
struct ServedArtifact {
  std::string owner;
  std::string path;  // below the owner's folder; "" is the folder
  std::string folder;

  std::string on_disk() const { return path.empty() ? folder : fs::join(folder, path); }
};

HttpResponse artifact_json_answer(std::string body) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

[[noreturn]] void artifact_refuse_absent(const std::string& path) {
  throw Error(ErrorCode::kNotFound, "No such artifact: " + quoted(path, 300));
}

void artifact_check_writable(const ArtifactContext& context) {
  if (context.read_only) {
    throw Error(ErrorCode::kPermissionDenied, "this server is read-only: it takes no artifacts");
  }
}

// True for what is on its way to become an artifact, or was when a process was killed.
bool artifact_is_unfinished(const std::string& path) {
  const std::vector<std::string> names = split(path, '/');
  return is_artifact_staging(names.front()) ||
         std::any_of(names.begin(), names.end(), fs::is_temporary_name);
}

// The folder of a run or logged model; none if there is no such one.
std::optional<std::string> artifact_owner_folder(const Session& session, const std::string& owner) {
  try {
    return session.artifacts().folder(owner);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kInvalidParameter) throw;
    return std::nullopt;
  }
}

// Links are followed nowhere: they could lead out of the folder.
ServedArtifact artifact_place_of(std::string owner, std::string folder, const std::string& path) {
  if (!path.empty()) check_artifact_path(path);
  if (fs::has_link(folder, path)) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid path " + quoted(path, 300) + ": a part of it is a symbolic link");
  }
  return {std::move(owner), path, std::move(folder)};
}

// What is read may be named as MLflow takes it: "a/", "a//b" and "./a" are "a", "a/b" and "a".
std::string artifact_read_path(const std::string& path) {
  if (starts_with(path, "/")) return path;  // which is refused
  std::vector<std::string> names = split(path, '/');
  const auto idle = [](const std::string& name) { return name.empty() || name == "."; };
  names.erase(std::remove_if(names.begin(), names.end(), idle), names.end());
  return join(names, "/");
}

// Whose the path below the artifact root is: "1/<run id>/artifacts/a/b". None if nobody's.
std::optional<ServedArtifact> artifact_find_place(const ArtifactContext& context,
                                                  const std::string& path) {
  check_artifact_path(path);
  const std::vector<std::string> names = split(path, '/');
  std::string prefix = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) {
    prefix += "/" + names[i];
    if (names[i] != "artifacts") continue;
    const auto folder = artifact_owner_folder(context.session, names[i - 1]);
    if (!folder || *folder != fs::join(context.root(), prefix)) continue;
    const std::string below = path.substr(std::min(path.size(), prefix.size() + 1));
    return artifact_place_of(names[i - 1], *folder, below);
  }
  return std::nullopt;
}

HttpResponse artifact_send_file(const HttpRequest& request, const std::string& file,
                                const std::string& name, std::string etag = {}) {
  HttpResponse response = http_file_response(request, file, guess_mime_type(name), std::move(etag));
  add_attachment_headers(response, name);
  return response;
}

HttpResponse artifact_send(const HttpRequest& request, const ArtifactContext& context,
                           const ServedArtifact& place) {
  const std::string file = place.on_disk();
  if (artifact_is_unfinished(place.path) || !fs::exists(file)) artifact_refuse_absent(place.path);
  if (!fs::is_file(file)) {
    throw Error(ErrorCode::kInvalidParameter,
                "Artifact path refers to a directory, not a file: " + quoted(place.path, 300));
  }
  std::string digest;
  if (!place.owner.empty()) digest = context.session.artifacts().sha256(place.owner, place.path);
  return artifact_send_file(request, file, place.path, std::move(digest));
}

// The registered models' bundles lie below the root too, "models/<sha256>.mlrt". To clients each is
// the folder of its files, for that is how they load a model. Empty if `path` leads into no bundle;
// else `inside` is what remains of it.
std::string artifact_bundle_at(const ArtifactContext& context, const std::string& path,
                               std::string& inside) {
  if (!starts_with(path, "models/")) return {};
  const std::size_t end = std::min(path.find('/', 7), path.size());
  const std::string name = path.substr(0, end);
  const std::string file = fs::join(context.root(), name);
  if (artifact_is_unfinished(name) || fs::has_link(context.root(), name) || !fs::is_file(file)) {
    return {};
  }
  inside = path.substr(std::min(end + 1, path.size()));
  return file;
}

// A bundle's files are small enough to be read whole, as they are to be scored.
HttpResponse artifact_send_bundled(const FileSet& bundle, const std::string& path) {
  if (!bundle.contains(path)) artifact_refuse_absent(path);
  HttpResponse response;
  response.content_type = guess_mime_type(path);
  response.body = std::string(bundle.read(path));
  add_attachment_headers(response, path);
  return response;
}

struct ArtifactEntry {
  std::string name;
  bool is_folder;
  std::uint64_t size_bytes;
};

// What lies directly in the folder; nothing for a file or what is not there.
std::vector<ArtifactEntry> artifact_entries(const ServedArtifact& place) {
  std::vector<ArtifactEntry> entries;
  const std::string folder = place.on_disk();
  if ((!place.path.empty() && artifact_is_unfinished(place.path)) || !fs::is_folder(folder)) {
    return entries;
  }
  for (const std::string& name : fs::list(folder)) {
    if (fs::is_temporary_name(name) || (place.path.empty() && is_artifact_staging(name))) continue;
    const std::string file = fs::join(folder, name);
    if (fs::has_link(folder, name)) continue;
    if (fs::is_folder(file)) {
      entries.push_back({name, true, 0});
    } else if (fs::is_file(file)) {
      entries.push_back({name, false, fs::file_size(file)});
    }
  }
  return entries;
}

// The same of a bundle.
std::vector<ArtifactEntry> artifact_bundled_entries(const FileSet& bundle,
                                                    const std::string& folder) {
  const std::string before = folder.empty() ? "" : folder + "/";
  std::vector<ArtifactEntry> entries;
  for (const std::string& path : bundle.names()) {  // sorted: those of a folder are together
    if (!starts_with(path, before)) continue;
    const std::string name =
        path.substr(before.size(), path.find('/', before.size()) - before.size());
    if (!entries.empty() && entries.back().name == name) continue;
    const bool is_folder = before.size() + name.size() < path.size();
    entries.push_back({name, is_folder, is_folder ? 0 : bundle.read(path).size()});
  }
  return entries;
}

// Without a root_uri by base names, else below `path` as the caller gave it. As MLflow's server,
// which leaves an empty list out.
HttpResponse artifact_list_answer(const std::vector<ArtifactEntry>& entries,
                                  const std::string& path, const std::string& root_uri) {
  std::string body;
  RestWriter out(body);
  out.open('{');
  if (!entries.empty()) {
    std::string before = root_uri.empty() ? "" : path;
    if (!before.empty() && before.back() != '/') before += '/';
    out.open("files", '[');
    for (const ArtifactEntry& entry : entries) {
      out.open('{');
      out.member("path", before + entry.name);
      out.name("is_dir");
      out.word(entry.is_folder ? "true" : "false");
      if (!entry.is_folder) out.member("file_size", static_cast<std::int64_t>(entry.size_bytes));
      out.close('}');
    }
    out.close(']');
  }
  if (!root_uri.empty()) out.member("root_uri", root_uri);
  out.close('}');
  return artifact_json_answer(std::move(body));
}

// ---- parameters of requests

std::string artifact_optional_query(const HttpRequest& request, const char* name) {
  const std::string* value = request.query_value(name);
  return value != nullptr ? *value : std::string();
}

std::string artifact_query(const HttpRequest& request, const char* name) {
  std::string value = artifact_optional_query(request, name);
  if (!value.empty()) return value;
  throw Error(ErrorCode::kInvalidParameter,
              "Missing value for required parameter '" + std::string(name) +
                  "'. See the API docs for more information about request parameters.");
}

ServedArtifact artifact_run_place(const HttpRequest& request, const ArtifactContext& context,
                                  const std::string& path) {
  std::string run_id = artifact_optional_query(request, "run_id");
  if (run_id.empty()) run_id = artifact_optional_query(request, "run_uuid");
  if (run_id.empty()) run_id = artifact_query(request, "run_id");
  std::string folder = context.session.tracking().artifact_folder(run_id);
  return artifact_place_of(std::move(run_id), std::move(folder), artifact_read_path(path));
}

ServedArtifact artifact_model_place(const ArtifactContext& context, const std::string& model_id,
                                    const std::string& path) {
  const LoggedModel model = context.session.logged_models().get(model_id);
  return artifact_place_of(model_id, model.artifact_folder, artifact_read_path(path));
}

// ---- handlers

// A body of any size, written while it comes.
class ArtifactPutSink final : public HttpBodySink {
 public:
  explicit ArtifactPutSink(std::unique_ptr<ArtifactUpload> upload) : upload_(std::move(upload)) {}

  void write(std::string_view bytes) override { upload_->write(bytes); }
  HttpResponse finish() override {
    upload_->commit();
    return artifact_json_answer("{}");
  }

 private:
  std::unique_ptr<ArtifactUpload> upload_;
};

// A place that nothing could be read from again, or that the system would refuse.
void artifact_check_new_place(const ServedArtifact& place) {
  if (artifact_is_unfinished(place.path)) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid path " + quoted(place.path, 300) +
                    ": names of this form are those of files that are being written");
  }
  for (std::size_t end = 0; end < place.path.size();) {
    end = std::min(place.path.find('/', end + 1), place.path.size());
    const std::string part = place.path.substr(0, end);
    const std::string on_disk = fs::join(place.folder, part);
    const bool is_file = fs::is_file(on_disk);
    const bool is_whole = end == place.path.size();
    if (is_file ? is_whole : fs::is_folder(on_disk) || !fs::exists(on_disk)) continue;
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid path " + quoted(place.path, 300) + ": " + quoted(part, 300) +
                    (is_file ? " is a file" : " is neither a file nor a folder"));
  }
}

[[noreturn]] void artifact_refuse_foreign(const std::string& path) {
  const bool known_form = path.find("/artifacts/") != std::string::npos;
  throw Error(known_form ? ErrorCode::kNotFound : ErrorCode::kInvalidParameter,
              quoted(path, 300) +
                  " is not in the artifact folder of a run or logged model of this server: "
                  "<experiment id>/<run id>/artifacts/... or <experiment "
                  "id>/models/<model id>/artifacts/...");
}

std::unique_ptr<HttpBodySink> artifact_begin_put(const ArtifactContext& context,
                                                 const std::string& path) {
  artifact_check_writable(context);
  const auto place = artifact_find_place(context, path);
  if (!place) artifact_refuse_foreign(path);
  artifact_check_new_place(*place);
  return std::make_unique<ArtifactPutSink>(
      context.session.artifacts().begin_upload(place->owner, place->path));
}

HttpResponse artifact_get(const HttpRequest& request, const ArtifactContext& context,
                          const std::string& given) {
  const std::string path = artifact_read_path(given);
  if (const auto place = artifact_find_place(context, path)) {
    return artifact_send(request, context, *place);
  }
  std::string inside;
  const std::string bundle = artifact_bundle_at(context, path, inside);
  if (bundle.empty()) artifact_refuse_absent(path);
  return inside.empty() ? artifact_send_file(request, bundle, path)
                        : artifact_send_bundled(*open_model_files(bundle), inside);
}

HttpResponse artifact_list_below_root(const HttpRequest& request, const ArtifactContext& context) {
  const std::string path = artifact_read_path(artifact_optional_query(request, "path"));
  if (path.empty()) return artifact_json_answer("{}");
  if (const auto place = artifact_find_place(context, path)) {
    return artifact_list_answer(artifact_entries(*place), "", "");
  }
  std::string inside;
  const std::string bundle = artifact_bundle_at(context, path, inside);
  if (bundle.empty()) return artifact_json_answer("{}");
  return artifact_list_answer(artifact_bundled_entries(*open_model_files(bundle), inside), "", "");
}

HttpResponse artifact_delete(const ArtifactContext& context, const std::string& path) {
  artifact_check_writable(context);
  const auto place = artifact_find_place(context, path);
  if (!place) artifact_refuse_foreign(path);
  // Fine if it is not there, as in MLflow.
  if (fs::exists(place->on_disk())) {
    std::vector<std::string> paths = {place->path};
    if (place->path.empty()) {
      paths.clear();
      for (ArtifactEntry& entry : artifact_entries(*place)) paths.push_back(std::move(entry.name));
    }
    for (const std::string& one : paths) context.session.artifacts().remove(place->owner, one);
  }
  return artifact_json_answer("{}");
}

HttpResponse artifact_not_implemented(const char* what) {
  HttpResponse response = artifact_json_answer(
      "{\"error_code\":\"NOT_IMPLEMENTED\",\"message\":\"" + std::string(what) +
      " is not supported for the current artifact repository\"}");
  response.status = kArtifactNotImplemented;
  return response;
}

// A file of a model version, wherever its files are.
HttpResponse artifact_get_of_version(const HttpRequest& request, const ArtifactContext& context) {
  const std::string name = artifact_query(request, "name");
  const std::string number = artifact_query(request, "version");
  const std::string path = artifact_read_path(artifact_query(request, "path"));
  check_artifact_path(path);
  long long version = 0;
  if (!parse_int64(number, version) || version < 1) {
    throw Error(ErrorCode::kInvalidParameter,
                "Model version must be an integer, got " + quoted(number));
  }
  const std::string source = context.session.registry().download_uri(name, version);
  const std::string folder = starts_with(source, kArtifactScheme)
                                 ? artifact_folder_of_uri(context.root(), source)
                                 : served_model_path(context.session, name, version);
  // A source is what a client said: it must not open the whole disk.
  if (starts_with(source, "/") && !starts_with(folder, context.root() + "/")) {
    throw Error(ErrorCode::kPermissionDenied,
                "the files of version " + number + " of " + quoted(name) +
                    " lie outside of the folder that this server serves");
  }
  if (!fs::is_file(folder))
    return artifact_send(request, context, artifact_place_of("", folder, path));
  return artifact_send_bundled(*open_model_files(folder), path);
}

HttpResponse artifact_small_upload(const HttpRequest& request, const ArtifactContext& context) {
  artifact_check_writable(context);
  const std::string run_id = artifact_optional_query(request, "run_uuid");
  const std::string path = artifact_optional_query(request, "path");
  const char* missing = nullptr;
  if (run_id.empty()) {
    missing = "Request must specify run_uuid.";
  } else if (path.empty()) {
    missing = "Request must specify path.";
  } else {
    check_artifact_path(path);
    if (request.body.empty()) missing = "Request must specify data.";
    if (request.body.size() > kArtifactSmallUploadBytes)
      missing = "Artifact size is too large. Max size is 10MB.";
  }
  if (missing != nullptr) throw Error(ErrorCode::kInvalidParameter, missing);
  artifact_check_new_place(
      artifact_place_of(run_id, context.session.tracking().artifact_folder(run_id), path));
  context.session.artifacts().log_bytes(run_id, request.body, path);
  HttpResponse response;
  response.content_type = "application/json";
  return response;
}

// ---- the routes

struct ArtifactCall {
  const ArtifactContext& context;
  const HttpRequest& request;
  const PathParams& params;
};

HttpResponse artifact_on_list_below_root(const ArtifactCall& call) {
  return artifact_list_below_root(call.request, call.context);
}

HttpResponse artifact_on_get(const ArtifactCall& call) {
  const std::string& path = call.params.at("path");
  return path.empty() ? artifact_list_below_root(call.request, call.context)
                      : artifact_get(call.request, call.context, path);
}

HttpResponse artifact_on_delete(const ArtifactCall& call) {
  return artifact_delete(call.context, call.params.at("path"));
}

HttpResponse artifact_on_multipart_upload(const ArtifactCall&) {
  return artifact_not_implemented("Multipart upload");
}

HttpResponse artifact_on_multipart_download(const ArtifactCall&) {
  return artifact_not_implemented("Multipart download");
}

HttpResponse artifact_list_with_root(const ArtifactContext& context, const ServedArtifact& place,
                                     const std::string& path) {
  return artifact_list_answer(artifact_entries(place), path,
                              artifact_uri_of_folder(context.root(), place.folder));
}

HttpResponse artifact_on_list_of_run(const ArtifactCall& call) {
  const std::string path = artifact_optional_query(call.request, "path");
  return artifact_list_with_root(call.context, artifact_run_place(call.request, call.context, path),
                                 path);
}

HttpResponse artifact_on_list_of_model(const ArtifactCall& call) {
  const std::string path = artifact_optional_query(call.request, "artifact_directory_path");
  return artifact_list_with_root(
      call.context, artifact_model_place(call.context, call.params.at("model_id"), path), path);
}

HttpResponse artifact_on_get_of_model(const ArtifactCall& call) {
  const std::string path = artifact_query(call.request, "artifact_file_path");
  return artifact_send(call.request, call.context,
                       artifact_model_place(call.context, call.params.at("model_id"), path));
}

HttpResponse artifact_on_get_of_run(const ArtifactCall& call) {
  const std::string path = artifact_query(call.request, "path");
  return artifact_send(call.request, call.context,
                       artifact_run_place(call.request, call.context, path));
}

HttpResponse artifact_on_get_of_version(const ArtifactCall& call) {
  return artifact_get_of_version(call.request, call.context);
}

HttpResponse artifact_on_small_upload(const ArtifactCall& call) {
  return artifact_small_upload(call.request, call.context);
}

struct ArtifactRoute {
  const char* method;
  const char* pattern;
  HttpResponse (*handler)(const ArtifactCall& call);
};

// Below /api/2.0 and /ajax-api/2.0.
constexpr ArtifactRoute kArtifactApiRoutes[] = {
    {"GET", "/mlflow-artifacts/artifacts", artifact_on_list_below_root},
    {"GET", "/mlflow-artifacts/artifacts/{path*}", artifact_on_get},
    {"DELETE", "/mlflow-artifacts/artifacts/{path*}", artifact_on_delete},
    {"POST", "/mlflow-artifacts/mpu/create/{path*}", artifact_on_multipart_upload},
    {"POST", "/mlflow-artifacts/mpu/complete/{path*}", artifact_on_multipart_upload},
    {"POST", "/mlflow-artifacts/mpu/abort/{path*}", artifact_on_multipart_upload},
    {"GET", "/mlflow-artifacts/presigned/{path*}", artifact_on_multipart_download},
    {"GET", "/mlflow/artifacts/list", artifact_on_list_of_run},
    {"GET", "/mlflow/logged-models/{model_id}/artifacts/directories", artifact_on_list_of_model},
};

constexpr ArtifactRoute kArtifactOtherRoutes[] = {
    {"GET", "/get-artifact", artifact_on_get_of_run},
    {"GET", "/model-versions/get-artifact", artifact_on_get_of_version},
    {"GET", "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
     artifact_on_get_of_model},
    {"POST", "/ajax-api/2.0/mlflow/upload-artifact", artifact_on_small_upload},
};

void artifact_add_route(Router& router, const ArtifactContextPtr& context,
                        const std::string& prefix, const ArtifactRoute& route) {
  router.add(
      route.method, prefix + route.pattern,
      [context, handler = route.handler](const HttpRequest& request, const PathParams& params) {
        return handler({*context, request, params});
      });
}

}  // namespace

void add_artifact_routes(Router& router, const Session& session, bool read_only) {
  const auto context = std::make_shared<const ArtifactContext>(ArtifactContext{session, read_only});
  for (const char* prefix : {"/api/2.0", "/ajax-api/2.0"}) {
    for (const ArtifactRoute& route : kArtifactApiRoutes) {
      artifact_add_route(router, context, prefix, route);
    }
    router.add_upload("PUT", std::string(prefix) + "/mlflow-artifacts/artifacts/{path*}",
                      [context](const HttpRequest&, const PathParams& params) {
                        return artifact_begin_put(*context, params.at("path"));
                      });
  }
  for (const ArtifactRoute& route : kArtifactOtherRoutes) {
    artifact_add_route(router, context, "", route);
  }
}

std::string artifact_uri_of_folder(const std::string& root, const std::string& folder) {
  if (folder == root) return std::string(kArtifactScheme) + "/";
  if (folder.size() <= root.size() + 1 || !starts_with(folder, root) || folder[root.size()] != '/')
    return folder;
  return kArtifactScheme + folder.substr(root.size());
}

std::string artifact_folder_of_uri(const std::string& root, const std::string& uri) {
  if (!starts_with(uri, kArtifactScheme)) return uri;
  std::string path = uri.substr(sizeof(kArtifactScheme) - 1);
  // "//host:port/path"
  if (starts_with(path, "//")) path.erase(0, std::min(path.find('/', 2), path.size()));
  path.erase(0, path.find_first_not_of('/') == std::string::npos ? path.size()
                                                                 : path.find_first_not_of('/'));
  while (!path.empty() && path.back() == '/') path.pop_back();
  if (path.empty()) return root;
  check_artifact_path(path);
  return fs::join(root, path);
}

}  // namespace mlrt
