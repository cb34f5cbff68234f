#include "tracking/rules.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kMaxKeyLength = 250;
constexpr std::size_t kMaxParamValueLength = 6000;
constexpr std::size_t kMaxTagValueLength = 8000;
constexpr std::size_t kMaxExperimentTagValueLength = 5000;
constexpr std::size_t kMaxRegistryTagValueLength = 100000;
constexpr std::size_t kMaxInputTagKeyLength = 255;
constexpr std::size_t kMaxInputTagValueLength = 500;
constexpr std::size_t kMaxLocationLength = 2048;
constexpr std::size_t kMaxRunNameLength = 250;
constexpr std::size_t kMaxExperimentNameLength = 500;
constexpr std::size_t kMaxAliasLength = 255;
constexpr std::size_t kMaxModelNameBytes = 500;

[[noreturn]] void rules_refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidParameter, message);
}

// As MLflow shows a value: as JSON, ASCII only. Cut, so that a message stays a message.
std::string rules_json_quoted(std::string_view text) {
  std::string cut(text.substr(0, 1000));
  return Json(cut).dump(-1, ' ', true, Json::error_handler_t::replace);
}

[[noreturn]] void rules_invalid_value(std::string_view path, std::string_view value,
                                      const std::string& why) {
  rules_refuse("Invalid value " + rules_json_quoted(value) + " for parameter '" +
               std::string(path) + "' supplied" + (why.empty() ? "." : ": " + why));
}

std::string rules_child_path(const std::string& path, const char* member) {
  return path.empty() ? std::string(member) : path + "." + member;
}

// Characters of valid UTF-8: all bytes but continuations begin one.
std::size_t rules_length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string rules_first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) continue;
    if (count-- == 0) break;
  }
  return std::string(text.substr(0, end));
}

void rules_check_utf8(std::string_view text, const std::string& entity) {
  if (!is_utf8(text)) rules_refuse("'" + entity + "' is not valid UTF-8: " + quoted(text));
}

void rules_check_length(std::string_view text, std::size_t limit, const std::string& entity) {
  if (text.size() > limit && rules_length(text) > limit) {
    rules_refuse("'" + entity + "' exceeds the maximum length of " + std::to_string(limit) +
                 " characters");
  }
}

std::string rules_cut(const std::string& text, std::size_t limit, const std::string& entity) {
  if (text.size() <= limit) return text;
  const std::size_t length = rules_length(text);
  if (length <= limit) return text;
  log_warn(entity + " " + quoted(text, 100) + " (" + std::to_string(length) +
           " characters) is truncated to " + std::to_string(limit) +
           " characters to meet the length limit");
  return rules_first_characters(text, limit);
}

// Beyond ASCII, the ranges that hold no letter, digit or mark: controls, punctuation, symbols,
// private use. It takes a block as a whole where nearly all of it is such.
constexpr char32_t kNonWordRanges[][2] = {
    {0x80, 0xa9},       {0xab, 0xb1},       {0xb4, 0xb4},     {0xb6, 0xb8},     {0xbb, 0xbb},
    {0xbf, 0xbf},       {0xd7, 0xd7},       {0xf7, 0xf7},     {0x2000, 0x206f}, {0x20a0, 0x20cf},
    {0x2190, 0x245f},   {0x2500, 0x2775},   {0x2794, 0x2bff}, {0x3000, 0x3004}, {0x3008, 0x3020},
    {0x3030, 0x3030},   {0xd800, 0xf8ff},   {0xfe10, 0xfe1f}, {0xfe30, 0xfe6f}, {0xff01, 0xff0f},
    {0xff1a, 0xff20},   {0xff3b, 0xff40},   {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1f000, 0x1f0ff},
    {0x1f110, 0x1fbef}, {0xe0000, 0x10ffff}};

char32_t rules_next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at++);
  if (lead < 0x80) return lead;
  int more = lead >= 0xf0 ? 3 : (lead >= 0xe0 ? 2 : 1);
  char32_t character = lead & (0x3f >> more);
  while (more-- > 0 && at < text.size()) character = (character << 6) | (byte(at++) & 0x3f);
  return character;
}

bool rules_is_word(char32_t c) {
  if (c < 0x80)
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return std::none_of(std::begin(kNonWordRanges), std::end(kNonWordRanges),
                      [c](const auto& range) { return c >= range[0] && c <= range[1]; });
}

