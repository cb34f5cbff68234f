#include "server/rest_model_source.hpp"

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "registry/model_uri.hpp"
#include "registry/registry_rows.hpp"
#include "server/rest_records.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

[[noreturn]] void rest_refuse_source(const std::string& source, const std::string& why) {
  throw Error(ErrorCode::kInvalidParameter,
              "Invalid model version source: '" + source.substr(0, 1000) + "'. " + why);
}

[[noreturn]] void rest_refuse_container(const std::string& source, const char* id_name) {
  rest_refuse_source(source, std::string("The ") + id_name +
                                 " request parameter must identify the resource that contains the "
                                 "source.");
}

// "s3" of "s3://bucket"; "" of a path.
std::string rest_source_scheme(const std::string& source) {
  const std::size_t colon = source.find(':');
  if (colon == std::string::npos || colon < 2) return {};
  for (std::size_t i = 0; i < colon; ++i) {
    const char c = source[i];
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
    if (!fine) return {};
  }
  return to_lower(std::string_view(source).substr(0, colon));
}

// Refuses a source with a ".." in it, however often it is percent-encoded.
void rest_check_no_climbing(const std::string& source) {
  std::string decoded = source;
  bool climbs = false;
  for (int round = 0; round < 10; ++round) {
    for (const std::string& part : split(decoded, '/')) climbs = climbs || part == "..";
    climbs = climbs || decoded.find('\0') != std::string::npos;
    std::string next;
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      const auto digit = [&](std::size_t at) -> int {
        static const std::string_view kDigits = "0123456789abcdef";
        if (at >= decoded.size()) return -1;
        const char lower = decoded[at] >= 'A' && decoded[at] <= 'F'
                               ? static_cast<char>(decoded[at] + ('a' - 'A'))
                               : decoded[at];
        const std::size_t found = kDigits.find(lower);
        return found == std::string_view::npos ? -1 : static_cast<int>(found);
      };
      if (decoded[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
        next += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
        i += 2;
      } else {
        next += decoded[i];
      }
    }
    if (next == decoded) break;
    // What is still encoded after ten rounds hides something.
    climbs = climbs || round == 9;
    decoded = std::move(next);
  }
  if (!climbs) return;
  rest_refuse_source(source,
                     "If supplying a source as an http, https, local file path, ftp, objectstore, "
                     "or mlflow-artifacts uri, an absolute path must be provided without relative "
                     "path references present. Please provide an absolute path.");
}

// Whether `source` is `root` or below it.
bool rest_is_below(const std::string& source, const std::string& root) {
  return !root.empty() && starts_with(source, root) &&
         (source.size() == root.size() || source[root.size()] == '/');
}

// The folder of the run or logged model that the source must lie in; "" if it is not there.
std::string rest_container_folder(const RestContext& context, const RestModelSource& source) {
  try {
    if (source.model_id && !source.model_id->empty()) {
      return context.session.logged_models().get(*source.model_id).artifact_folder;
    }
    if (source.run_id && !source.run_id->empty()) {
      return context.session.tracking().artifact_folder(*source.run_id);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
  }
  return {};
}

void rest_check_local_source(const RestContext& context, const RestModelSource& given,
                             const char* id_name) {
  std::string path = given.source;
  if (starts_with(path, "file://")) {
    path.erase(0, 7);
  } else if (starts_with(path, "file:")) {
    path.erase(0, 5);
  }
  rest_check_no_climbing(path);
  if (path.find('%') == std::string::npos &&
      rest_is_below(path, rest_container_folder(context, given))) {
    return;
  }
  rest_refuse_source(path, std::string("To use a local path as a model version source, the ") +
                               id_name +
                               " request parameter has to be specified and the local path has to "
                               "be contained within the artifact directory of the run specified "
                               "by the " +
                               id_name + ".");
}

// A version or alias of a registered model as the source of another one.
std::string rest_registered_source(const RestContext& context, const RestModelSource& given) {
  const ModelVersion version = context.session.registry().version_by_uri(given.source);
  if ((given.run_id && *given.run_id != version.run_id) ||
      (given.model_id && *given.model_id != version.model_id)) {
    rest_refuse_source(given.source,
                       "The run_id and model_id request parameters must match the referenced "
                       "model version.");
  }
  return "models:/" + version.name + "/" + std::to_string(version.version);
}

}  // namespace

std::string check_rest_model_source(const RestContext& context, const RestModelSource& given) {
  const std::string& source = given.source;
  const bool of_model = given.model_id && !given.model_id->empty();
  const char* id_name = of_model ? "model_id" : "run_id";
  const std::string scheme = rest_source_scheme(source);
  if (scheme.empty() || scheme == "file") {
    rest_check_local_source(context, given, id_name);
    return source;
  }
  for (const char* remote : {"http", "https", "ftp", "sftp", "hdfs", "viewfs"}) {
    if (scheme != remote) continue;
    throw Error(ErrorCode::kInvalidParameter,
                "'source' cannot use the '" + scheme + "' scheme: the '" + scheme +
                    "' scheme addresses a host other than the tracking server's configured "
                    "artifact storage, so the server would connect to the host named in the URI.");
  }
  rest_check_no_climbing(source);
  if (scheme == "models") {
    ModelUri uri;
    try {
      uri = parse_model_uri(source);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidParameter) throw;
      rest_refuse_container(source, "model_id");
    }
    if (uri.model_id.empty()) return rest_registered_source(context, given);
    if (!of_model || *given.model_id != uri.model_id) rest_refuse_container(source, "model_id");
    return source;
  }
  if (scheme == "runs") {
    const std::string run = given.run_id.value_or("");
    const bool same = !of_model && !run.empty() && rest_is_below(source, "runs:/" + run);
    if (!same) rest_refuse_container(source, id_name);
    return source;
  }
  if (scheme == "mlflow-artifacts") {
    const std::string folder = rest_container_folder(context, given);
    if (folder.empty() || !rest_is_below(source, rest_artifact_uri(context, folder))) {
      rest_refuse_container(source, id_name);
    }
  }
  return source;
}

std::string served_model_path(const Session& session, const std::string& name,
                              std::int64_t version) {
  const std::string& root = session.tracking().artifact_root();
  const std::string path = session.resolve_model("models:/" + name + "/" + std::to_string(version));
  if (rest_is_below(path, root)) return path;
  const std::string copy = fs::join(registry_models_folder(root), fs::basename(path));
  if (ends_with(copy, ".mlrt") && fs::is_file(copy)) return copy;
  const std::string real_root = fs::real_path(root), real = fs::real_path(path);
  return rest_is_below(real, real_root) ? root + real.substr(real_root.size()) : path;
}

}  // namespace mlrt
