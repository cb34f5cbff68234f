#ifndef MLRT_TRACKING_SEARCH_LEXER_HPP_
#define MLRT_TRACKING_SEARCH_LEXER_HPP_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

enum class SearchTokenKind {
  kName,    // letters, digits and '_', or anything in backticks
  kNumber,  // decimal: -1, .5, 2e-3
  kString,  // in single or double quotes (in double quotes it may also be a name)
  kSymbol,  // one or more of = < > ! ~
  kDot,
  kComma,
  kOpen,   // (
  kClose,  // )
  kEnd,
};

struct SearchToken {
  SearchTokenKind kind = SearchTokenKind::kEnd;
  std::string_view text;  // as written, with its quotes
  std::size_t offset = 0;
  char quote = 0;  // ', ", ` or 0
  std::size_t end() const { return offset + text.size(); }
  // The text between the quotes. Nothing in it is an escape, as in MLflow: what holds one kind of
  // quote is put into the other kind.
  std::string_view value() const { return quote == 0 ? text : text.substr(1, text.size() - 2); }
};

// A text of the search language, which is read as tokens. `what` begins each message: "filter",
// "order_by 'metrics.a'". Both must outlive the tokens.
class SearchText {
 public:
  SearchText(std::string_view text, std::string what) : text_(text), what_(std::move(what)) {}

  // All tokens, then kEnd. Throws kInvalidParameter with the column for a text that is too long,
  // not UTF-8, or has a character that begins no token or an unclosed quote.
  std::vector<SearchToken> tokens() const;

  // Throws kInvalidParameter: "Invalid <what>: column N: <message>". Columns count characters from
  // 1.
  [[noreturn]] void fail(std::size_t offset, const std::string& message) const;

  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  std::string what_;
};

// A token for a message: "'and'", "the string 'x'" or "the end".
std::string describe_search_token(const SearchToken& token);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_LEXER_HPP_