bool rules_all_characters(std::string_view text, std::string_view extra) {
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = rules_next_character(text, at);
    if (!rules_is_word(c) &&
        (c >= 0x80 || extra.find(static_cast<char>(c)) == std::string_view::npos))
      return false;
  }
  return true;
}

bool rules_ascii_word(std::string_view text, std::string_view extra) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && (rules_is_word(byte) || extra.find(c) != std::string_view::npos);
  });
}

bool rules_is_id(const std::string& id) {
  return !id.empty() && id.size() <= 256 && rules_ascii_word(id, "-") && id[0] != '_' &&
         id[0] != '-';
}

// What POSIX makes of a path without asking the file system.
std::string rules_normal_path(std::string_view path) {
  std::string root = starts_with(path, "/") ? "/" : "";
  if (starts_with(path, "//") && !starts_with(path, "///")) root = "//";
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (!parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (root.empty()) {
      parts.push_back(std::move(part));
    }
  }
  std::string normal = root + join(parts, "/");
  return normal.empty() ? "." : normal;
}

void rules_check_path_like(const std::string& name, const std::string& path) {
  const std::string normal = rules_normal_path(name);
  if (normal == name && normal != "." && !starts_with(normal, "..") && !starts_with(normal, "/"))
    return;
  rules_invalid_value(
      path, name,
      "Names may be treated as files in certain cases, and must not resolve to other names when "
      "treated as such. This name would resolve to '" +
          std::string(rules_first_characters(normal, 300)) + "'");
}

// A short name without dots and slashes, of nothing else: what most metrics have and are. No rule
// can refuse it.
bool rules_is_plain_metric(const Metric& metric) {
  return !metric.key.empty() && metric.key.size() <= kMaxKeyLength &&
         rules_ascii_word(metric.key, "- :") && metric.timestamp_ms >= 0 &&
         metric.model_id.empty() && metric.dataset_name.empty() && metric.dataset_digest.empty();
}

void rules_check_batch_limit(const char* entity, std::size_t limit, std::size_t count) {
  if (count <= limit) return;
  rules_refuse("A batch logging request can contain at most " + std::to_string(limit) + " " +
               entity + ". Got " + std::to_string(count) + " " + entity + ". Please split up " +
               entity + " across multiple requests and try again.");
}

// "dbfs:/x", but no path, no "c:/x" and no "file:/x".
bool rules_has_scheme(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon < 2 || (uri[0] >= '0' && uri[0] <= '9'))
    return false;
  const std::string_view scheme = uri.substr(0, colon);
  return scheme != "file" && scheme.find('_') == std::string_view::npos &&
         rules_ascii_word(scheme, "+-.");
}

bool rules_percent_decode(std::string& text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  bool changed = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
      changed = true;
    } else {
      decoded += text[i];
    }
  }
  text = std::move(decoded);
  return changed;
}

}  // namespace

void check_key(const std::string& key, const std::string& path) {
  rules_check_utf8(key, path);
  if (!rules_all_characters(key, "/.- :")) {
    rules_invalid_value(path, key,
                        "Names may only contain alphanumerics, underscores (_), dashes (-), "
                        "periods (.), spaces ( ), "
                        "colon(:) and slashes (/).");
  }
  rules_check_path_like(key, path);
}

Param checked_param(const Param& param, const std::string& path) {
  check_key(param.key, rules_child_path(path, "key"));
  rules_check_length(param.key, kMaxKeyLength, "Param key");
  rules_check_utf8(param.value, rules_child_path(path, "value"));
  return {param.key, rules_cut(param.value, kMaxParamValueLength,
                               "the value of the parameter '" + param.key + "'")};
}

Tag checked_tag(const Tag& tag, const std::string& path) {
  const std::string key_path = rules_child_path(path, "key");
  check_key(tag.key, key_path);
  rules_check_length(tag.key, kMaxKeyLength, key_path);
  rules_check_utf8(tag.value, rules_child_path(path, "value"));
  return {tag.key,
          rules_cut(tag.value, kMaxTagValueLength, "the value of the tag '" + tag.key + "'")};
}

