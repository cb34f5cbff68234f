#include "tracking/search_parser.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tracking/search_lexer.hpp"

namespace mlrt {
namespace {

// MLflow joins a table for each condition and ends at SQLite's 64; ours are sub-queries, whose
// number is bounded by the depth of an expression.
constexpr std::size_t kMaxSearchClauses = 100;
// Matching a pattern descends once for each '%', and SQLite takes none beyond 50000 bytes.
constexpr std::size_t kMaxSearchWildcards = 64;
constexpr std::size_t kMaxSearchPatternBytes = 10000;

struct SearchIdentifier {
  SearchEntity entity = SearchEntity::kAttribute;
  std::string key;
  const SearchAttribute* attribute = nullptr;
  SearchKind kind = SearchKind::kText;
  std::string shown;  // as written, for messages
};

class SearchParser {
 public:
  SearchParser(const SearchTargetInfo& info, const SearchText& text)
      : info_(info), text_(text), tokens_(text.tokens()) {}

  std::vector<SearchClause> filter();
  SearchOrder order();

 private:
  const SearchToken& token() const { return tokens_[at_]; }
  const SearchToken& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  // kEnd stays the token for ever.
  const SearchToken& take() {
    const SearchToken& taken = tokens_[at_];
    if (taken.kind != SearchTokenKind::kEnd) ++at_;
    return taken;
  }
  bool is_word(const SearchToken& token, std::string_view lower) const {
    return token.kind == SearchTokenKind::kName && token.quote == 0 &&
           to_lower(token.text) == lower;
  }
  [[noreturn]] void fail_here(const std::string& expected) const {
    text_.fail(token().offset,
               "expected " + expected + ", found " + describe_search_token(token()));
  }

  SearchIdentifier identifier(bool for_order);
  void key_of(SearchIdentifier& found, std::size_t from, bool for_order);
  void find_attribute(SearchIdentifier& found, std::size_t offset, bool bare, bool for_order);
  SearchComparator comparator(const SearchIdentifier& left);
  std::optional<SearchComparator> comparator_here();
  SearchValue value(const SearchIdentifier& left, SearchComparator comparator);
  SearchValue string_value(const SearchIdentifier& left, const std::string& expected);
  void check_pattern(const SearchToken& pattern) const;
  std::vector<SearchValue> list(const SearchIdentifier& left);
  SearchClause clause();

  const SearchTargetInfo& info_;
  const SearchText& text_;
  std::vector<SearchToken> tokens_;
  std::size_t at_ = 0;
};

// "metrics., params., tags. or attributes.": the first word of each sort.
std::string search_prefix_list(const SearchTargetInfo& info) {
  std::vector<std::string> words;
  std::vector<SearchEntity> seen;
  for (const SearchPrefix& prefix : info.prefixes) {
    if (std::find(seen.begin(), seen.end(), prefix.entity) != seen.end()) continue;
    seen.push_back(prefix.entity);
    words.push_back(std::string("'") + prefix.word + ".'");
  }
  return join(words, ", ");
}

const SearchPrefix* find_search_prefix(const SearchTargetInfo& info, std::string_view word) {
  for (const SearchPrefix& prefix : info.prefixes) {
    if (word == prefix.word) return &prefix;
  }
  return nullptr;
}

// The names for a message: all, or of those for the same thing the first.
std::vector<std::string> search_names(const std::vector<SearchAttribute>& attributes,
                                      bool for_order, bool all) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    if (!(for_order ? attributes[i].in_order : attributes[i].in_filter)) continue;
    bool other_name = false;
    for (std::size_t j = 0; j < i && !all; ++j) {
      other_name = other_name || std::string_view(attributes[j].column) == attributes[i].column;
    }
    if (!other_name) names.push_back(attributes[i].name);
  }
  return names;
}

// Whether the digits are all: what MLflow reads as an integer.
bool search_is_whole(std::string_view number) {
  return number.find_first_of(".eE") == std::string_view::npos;
}

