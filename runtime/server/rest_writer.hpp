#ifndef MLRT_SERVER_REST_WRITER_HPP_
#define MLRT_SERVER_REST_WRITER_HPP_

// Internal: JSON answers, written by appending to a string.

#include <cstdint>
#include <string>
#include <string_view>

namespace mlrt {

// Commas are put by looking at the last byte, so values and members just follow each other.
class RestWriter {
 public:
  explicit RestWriter(std::string& out) : out_(out) {}

  void open(char bracket);  // '{' or '['
  void close(char bracket);
  void name(std::string_view name);  // ASCII without '"' and '\\'
  void open(std::string_view member, char bracket);

  void text(std::string_view text);  // what is not UTF-8 becomes U+FFFD
  void word(std::string_view json);  // a value that is JSON already
  void colon();                      // behind a name that text() wrote
  void integer(std::int64_t value);
  // NaN is "NaN" and an infinity the greatest double, as MLflow's server has them; a whole number
  // gets ".0", for typed readers.
  void number(double value);

  void member(std::string_view key, std::string_view value);
  void member(std::string_view key, const char* value);
  void member(std::string_view key, const std::string& value);
  void member(std::string_view key, std::int64_t value);
  void member(std::string_view key, double value);
  void member(std::string_view key, bool value);
  // The same, left out when it is empty.
  void optional(std::string_view key, const std::string& value);

 private:
  void comma();

  std::string& out_;
};

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_WRITER_HPP_