void check_metric(const Metric& metric, const std::string& path) {
  check_key(metric.key, rules_child_path(path, "name"));
  if (metric.timestamp_ms < 0) {
    rules_refuse("Invalid value " + std::to_string(metric.timestamp_ms) + " for parameter '" +
                 rules_child_path(path, "timestamp") + "' supplied: metric '" + metric.key +
                 "' (value=" + format_double(metric.value) +
                 "). Timestamp must be a nonnegative long (64-bit integer)");
  }
  rules_check_length(metric.key, kMaxKeyLength, "Metric name");
  if (!metric.model_id.empty()) check_logged_model_id(metric.model_id);
  rules_check_utf8(metric.dataset_name, rules_child_path(path, "dataset_name"));
  rules_check_length(metric.dataset_name, 500, rules_child_path(path, "dataset_name"));
  rules_check_utf8(metric.dataset_digest, rules_child_path(path, "dataset_digest"));
  rules_check_length(metric.dataset_digest, 36, rules_child_path(path, "dataset_digest"));
}

void check_metrics(const std::vector<Metric>& metrics, bool numbered) {
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (rules_is_plain_metric(metrics[i])) continue;
    check_metric(metrics[i], numbered ? "metrics[" + std::to_string(i) + "]" : std::string());
  }
}

void check_dataset(const DatasetInput& dataset) {
  if (dataset.name.empty()) rules_refuse("Dataset name cannot be empty");
  if (dataset.digest.empty()) rules_refuse("Dataset digest cannot be empty");
  const struct {
    const char* entity;
    const std::string& value;
    std::size_t limit;
  } parts[] = {
      {"name", dataset.name, 500},
      {"digest", dataset.digest, 36},
      {"source_type", dataset.source_type, 36},
      {"source", dataset.source, 65535},
      {"schema", dataset.schema, 1048575},
      {"profile", dataset.profile, 16777215},
      {"context", dataset.context, 500},
  };
  for (const auto& part : parts) {
    rules_check_utf8(part.value, part.entity);
    rules_check_length(part.value, part.limit, part.entity);
  }
  for (const Tag& tag : dataset.tags) {
    rules_check_utf8(tag.key, "key");
    rules_check_length(tag.key, kMaxInputTagKeyLength, "key");
    rules_check_utf8(tag.value, "value");
    rules_check_length(tag.value, kMaxInputTagValueLength, "value");
  }
}

void check_experiment_tag(const Tag& tag) {
  check_key(tag.key, "key");
  rules_check_length(tag.key, kMaxKeyLength, "key");
  rules_check_utf8(tag.value, "value");
  rules_check_length(tag.value, kMaxExperimentTagValueLength, "value");
}

void check_run_id(const std::string& run_id) {
  if (!rules_is_id(run_id)) rules_invalid_value("run_id", run_id, "");
}

void check_logged_model_id(const std::string& model_id) {
  if (!rules_is_id(model_id)) rules_invalid_value("model_id", model_id, "");
}

void check_run_name(const std::string& name) {
  rules_check_utf8(name, "run_name");
  rules_check_length(name, kMaxRunNameLength, "run_name");
}

void check_experiment_name(const std::string& name) {
  if (name.empty()) rules_refuse("Invalid experiment name: ''");
  rules_check_utf8(name, "name");
  rules_check_length(name, kMaxExperimentNameLength, "name");
  if (name.find('\0') != std::string::npos) {
    rules_refuse("Invalid experiment name: " + quoted(name) +
                 " has a NUL character, which no address can carry");
  }
}

std::int64_t parse_experiment_id(const std::string& id) {
  long long number = 0;
  if (!parse_int64(id, number) || number < 0) {
    rules_refuse("Invalid experiment ID " + quoted(id) +
                 ". Experiment ID must be a valid integer.");
  }
  return number;
}