// A key in double quotes may have backticks inside them.
std::string search_unquoted_key(const SearchToken& token) {
  std::string_view key = token.value();
  if (token.kind == SearchTokenKind::kString && key.size() >= 2 && key.front() == '`' &&
      key.back() == '`') {
    key = key.substr(1, key.size() - 2);
  }
  return std::string(key);
}

void SearchParser::find_attribute(SearchIdentifier& found, std::size_t offset, bool bare,
                                  bool for_order) {
  const bool dataset = found.entity == SearchEntity::kDataset;
  const auto& attributes = dataset ? info_.dataset_fields : info_.attributes;
  const SearchAttribute* attribute = find_search_attribute(attributes, found.key);
  if (attribute != nullptr && (for_order ? attribute->in_order : attribute->in_filter)) {
    found.attribute = attribute;
    found.kind = attribute->kind;
    return;
  }
  if (bare && find_search_prefix(info_, found.key) != nullptr) {
    text_.fail(offset + found.shown.size(), "expected '.' and a key after " + quoted(found.shown) +
                                                ", found " + describe_search_token(token()));
  }
  std::string message;
  if (attribute != nullptr) {
    message = std::string(info_.plural) +
              (for_order ? " are not ordered by " : " are not found by ") + quoted(found.key);
  } else if (dataset) {
    message = "a data set has no field " + quoted(found.key);
  } else {
    message = std::string(info_.plural) + " have no attribute " + quoted(found.key);
  }
  const std::string guess = did_you_mean(found.key, search_names(attributes, for_order, true));
  if (!guess.empty()) text_.fail(offset, message + guess);
  message += "; there are " + join(search_names(attributes, for_order, false), ", ");
  if (bare && !(for_order && info_.order_keys.empty())) {
    const std::string prefix = info_.has_metrics ? "metrics." : "tags.";
    message += std::string(info_.has_metrics ? "; a metric, parameter or tag" : "; a tag") +
               " needs its prefix, as in " + quoted(prefix + found.key);
  }
  text_.fail(offset, message);
}

// Reads the key behind the dot.
void SearchParser::key_of(SearchIdentifier& found, std::size_t from, bool for_order) {
  const SearchToken dot = take();
  const SearchToken& first = token();
  const bool is_key =
      first.kind == SearchTokenKind::kName || first.kind == SearchTokenKind::kString;
  if (!is_key) fail_here("a key after " + quoted(text_.text().substr(from, dot.end() - from)));
  if (first.offset != dot.end()) text_.fail(dot.end(), "a blank cannot stand beside the dot");
  const SearchToken key = take();
  std::size_t end = key.end();
  if (key.quote != 0) {
    found.key = search_unquoted_key(key);
  } else {
    while (token().kind == SearchTokenKind::kDot && token().offset == end &&
           next().kind == SearchTokenKind::kName && next().quote == 0 &&
           next().offset == token().end()) {
      take();
      end = take().end();
    }
    found.key = std::string(text_.text().substr(key.offset, end - key.offset));
  }
  found.shown = std::string(text_.text().substr(from, end - from));
  if (token().kind == SearchTokenKind::kDot) {
    text_.fail(token().offset,
               "the key " + quoted(found.key) + " cannot go on here; put all of it into backticks");
  }
  switch (found.entity) {
    case SearchEntity::kMetric:
      found.kind = SearchKind::kNumber;
      break;
    case SearchEntity::kParam:
    case SearchEntity::kTag:
      found.kind = info_.text_kind;
      break;
    case SearchEntity::kAttribute:
    case SearchEntity::kDataset:
      find_attribute(found, key.offset, false, for_order);
      break;
  }
}

