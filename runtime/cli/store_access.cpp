#include "cli/store_access.hpp"

#include <optional>

#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kRunPrefixLeast = 4;
constexpr std::size_t kRunIdSize = 32;
constexpr std::size_t kRunCandidatesShown = 10;
constexpr std::size_t kAllExperiments = 1000000;
constexpr std::size_t kCaretContext = 36;  // characters shown before the place of a mistake

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<Experiment> read_all_experiments(const TrackingStore& store) {
  SearchQuery query;
  query.view = ViewType::kAll;
  return search_pages<Experiment>(query, kAllExperiments, [&](const SearchQuery& page) {
    return store.search_experiments(page);
  });
}

std::vector<RunRecord> runs_that_begin_with(const TrackingStore& store, const std::string& prefix) {
  SearchQuery query;
  query.view = ViewType::kAll;
  query.filter = "attributes.run_id LIKE '" + prefix + "%'";
  std::vector<std::string> ids;  // a search looks into active experiments only, unless told
  for (const Experiment& experiment : read_all_experiments(store)) ids.push_back(experiment.id);
  return search_pages<RunRecord>(query, kRunCandidatesShown + 1, [&](const SearchQuery& page) {
    return store.search_runs(ids, page);
  });
}

// "column N" of a message of the search language; 0 if there is none.
std::size_t message_column(const std::string& message) {
  const std::string before = ": column ";
  const std::size_t at = message.find(before);
  if (at == std::string::npos) return 0;
  const std::size_t begin = at + before.size();
  const std::size_t end = message.find(':', begin);
  long long column = 0;
  if (end == std::string::npos || !parse_int64(message.substr(begin, end - begin), column) ||
      column < 1) {
    return 0;
  }
  return static_cast<std::size_t>(column);
}

// The text as characters, with blanks for what would break the line.
std::vector<std::string> shown_characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80 && !out.empty()) {
      out.back() += c;
    } else {
      out.emplace_back(1, byte < 0x20 || byte == 0x7F ? ' ' : c);
    }
  }
  return out;
}

std::string caret_lines(const std::string& text, std::size_t column) {
  if (!is_utf8(text)) return "";
  const std::vector<std::string> characters = shown_characters(text);
  if (column > characters.size() + 1) return "";
  const std::size_t place = column - 1;
  const std::size_t begin = place > kCaretContext ? place - kCaretContext : 0;
  const std::size_t end = std::min(characters.size(), place + kCaretContext);
  std::string line = begin > 0 ? "..." : "";
  const std::size_t indent = line.size() + place - begin;
  for (std::size_t i = begin; i < end; ++i) line += characters[i];
  if (end < characters.size()) line += "...";
  return "\n  " + line + "\n  " + std::string(indent, ' ') + "^";
}

}  // namespace

Session open_store(const GlobalOptions& global, bool create) {
  SessionOptions options;
  options.store = global.store;
  options.must_exist = !create;
  return Session(options);
}

std::shared_ptr<const Model> load_named_model(const GlobalOptions& global, const std::string& uri) {
  // A path needs no store; what has a scheme, even a mistyped one, is the session's to judge.
  const bool has_scheme = uri.find(":/") != std::string::npos || starts_with(uri, "models:") ||
                          starts_with(uri, "runs:");
  if (!has_scheme || fs::exists(uri)) return load_model(uri);
  return open_store(global).load_model(uri);
}

ExperimentNames read_experiment_names(const TrackingStore& store) {
  ExperimentNames names;
  for (const Experiment& experiment : read_all_experiments(store))
    names[experiment.id] = experiment.name;
  return names;
}

Experiment find_experiment(const TrackingStore& store, const std::string& word) {
  std::optional<Experiment> named = store.experiment_by_name(word);
  if (named) return *named;
  const std::vector<Experiment> experiments = read_all_experiments(store);
  std::vector<std::string> names;
  for (const Experiment& experiment : experiments) {
    if (experiment.id == word) return experiment;
    names.push_back(experiment.name);
  }
  throw Error(ErrorCode::kNotFound,
              "there is no experiment " + quoted(word) + did_you_mean(word, names));
}

std::string find_run_id(const TrackingStore& store, const std::string& word) {
  if (word.size() < kRunPrefixLeast || word.size() >= kRunIdSize || !is_hex(word))
    return store.run(word).run_id;
  const std::vector<RunRecord> runs = runs_that_begin_with(store, word);
  if (runs.empty()) {
    throw Error(ErrorCode::kNotFound, "there is no run whose id is or begins with " + quoted(word));
  }
  for (const RunRecord& run : runs) {
    if (run.run_id == word) return word;
  }
  if (runs.size() == 1) return runs.front().run_id;
  std::string message = quoted(word) + " begins the ids of several runs:";
  for (std::size_t i = 0; i < runs.size() && i < kRunCandidatesShown; ++i)
    message += "\n  " + runs[i].run_id + "  " + quoted(runs[i].name);
  if (runs.size() > kRunCandidatesShown) message += "\n  and more";
  throw Error(ErrorCode::kInvalidParameter, message);
}

std::string find_artifact_owner(const TrackingStore& store, const std::string& word) {
  return starts_with(word, "m-") ? word : find_run_id(store, word);
}

std::vector<Tag> read_tag_words(const char* option, const std::vector<std::string>& words) {
  std::vector<Tag> tags;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ErrorCode::kUsage, std::string(option) + " takes KEY=VALUE, not " + quoted(word));
    tags.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  return tags;
}

ViewType read_view(const std::string& word) {
  if (word.empty() || word == "active") return ViewType::kActive;
  if (word == "deleted") return ViewType::kDeleted;
  if (word == "all") return ViewType::kAll;
  throw Error(ErrorCode::kUsage, "--view is one of active, deleted, all, not " + quoted(word));
}

Error with_caret(const Error& error, const SearchQuery& query) {
  const std::size_t column = message_column(error.message());
  if (error.code() != ErrorCode::kInvalidParameter || column == 0) return error;
  if (starts_with(error.message(), "Invalid filter"))
    return Error(error.code(), error.message() + caret_lines(query.filter, column), error.detail());
  for (const std::string& order : query.order_by) {
    // The message names the entry that it is about.
    if (query.order_by.size() == 1 || error.message().find(quoted(order)) != std::string::npos) {
      return Error(error.code(), error.message() + caret_lines(order, column), error.detail());
    }
  }
  return error;
}

}  // namespace mlrt
