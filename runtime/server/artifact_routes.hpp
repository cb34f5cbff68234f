#ifndef MLRT_SERVER_ARTIFACT_ROUTES_HPP_
#define MLRT_SERVER_ARTIFACT_ROUTES_HPP_

#include <string>

#include "api/session.hpp"
#include "net/router.hpp"

namespace mlrt {

// Adds the routes that read and write artifacts, as MLflow's server has them:
//   /api/2.0/mlflow-artifacts/artifacts/<path>    GET, PUT, DELETE a file; and
//   /api/2.0/mlflow-artifacts/artifacts?path=     what lies in a folder, by base names
//   /api/2.0/mlflow-artifacts/{mpu,presigned}/... 501, at which clients fall back
//   /get-artifact, /model-versions/get-artifact   a file of a run, of a model version
//   /api/2.0/mlflow/artifacts/list                what lies in a folder of a run
//   /api/2.0/mlflow/logged-models/<id>/artifacts/directories   the same of a logged model
//   /ajax-api/2.0/mlflow/logged-models/<id>/artifacts/files    a file of a logged model
//   /ajax-api/2.0/mlflow/upload-artifact          POST a file of at most 10 MB
// those below /api/2.0 also below /ajax-api/2.0. Files are streamed both ways and take ranges; a
// PUT is written as ArtifactStore::begin_upload does it. Written and removed is only what lies in
// the artifact folder of a run or logged model that is active. A path that would lead out of it is
// 400 "Invalid path", what does not exist 404. `read_only` refuses writing (kPermissionDenied).
// Throws kInternal when the router has one of the routes already.
void add_artifact_routes(Router& router, const Session& session, bool read_only);

// The URI under which clients of the server find `folder`, an absolute path: for the artifact root
// `root` "mlflow-artifacts:/", below it "mlflow-artifacts:/1/<run id>/artifacts", else the path
// itself, which only clients on this machine can use.
std::string artifact_uri_of_folder(const std::string& root, const std::string& folder);

// The other way: the folder behind a URI "mlflow-artifacts:/path" or
// "mlflow-artifacts://host/path"; anything else as it is. Throws kInvalidParameter ("Invalid path")
// for a path that climbs.
std::string artifact_folder_of_uri(const std::string& root, const std::string& uri);

}  // namespace mlrt

#endif  // MLRT_SERVER_ARTIFACT_ROUTES_HPP_
