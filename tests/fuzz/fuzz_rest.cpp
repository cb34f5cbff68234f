// The body of a request: its values lie within it one behind the other, and each can be shown.

#include "fuzz_target.hpp"
#include "server/rest_document.hpp"
#include "server/rest_request.hpp"

namespace {

// Walks all that a value holds; returns the index behind it.
std::uint32_t walk(const mlrt::RestDocument& document, std::uint32_t index) {
  const mlrt::RestNode& node = document.at(index);
  const bool object = node.kind == mlrt::RestNode::Kind::kObject;
  std::uint32_t next = index + 1;
  if (object || node.kind == mlrt::RestNode::Kind::kArray) {
    std::size_t count = 0;
    for (; next < node.next; ++count) next = walk(document, object ? next + 1 : next);
    mlrt::fuzz::require(count == document.count(index), "all elements are counted");
  }
  mlrt::fuzz::require(next == node.next, "a value ends where it says");
  std::int64_t whole = 0;
  double number = 0;
  if (mlrt::rest_read_integer(node, whole) && node.kind != mlrt::RestNode::Kind::kString) {
    mlrt::fuzz::require(mlrt::rest_read_number(node, number), "a whole number is a number");
  }
  return next;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = mlrt::fuzz::input_text(data, size);
  mlrt::RestDocument document;
  if (!document.parse(text)) {
    mlrt::fuzz::require(document.empty() && !document.reason().empty(), "a refusal has a reason");
    return 0;
  }
  (void)walk(document, 0);
  const std::string shown = document.dump(0);
  mlrt::RestDocument again;
  // What is long is cut.
  if (shown.size() < 900) mlrt::fuzz::require(again.parse(shown), "what is shown is JSON");
  return 0;
}
