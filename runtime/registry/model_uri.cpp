#include "registry/model_uri.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "registry/registry_records.hpp"
#include "tracking/logged_model_rows.hpp"

namespace mlrt {
namespace {

constexpr std::string_view kModelUriPrefix = "models:/";

}  // namespace

bool is_models_uri(const std::string& uri) { return starts_with(uri, kModelUriPrefix); }

ModelUri parse_model_uri(const std::string& uri) {
  ModelUri found;
  bool good = is_models_uri(uri);
  const std::string rest = good ? uri.substr(kModelUriPrefix.size()) : std::string();
  const std::size_t slash = rest.find('/');
  if (is_logged_model_id(rest)) {
    found.model_id = rest;
  } else if (slash != std::string::npos) {
    found.name = rest.substr(0, slash);
    const std::string which = rest.substr(slash + 1);
    long long number = 0;
    if (to_lower(which) == "latest") {
      found.latest = true;
    } else if (is_stage(which)) {
      found.stage = canonical_stage(which);
    } else if (which[0] != '+' && parse_int64(which, number) && number >= 1) {
      found.version = number;
    } else {
      good = false;
    }
    good = good && !found.name.empty();
  } else {
    const std::size_t at = rest.rfind('@');
    good = good && at != std::string::npos && at != 0 && at + 1 != rest.size();
    if (good) {
      found.name = rest.substr(0, at);
      found.alias = rest.substr(at + 1);
    }
  }
  if (good) return found;
  throw Error(ErrorCode::kInvalidParameter,
              quoted(uri, 300) +
                  " names no model: it must be models:/<name>/<version>, models:/<name>/latest, "
                  "models:/<name>/<stage>, models:/<name>@<alias> or models:/m-<id>");
}

}  // namespace mlrt