SearchIdentifier SearchParser::identifier(bool for_order) {
  const SearchToken first = token();
  const bool is_name = first.kind == SearchTokenKind::kName ||
                       (first.kind == SearchTokenKind::kString && first.quote == '"');
  if (first.kind == SearchTokenKind::kOpen) {
    text_.fail(first.offset,
               "parentheses enclose only the list of IN; conditions are joined with AND");
  }
  if (is_word(first, "and") || is_word(first, "or") || is_word(first, "not")) {
    fail_here(for_order ? "a name" : "a condition");
  }
  if (!is_name) {
    fail_here(info_.has_metrics ? "a name such as metrics.rmse or params.model"
                                : "a name such as name or tags.team");
  }
  take();
  SearchIdentifier found;
  if (token().kind == SearchTokenKind::kDot) {
    if (token().offset != first.end())
      text_.fail(first.end(), "a blank cannot stand beside the dot");
    const SearchPrefix* prefix = find_search_prefix(info_, first.value());
    const bool usable =
        prefix != nullptr && (!for_order || prefix->entity == SearchEntity::kAttribute ||
                              std::find(info_.order_keys.begin(), info_.order_keys.end(),
                                        prefix->entity) != info_.order_keys.end());
    if (prefix != nullptr && !usable) {
      text_.fail(first.offset, std::string(info_.plural) + " are not ordered by " +
                                   quoted(first.value()) + " fields");
    }
    if (prefix == nullptr) {
      std::vector<std::string> words;
      for (const SearchPrefix& known : info_.prefixes) words.push_back(known.word);
      const std::string guess = did_you_mean(first.value(), words);
      text_.fail(first.offset, "expected one of " + search_prefix_list(info_) +
                                   " before a key of " + info_.plural + ", found " +
                                   quoted(first.value()) + guess);
    }
    found.entity = prefix->entity;
    key_of(found, first.offset, for_order);
    return found;
  }
  found.key = search_unquoted_key(first);
  found.shown = std::string(first.text);
  find_attribute(found, first.offset, true, for_order);
  return found;
}

// The comparator at this place, taken; nothing if there is none.
std::optional<SearchComparator> SearchParser::comparator_here() {
  if (token().kind == SearchTokenKind::kSymbol) {
    for (const SearchComparator known : search_comparators(SearchKind::kNumber)) {
      if (token().text != search_comparator_name(known)) continue;
      take();
      return known;
    }
    return std::nullopt;
  }
  const bool negated = is_word(token(), "not");
  if (is_word(token(), "like") || is_word(token(), "ilike")) {
    return is_word(take(), "like") ? SearchComparator::kLike : SearchComparator::kILike;
  }
  if (is_word(negated ? next() : token(), "in")) {
    if (negated) take();
    take();
    return negated ? SearchComparator::kNotIn : SearchComparator::kIn;
  }
  if (is_word(token(), "is")) {
    take();
    const bool absent = !is_word(token(), "not");
    if (!absent) take();
    if (!is_word(token(), "null"))
      fail_here(absent ? "NULL or NOT NULL after IS" : "NULL after IS NOT");
    take();
    return absent ? SearchComparator::kIsNull : SearchComparator::kIsNotNull;
  }
  return std::nullopt;
}

SearchComparator SearchParser::comparator(const SearchIdentifier& left) {
  const std::size_t offset = token().offset;
  const std::string allowed = search_comparator_list(left.kind);
  const std::optional<SearchComparator> found = comparator_here();
  if (!found) {
    std::string guess;
    if (token().text == "==") guess = "; did you mean '='?";
    if (token().text == "<>") guess = "; did you mean '!='?";
    const std::string shown = is_word(token(), "not") && next().kind == SearchTokenKind::kName
                                  ? quoted("NOT " + std::string(next().text), 40)
                                  : describe_search_token(token());
    text_.fail(offset, "expected a comparator (" + allowed + ") after " + quoted(left.shown) +
                           ", found " + shown + guess);
  }
  const auto& all = search_comparators(left.kind);
  if (std::find(all.begin(), all.end(), *found) == all.end()) {
    text_.fail(offset, quoted(left.shown) + " cannot be compared with " +
                           search_comparator_name(*found) + "; it takes " + allowed);
  }
  return *found;
}

