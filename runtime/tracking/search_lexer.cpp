#include "tracking/search_lexer.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

// Enough for a list of many thousand run ids; more is no question but a mistake.
constexpr std::size_t kMaxSearchTextBytes = 1 << 20;

bool search_is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool search_is_digit(char c) { return c >= '0' && c <= '9'; }

// Every character beyond ASCII counts as a letter.
bool search_is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || search_is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool search_is_symbol(char c) { return c == '=' || c == '<' || c == '>' || c == '!' || c == '~'; }

std::size_t search_word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && search_is_word(text[at])) ++at;
  return at;
}

// Behind the closing quote of what opens at `at`; npos if there is none. As in MLflow, a doubled
// quote and (but in backticks) a quote behind a backslash do not close, unless nothing else does.
std::size_t search_quote_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  std::size_t fallback = std::string_view::npos;
  for (std::size_t i = at + 1; i < text.size();) {
    const bool quote_next = i + 1 < text.size() && text[i + 1] == quote;
    if (text[i] == '\\' && quote_next && quote != '`') {
      fallback = i + 2;
      i += 2;
    } else if (text[i] == quote && quote_next) {
      fallback = i + 1;
      i += 2;
    } else if (text[i] == quote) {
      return i + 1;
    } else {
      ++i;
    }
  }
  return fallback;
}

// Behind the number at `at` (a digit, or '-' or '.' before one).
std::size_t search_number_end(std::string_view text, std::size_t at) {
  const auto digits = [&text](std::size_t i) {
    while (i < text.size() && search_is_digit(text[i])) ++i;
    return i;
  };
  std::size_t i = digits(text[at] == '-' ? at + 1 : at);
  if (i < text.size() && text[i] == '.') i = digits(i + 1);
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    std::size_t exponent = i + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    if (exponent < text.size() && search_is_digit(text[exponent])) i = digits(exponent);
  }
  return i;
}

bool search_number_begins(std::string_view text, std::size_t at) {
  if (text[at] == '-') ++at;
  if (at < text.size() && text[at] == '.') ++at;
  return at < text.size() && search_is_digit(text[at]);
}

}  // namespace

void SearchText::fail(std::size_t offset, const std::string& message) const {
  std::size_t column = 1;
  for (std::size_t i = 0; i < offset && i < text_.size(); ++i) {
    if ((static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80) ++column;
  }
  throw Error(ErrorCode::kInvalidParameter,
              "Invalid " + what_ + ": column " + std::to_string(column) + ": " + message);
}

std::vector<SearchToken> SearchText::tokens() const {
  const std::string_view text = text_;
  if (text.size() > kMaxSearchTextBytes) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid " + what_ + ": it has " + std::to_string(text.size()) +
                    " bytes, and at most " + std::to_string(kMaxSearchTextBytes) + " are taken");
  }
  if (!is_utf8(text)) {
    throw Error(ErrorCode::kInvalidParameter, "Invalid " + what_ + ": the text is not UTF-8");
  }
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) fail(nul, "a NUL character cannot be part of a search");

  std::vector<SearchToken> tokens;
  // Whether a name or a dot stands right before `at`: there ".5" is a dot and "1a" a name.
  const auto touches = [&tokens](SearchTokenKind kind, std::size_t at) {
    return !tokens.empty() && tokens.back().kind == kind && tokens.back().end() == at;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (search_is_space(c)) {
      ++at;
      continue;
    }
    SearchToken token;
    token.offset = at;
    std::size_t end = at + 1;
    const bool behind_name = touches(SearchTokenKind::kName, at) ||
                             (touches(SearchTokenKind::kString, at) && tokens.back().quote == '"');
    if (c == '`' || c == '\'' || c == '"') {
      token.kind = c == '`' ? SearchTokenKind::kName : SearchTokenKind::kString;
      token.quote = c;
      end = search_quote_end(text, at);
      if (end == std::string_view::npos) {
        fail(at, std::string("the quote ") + c + " that opens here is never closed");
      }
    } else if (search_is_word(c) && (!search_is_digit(c) || touches(SearchTokenKind::kDot, at))) {
      token.kind = SearchTokenKind::kName;
      end = search_word_end(text, at);
    } else if (!behind_name && search_number_begins(text, at)) {
      token.kind = SearchTokenKind::kNumber;
      end = search_number_end(text, at);
      const std::size_t word_end = search_word_end(text, end);
      if (word_end > end) {
        fail(at, quoted(text.substr(at, word_end - at)) + " is not a number");
      }
    } else if (search_is_symbol(c)) {
      token.kind = SearchTokenKind::kSymbol;
      while (end < text.size() && search_is_symbol(text[end])) ++end;
    } else if (c == '.') {
      token.kind = SearchTokenKind::kDot;
    } else if (c == ',') {
      token.kind = SearchTokenKind::kComma;
    } else if (c == '(') {
      token.kind = SearchTokenKind::kOpen;
    } else if (c == ')') {
      token.kind = SearchTokenKind::kClose;
    } else if (behind_name) {
      fail(at, quoted(text.substr(at, 1)) +
                   " cannot be part of a bare name; put the name into backticks, as in "
                   "metrics.`val/loss`");
    } else {
      fail(at, quoted(text.substr(at, 1)) + " has no meaning here");
    }
    token.text = text.substr(at, end - at);
    tokens.push_back(token);
    at = end;
  }
  SearchToken last;
  last.offset = text.size();
  tokens.push_back(last);
  return tokens;
}

std::string describe_search_token(const SearchToken& token) {
  if (token.kind == SearchTokenKind::kEnd) return "the end";
  if (token.quote == 0 || token.quote == '`') return quoted(token.text, 40);
  return "the string " + quoted(token.value(), 40);
}

}  // namespace mlrt