std::string checked_artifact_location(const std::string& location) {
  rules_check_utf8(location, "artifact_location");
  if (rules_length(location) > kMaxLocationLength) {
    rules_refuse(
        "Invalid artifact path length. The length of the artifact path cannot be greater "
        "than " +
        std::to_string(kMaxLocationLength) + " characters.");
  }
  if (starts_with(location, "runs:")) {
    rules_refuse("Artifact location cannot be a runs:/ URI. Given: " + quoted(location, 300));
  }
  std::string folder = location;
  if (starts_with(folder, "file://")) {
    folder.erase(0, 7);
    rules_percent_decode(folder);
    if (!starts_with(folder, "/")) {
      rules_refuse("Invalid artifact_location " + quoted(location, 300) +
                   ": a file URI has three slashes and names a folder of this machine");
    }
  } else if (starts_with(folder, "file:")) {
    folder.erase(0, 5);
    rules_percent_decode(folder);
  }
  if (trim(folder).empty()) {
    rules_refuse("Invalid artifact_location " + quoted(location, 300) + ": it is blank");
  }
  if (folder.find("://") != std::string::npos || rules_has_scheme(location)) {
    rules_refuse("Invalid artifact_location " + quoted(location, 300) +
                 ": artifacts are kept in a folder of this machine");
  }
  if (folder.find('#') != std::string::npos || folder.find('\0') != std::string::npos ||
      !is_utf8(folder)) {
    rules_refuse("Invalid artifact_location " + quoted(location, 300) +
                 ": it is the path of a folder, without '#' and control characters");
  }
  std::string absolute = fs::absolute(folder);
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

void check_unique_params(const std::vector<Param>& params) {
  std::set<std::string_view> seen;
  std::vector<std::string> twice;
  for (const Param& param : params) {
    if (!seen.insert(param.key).second) twice.push_back("'" + param.key + "'");
  }
  if (twice.empty()) return;
  rules_refuse("Duplicate parameter keys have been submitted: [" + join(twice, ", ") +
               "]. Please ensure the request contains only one param value per param key.");
}

void check_batch_limits(std::size_t metrics, std::size_t params, std::size_t tags) {
  rules_check_batch_limit("metrics", 1000, metrics);
  rules_check_batch_limit("params", 100, params);
  rules_check_batch_limit("tags", 100, tags);
  rules_check_batch_limit("metrics, params, and tags", 1000, metrics + params + tags);
}

void check_artifact_path(const std::string& path) {
  std::string decoded = path;
  bool safe = true;
  for (const std::string& name : split(path, '/')) {
    // No file system has longer names.
    if (name.size() <= 255) continue;
    rules_refuse("Invalid path " + quoted(path) + ": a name in it has more than 255 bytes");
  }
  // Decoded again and again, as a server or a client before us may have done.
  for (int round = 0; round < 10 && safe; ++round) {
    safe = fs::is_safe_relative(decoded) && decoded.find('#') == std::string::npos;
    if (!rules_percent_decode(decoded)) break;
  }
  if (safe) return;
  rules_refuse(
      "Invalid path " + quoted(path) +
      ": an artifact's path is relative, with '/', and stays below the run's artifact folder");
}

void check_model_name(const std::string& name) {
  if (trim(name).empty()) rules_refuse("Missing value for required parameter 'name'.");
  rules_check_utf8(name, "name");
  if (name.size() > kMaxModelNameBytes) {
    rules_refuse("'name' exceeds the maximum length of " + std::to_string(kMaxModelNameBytes) +
                 " bytes");
  }
  if (name.find_first_of("/:") != std::string::npos) {
    rules_refuse("Invalid model name '" + name + "'. Names cannot contain '/' or ':'.");
  }
  if (std::any_of(name.begin(), name.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    rules_refuse("Invalid model name " + quoted(name) +
                 ". Names cannot contain control characters.");
  }
  rules_check_path_like(name, "name");
}

void check_registry_tag(const Tag& tag) {
  check_key(tag.key, "key");
  rules_check_length(tag.key, kMaxKeyLength, "key");
  rules_check_utf8(tag.value, "value");
  rules_check_length(tag.value, kMaxRegistryTagValueLength, "value");
}

void check_model_alias_name(const std::string& alias) {
  if (alias.empty()) rules_refuse("Registered model alias name cannot be empty.");
  if (!rules_ascii_word(alias, "-")) {
    rules_refuse("Invalid alias name: " + quoted(alias) +
                 ". Names may only contain alphanumerics, underscores (_), and dashes (-).");
  }
  rules_check_length(alias, kMaxAliasLength, "Registered model alias name");
}

void check_model_alias(const std::string& alias) {
  check_model_alias_name(alias);
  if (to_lower(alias) == "latest")
    rules_refuse("'latest' alias name (case insensitive) is reserved.");
  const bool like_version =
      alias.size() > 1 && (alias[0] == 'v' || alias[0] == 'V') &&
      std::all_of(alias.begin() + 1, alias.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (like_version) rules_refuse("Version alias name '" + alias + "' is reserved.");
}

}  // namespace mlrt