SearchValue SearchParser::string_value(const SearchIdentifier& left, const std::string& expected) {
  if (token().kind != SearchTokenKind::kString) fail_here(expected);
  const SearchToken taken = take();
  if (left.kind != SearchKind::kId) return std::string(taken.value());
  long long id = 0;
  if (!parse_int64(taken.value(), id)) {
    text_.fail(taken.offset, "expected a whole number in quotes, such as '12', found " +
                                 describe_search_token(taken));
  }
  return static_cast<std::int64_t>(id);
}

void SearchParser::check_pattern(const SearchToken& pattern) const {
  const auto wildcards =
      static_cast<std::size_t>(std::count(pattern.text.begin(), pattern.text.end(), '%'));
  if (wildcards > kMaxSearchWildcards) {
    text_.fail(pattern.offset,
               "a pattern has at most " + std::to_string(kMaxSearchWildcards) + " '%'");
  }
  if (pattern.text.size() > kMaxSearchPatternBytes) {
    text_.fail(pattern.offset,
               "a pattern has at most " + std::to_string(kMaxSearchPatternBytes) + " bytes");
  }
}

SearchValue SearchParser::value(const SearchIdentifier& left, SearchComparator comparator) {
  const std::string after =
      " after " + quoted(left.shown + " " + search_comparator_name(comparator), 70);
  const SearchToken here = token();
  if (comparator == SearchComparator::kLike || comparator == SearchComparator::kILike)
    check_pattern(here);
  switch (left.kind) {
    case SearchKind::kText:
    case SearchKind::kTextOrList:
    case SearchKind::kTextOrNull:
      if (info_.bare_text && left.entity != SearchEntity::kAttribute && here.quote == 0 &&
          (here.kind == SearchTokenKind::kNumber || here.kind == SearchTokenKind::kName)) {
        return std::string(take().text);
      }
      return string_value(left, "a string in quotes" + after);
    case SearchKind::kId:
      return string_value(left, "a whole number in quotes" + after);
    case SearchKind::kQuotedInteger: {
      long long whole = 0;
      if (here.kind == SearchTokenKind::kString && parse_int64(here.value(), whole)) {
        take();
        return static_cast<std::int64_t>(whole);
      }
      break;
    }
    case SearchKind::kNumber:
    case SearchKind::kWholeNumber:
      break;
  }
  const bool whole_only = left.kind != SearchKind::kNumber;
  if (here.kind != SearchTokenKind::kNumber || (whole_only && !search_is_whole(here.text))) {
    fail_here((whole_only ? "a whole number" : "a number") + after);
  }
  take();
  long long whole = 0;
  if (left.entity != SearchEntity::kMetric && search_is_whole(here.text) &&
      parse_int64(here.text, whole)) {
    return static_cast<std::int64_t>(whole);
  }
  double number = 0;
  if (!parse_double(here.text, number))
    text_.fail(here.offset, describe_search_token(here) + " is not a number");
  return number;
}

std::vector<SearchValue> SearchParser::list(const SearchIdentifier& left) {
  const std::string shown = quoted(left.shown);
  if (token().kind != SearchTokenKind::kOpen) {
    fail_here("a list in parentheses, such as ('a', 'b'), after IN");
  }
  take();
  std::vector<SearchValue> values;
  do {
    values.push_back(string_value(left, "a string in quotes in the list for " + shown));
    if (token().kind != SearchTokenKind::kComma) break;
    take();
  } while (token().kind != SearchTokenKind::kClose);
  if (token().kind != SearchTokenKind::kClose) fail_here("',' or ')' in the list for " + shown);
  take();
  return values;
}

SearchClause SearchParser::clause() {
  SearchIdentifier left = identifier(false);
  SearchClause clause;
  clause.entity = left.entity;
  clause.attribute = left.attribute;
  clause.comparator = comparator(left);
  switch (clause.comparator) {
    case SearchComparator::kIn:
    case SearchComparator::kNotIn:
      clause.values = list(left);
      break;
    case SearchComparator::kIsNull:
    case SearchComparator::kIsNotNull:
      break;
    default:
      clause.values.push_back(value(left, clause.comparator));
      break;
  }
  clause.key = std::move(left.key);
  return clause;
}

