// What a run logs as files: those parts of Run that make or check their content.

#include <algorithm>
#include <mutex>
#include <string_view>

#include "api/run.hpp"
#include "api/session_state.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr char kLoggedArtifactsTag[] = "mlflow.loggedArtifacts";
constexpr char kLoggedImagesTag[] = "mlflow.loggedImages";
constexpr std::uint64_t kMaxLoggedTableBytes = std::uint64_t{1} << 30;
constexpr std::size_t kMaxLoggedArtifactsTagBytes = 8000;

[[noreturn]] void run_refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidParameter, message);
}

void run_check_json_path(const std::string& path, const char* what) {
  check_artifact_path(path);
  if (fs::extension(path) == ".json") return;
  run_refuse("Invalid artifact file path " + quoted(path, 300) +
             ". Please ensure the file you are " + "trying to log as " + what +
             " has a file name with '.json' extension.");
}

// The image format that begins so, by its usual extension; "" for none that is known.
std::string run_image_extension(std::string_view bytes) {
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return ".png";
  if (starts_with(bytes, "\xff\xd8\xff")) return ".jpg";
  if (starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a")) return ".gif";
  if (starts_with(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP")
    return ".webp";
  if (starts_with(bytes, "\xef\xbb\xbf")) bytes.remove_prefix(3);
  bytes = trim(bytes.substr(0, 4096));
  if (starts_with(bytes, "<svg")) return ".svg";
  const bool markup = starts_with(bytes, "<?xml") || starts_with(bytes, "<!--") ||
                      starts_with(bytes, "<!DOCTYPE svg");
  return markup && bytes.find("<svg") != std::string_view::npos ? ".svg" : "";
}

std::string run_checked_image(std::string_view bytes) {
  std::string extension = run_image_extension(bytes);
  if (extension.empty()) {
    run_refuse("these bytes are no image that is known: PNG, JPEG, GIF, WebP and SVG are");
  }
  return extension;
}

// A random (version 4) UUID.
std::string run_new_uuid() {
  std::string hex = random_hex(16);
  hex[12] = '4';
  const char variant = hex[16];
  hex[16] = "89ab"[(variant >= 'a' ? variant - 'a' + 10 : variant - '0') & 3];
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

Json run_table_cell(const Column& column, std::size_t row) {
  if (column.is_missing(row)) return nullptr;
  switch (column.type()) {
    case ColumnType::kBoolean:
      return column.integer(row) != 0;
    case ColumnType::kLong:
      return column.integer(row);
    case ColumnType::kDouble:
      return column.number(row);
    case ColumnType::kString:
      return column.text(row);
  }
  return nullptr;
}

// The table that is logged at `place`, or an empty one.
Json run_read_table(const std::string& place, const std::string& path) {
  if (!fs::exists(place)) return {{"columns", Json::array()}, {"data", Json::array()}};
  const std::string what = "the table " + quoted(path, 300);
  Json table = parse_json(fs::read_file(place, kMaxLoggedTableBytes), what);
  const std::size_t width = json_array(table, "columns", what).size();
  bool good = true;
  for (const Json& name : table["columns"]) good = good && name.is_string();
  for (const Json& row : json_array(table, "data", what)) {
    good = good && row.is_array() && row.size() == width;
  }
  if (!good) run_refuse("the artifact " + quoted(path, 300) + " is there already and is no table");
  return table;
}

// Adds the rows and, with nulls in the rows that are there, the columns that are new.
void run_append_rows(Json& table, const Table& rows) {
  Json& columns = table["columns"];
  Json& data = table["data"];
  std::vector<std::size_t> places;  // where each column of `rows` stands
  for (const Column& column : rows.columns()) {
    const auto found = std::find(columns.begin(), columns.end(), Json(column.name()));
    places.push_back(static_cast<std::size_t>(found - columns.begin()));
    if (found != columns.end()) continue;
    columns.push_back(column.name());
    for (Json& row : data) row.push_back(nullptr);
  }
  for (std::size_t i = 0; i < rows.row_count(); ++i) {
    Json row = Json::array();
    row.get_ref<Json::array_t&>().resize(columns.size());
    for (std::size_t k = 0; k < places.size(); ++k) {
      row[places[k]] = run_table_cell(rows.columns()[k], i);
    }
    data.push_back(std::move(row));
  }
}

std::string run_ascii_json(const Json& value, int indent) {
  return value.dump(indent, ' ', true, Json::error_handler_t::replace);
}

// MLflow's list of what its pages can show as tables.
void run_list_table(TrackingStore& tracking, const std::string& run_id, const std::string& path) {
  Json listed = Json::array();
  for (const Tag& tag : tracking.run(run_id).tags) {
    if (tag.key != kLoggedArtifactsTag) continue;
    try {
      listed = parse_json(tag.value, tag.key);
    } catch (const Error&) {
      listed = nullptr;
    }
    if (!listed.is_array()) listed = Json::array();
  }
  const Json entry = {{"path", path}, {"type", "table"}};
  if (std::find(listed.begin(), listed.end(), entry) != listed.end()) return;
  listed.push_back(entry);
  const std::string value = dump_json(listed);
  if (value.size() > kMaxLoggedArtifactsTagBytes) {
    log_warn("a run's list of tables is full", {{"run_id", run_id}, {"path", path}});
    return;
  }
  tracking.set_tags(run_id, {{kLoggedArtifactsTag, value}});
}

}  // namespace

void Run::log_artifact(const std::string& local_file, const std::string& path) {
  require_open();
  session_->artifacts.log_file(id_, local_file, path);
}

void Run::log_artifacts(const std::string& local_folder, const std::string& path) {
  require_open();
  session_->artifacts.log_folder(id_, local_folder, path);
}

void Run::log_text(const std::string& text, const std::string& path) {
  require_open();
  session_->artifacts.log_bytes(id_, text, path);
}

void Run::log_json(const std::string& json, const std::string& path) {
  require_open();
  run_check_json_path(path, "JSON");
  parse_json(json, "the JSON for " + quoted(path, 300));
  // Read again for its order of keys, which is meant for readers.
  const OrderedJson value = OrderedJson::parse(json);
  session_->artifacts.log_bytes(
      id_, value.dump(2, ' ', true, OrderedJson::error_handler_t::replace), path);
}

void Run::log_table(const Table& table, const std::string& path) {
  require_open();
  const std::size_t bad = path.find_first_of("\"',:[]{}");
  if (bad != std::string::npos) {
    run_refuse(std::string("The artifact_file contains forbidden character: ") + path[bad]);
  }
  run_check_json_path(path, "a table");
  std::lock_guard<std::mutex> lock(session_->tables_mutex);
  Json all = run_read_table(fs::join(session_->artifacts.folder(id_, true), path), path);
  run_append_rows(all, table);
  session_->artifacts.log_bytes(id_, run_ascii_json(all, -1), path);
  run_list_table(session_->tracking, id_, path);
}

void Run::log_image(const std::string& bytes, const std::string& path) {
  require_open();
  check_artifact_path(path);
  const std::string extension = run_checked_image(bytes);
  std::string named = to_lower(fs::extension(path));
  if (named == ".jpeg") named = ".jpg";
  if (named != extension) {
    run_refuse("the image for " + quoted(path, 300) + " must have a name that ends in '" +
               extension + "', for that is what its bytes are");
  }
  session_->artifacts.log_bytes(id_, bytes, path);
}

void Run::log_image(const std::string& bytes, const std::string& key, std::int64_t step) {
  require_open();
  const bool good = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_-./ ").find(c) != std::string_view::npos;
  });
  if (!good) {
    run_refuse(
        "The `key` parameter may only contain alphanumerics, underscores (_), dashes (-), periods "
        "(.), spaces ( ), and slashes (/). The provided key " +
        quoted(key, 300) + " contains invalid characters.");
  }
  if (run_checked_image(bytes) != ".png") {
    run_refuse("an image of a series must be a PNG; others can be logged under a path");
  }
  std::string name = key;
  std::replace(name.begin(), name.end(), '/', '~');
  session_->artifacts.log_bytes(id_, bytes,
                                "images/" + name + "+step+" + std::to_string(step) + "+timestamp+" +
                                    std::to_string(now_ms()) + "+" + run_new_uuid() + ".png");
  session_->tracking.set_tags(id_, {{kLoggedImagesTag, "True"}});
}

}  // namespace mlrt
