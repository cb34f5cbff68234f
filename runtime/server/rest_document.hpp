#ifndef MLRT_SERVER_REST_DOCUMENT_HPP_
#define MLRT_SERVER_REST_DOCUMENT_HPP_

// Internal: the JSON body of a request, read in one pass into a flat list of values.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// A value, or the name of a member, which is a kString in front of its value. What an array or an
// object holds comes right behind it.
struct RestNode {
  enum class Kind : std::uint8_t {
    kNull,
    kFalse,
    kTrue,
    kInteger,  // no point, no exponent; of any length
    kFloat,    // also the bare words NaN, Infinity and -Infinity, which Python writes
    kString,
    kArray,
    kObject
  };
  Kind kind = Kind::kNull;
  std::uint32_t next = 0;  // the index behind the value and all that it holds
  std::string_view text;   // a string, decoded; a number, as it was written
};

// One JSON text. It refers to the text that it was read from, which must outlive it. Of a name that
// an object has twice the last value counts, as in Python.
class RestDocument {
 public:
  RestDocument() = default;
  RestDocument(const RestDocument&) = delete;
  RestDocument& operator=(const RestDocument&) = delete;

  // Reads one JSON text (RFC 8259 and the bare words above): at most 64 levels deep and half a
  // million values, so that a body costs a small multiple of its size. False, with a reason, for
  // any other text; then it holds no value. Never throws but std::bad_alloc.
  bool parse(std::string_view text);
  const std::string& reason() const { return reason_; }  // "line 1, column 5: ..."

  // Appends a string, as a query has it; for values that come without JSON. `count` follow an
  // array.
  std::uint32_t add_string(std::string_view text);
  std::uint32_t add_array(std::uint32_t count);
  std::uint32_t add_word(RestNode::Kind kind);

  bool empty() const { return nodes_.empty(); }
  const RestNode& at(std::uint32_t index) const { return nodes_[index]; }

  // The value of the member `name` of the object at `object`; kNone when it has none.
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t member(std::uint32_t object, std::string_view name) const;
  // How many elements the array, or members the object, at `index` has.
  std::size_t count(std::uint32_t index) const;

  // The value as Python's json.dumps(sort_keys=True, separators=(",", ":")) writes it, for a
  // message: ASCII, cut after about 1000 bytes.
  std::string dump(std::uint32_t index) const;

 private:
  class Reader;
  void dump_to(std::string& out, std::uint32_t index) const;

  std::vector<RestNode> nodes_;
  std::string decoded_;  // strings that had escapes; never grows beyond what was reserved
  std::string reason_;
};

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_DOCUMENT_HPP_