std::vector<SearchClause> SearchParser::filter() {
  std::vector<SearchClause> clauses;
  if (token().kind == SearchTokenKind::kEnd) return clauses;
  for (;;) {
    if (clauses.size() == kMaxSearchClauses) {
      text_.fail(token().offset,
                 "a filter has at most " + std::to_string(kMaxSearchClauses) + " conditions");
    }
    const std::size_t from = token().offset;
    clauses.push_back(clause());
    if (token().kind == SearchTokenKind::kEnd) return clauses;
    if (is_word(token(), "or")) {
      text_.fail(token().offset,
                 "conditions can be joined only with AND, found " + describe_search_token(token()));
    }
    if (!is_word(token(), "and")) {
      const SearchToken& last = tokens_[at_ - 1];
      fail_here("AND or the end after " + quoted(text_.text().substr(from, last.end() - from), 70));
    }
    take();
    if (token().kind == SearchTokenKind::kEnd) fail_here("a condition after AND");
  }
}

SearchOrder SearchParser::order() {
  if (token().kind == SearchTokenKind::kEnd) {
    fail_here(info_.order_keys.empty() ? "a name such as name"
                                       : "a name such as metrics.rmse or start_time");
  }
  SearchIdentifier left = identifier(true);
  SearchOrder order;
  order.entity = left.entity;
  order.attribute = left.attribute;
  order.key = std::move(left.key);
  const SearchToken here = token();
  if (is_word(here, "asc") || is_word(here, "desc")) {
    order.ascending = is_word(take(), "asc");
    if (token().kind != SearchTokenKind::kEnd) fail_here("the end after " + quoted(here.text));
  } else if (here.kind != SearchTokenKind::kEnd) {
    const std::string guess =
        here.kind == SearchTokenKind::kName ? did_you_mean(here.text, {"DESC", "ASC"}) : "";
    text_.fail(here.offset, "expected ASC, DESC or the end after " + quoted(left.shown) +
                                ", found " + describe_search_token(here) + guess);
  }
  return order;
}

}  // namespace

std::vector<SearchClause> parse_search_filter(SearchTarget target, std::string_view text) {
  const SearchText source(text, "filter");
  return SearchParser(search_target_info(target), source).filter();
}

SearchOrder parse_search_order(SearchTarget target, std::string_view text) {
  const SearchText source(text, "order_by " + quoted(text));
  return SearchParser(search_target_info(target), source).order();
}

SearchOrder logged_model_order(const std::string& field_name, bool ascending,
                               const std::string& dataset_name, const std::string& dataset_digest) {
  constexpr std::string_view kMetrics = "metrics.";
  if (!is_utf8(field_name) || field_name.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidParameter, "Invalid order by field name: it is not UTF-8 text");
  }
  if (dataset_name.empty() && !dataset_digest.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                "`dataset_digest` can only be specified if `dataset_name` is also specified.");
  }
  const SearchTargetInfo& info = search_target_info(SearchTarget::kLoggedModels);
  SearchOrder order;
  order.ascending = ascending;
  order.dataset_name = dataset_name;
  order.dataset_digest = dataset_digest;
  if (starts_with(field_name, kMetrics)) {
    order.entity = SearchEntity::kMetric;
    order.key = field_name.substr(kMetrics.size());
    return order;
  }
  if (field_name.find('.') != std::string::npos) {
    throw Error(ErrorCode::kInvalidParameter, "Invalid order by field name: " + quoted(field_name) +
                                                  ", only `metrics.<name>` is allowed.");
  }
  order.attribute = find_search_attribute(info.attributes, field_name);
  if (order.attribute == nullptr) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid order by field name: " + quoted(field_name) +
                    did_you_mean(field_name, search_names(info.attributes, true, true)));
  }
  order.key = field_name;
  return order;
}

}  // namespace mlrt
