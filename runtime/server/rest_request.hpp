#ifndef MLRT_SERVER_REST_REQUEST_HPP_
#define MLRT_SERVER_REST_REQUEST_HPP_

// Internal: the arguments of a call of the MLflow protocol, read and checked as MLflow does.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.hpp"
#include "server/rest_document.hpp"
#include "tracking/records.hpp"

namespace mlrt {

enum class RestType {
  kText,
  kInteger,  // 64 bits; also 4.0 and "4", as protobuf reads JSON
  kNumber,   // a double; also "1.5", "NaN" and "Infinity"
  kFlag,
  kChoice,   // an enumerator: its name or its number
  kTexts,    // a list of strings
  kObjects,  // a list of objects
};

struct RestField {
  const char* name;
  RestType type;
  bool required = false;   // absent, null and "" are refused
  std::int64_t most = -1;  // of a kInteger: more is refused
};

// The arguments of one call: the members of the JSON body or, of a GET, the parameters of the
// query. They are known by the fields that check() was given; all others are ignored. The request
// must outlive it.
class RestRequest {
 public:
  explicit RestRequest(const HttpRequest& request) : request_(request) {}

  // Reads the request and checks the fields in their order. Throws kInvalidParameter with MLflow's
  // words for a POST that is not application/json, a value that is missing, of another type or too
  // large; kBadRequest for a body that is no JSON object, unless a missing value comes first
  // (MLflow takes such a body for an empty one).
  template <std::size_t N>
  void check(const RestField (&fields)[N]) {
    static_assert(N <= kMaxFields, "more fields than values_ has room for");
    check(fields, N);
  }

  // What follows is for fields that were checked, by name. Absent and null: false, "", an empty
  // list, or `otherwise`.
  bool has(std::string_view name) const { return find(name) != RestDocument::kNone; }
  std::string text(std::string_view name) const;
  std::int64_t integer(std::string_view name, std::int64_t otherwise = 0) const;
  double number(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  // The place among `names` of a kChoice, whose numbers begin with 1; -1 when it is absent. Throws
  // kInvalidParameter for one that is none of them.
  int choice(std::string_view name, const char* const* names, int count) const;

  // Lists of {"key", "value"}. `key_required`: as log-batch has it.
  std::vector<Tag> tags(std::string_view name, bool key_required = false) const;
  std::vector<Param> params(std::string_view name, bool key_required = false) const;

  // The elements of a kObjects, and their members; `path` is "datasets[0].dataset" in a message.
  std::vector<std::uint32_t> objects(std::string_view name) const;
  const RestDocument& document() const { return document_; }
  std::string member_text(std::uint32_t object, const char* name, const std::string& path) const;

  // Throw as check() does; `index` is the value in the document.
  [[noreturn]] void refuse(const std::string& path, std::uint32_t index) const;
  [[noreturn]] static void refuse_missing(const std::string& path);

  const HttpRequest& http() const { return request_; }

 private:
  static constexpr std::size_t kMaxFields = 12;

  void check(const RestField* fields, std::size_t count);
  bool read_body();
  void read_query();
  std::uint32_t find(std::string_view name) const;
  bool fits(const RestField& field, std::uint32_t index) const;

  const HttpRequest& request_;
  RestDocument document_;
  std::string again_;  // a body that was encoded twice
  const RestField* fields_ = nullptr;
  std::size_t count_ = 0;
  std::uint32_t values_[kMaxFields] = {};
};

// "metrics[3]", as messages name an element of a list.
std::string rest_element(std::string_view list, std::size_t number);

// The values that a node stands for; false for a node of another type or out of range.
bool rest_read_integer(const RestNode& node, std::int64_t& value);
bool rest_read_number(const RestNode& node, double& value);

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_REQUEST_HPP_
