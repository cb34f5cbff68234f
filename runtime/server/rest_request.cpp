#include "server/rest_request.hpp"

#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::uint32_t kRestNone = RestDocument::kNone;

// The end of MLflow's messages about arguments.
constexpr char kRestSeeDocs[] = " See the API docs for more information about request parameters.";

// Messages tell the type as Python has it, where MLflow's server reads the request.
const char* rest_type_name(RestNode::Kind kind) {
  switch (kind) {
    case RestNode::Kind::kNull:
      return "NoneType";
    case RestNode::Kind::kFalse:
    case RestNode::Kind::kTrue:
      return "bool";
    case RestNode::Kind::kInteger:
      return "int";
    case RestNode::Kind::kFloat:
      return "float";
    case RestNode::Kind::kString:
      return "str";
    case RestNode::Kind::kArray:
      return "list";
    case RestNode::Kind::kObject:
      break;
  }
  return "dict";
}

void rest_check_content_type(const HttpRequest& request) {
  if (request.method != "POST" && request.method != "PUT") return;
  const std::string_view type = request.header("Content-Type");
  if (type.empty()) {
    throw Error(ErrorCode::kInvalidParameter, "Bad Request. Content-Type header is missing.");
  }
  if (type.substr(0, type.find(';')) != "application/json") {
    throw Error(ErrorCode::kInvalidParameter,
                "Bad Request. Content-Type must be one of ['application/json'].");
  }
}

bool rest_is_text(const RestNode& node) { return node.kind == RestNode::Kind::kString; }

}  // namespace

std::string rest_element(std::string_view list, std::size_t number) {
  return std::string(list) + "[" + std::to_string(number) + "]";
}

bool rest_read_integer(const RestNode& node, std::int64_t& value) {
  long long whole = 0;
  double number = 0;
  switch (node.kind) {
    case RestNode::Kind::kInteger:
    case RestNode::Kind::kString:
      if (!parse_int64(node.text, whole)) return false;
      value = whole;
      return true;
    case RestNode::Kind::kFloat:
      // 2^63 is a double, the greatest int64 is none.
      if (!parse_double(node.text, number) || !(std::fabs(number) < 9223372036854775808.0) ||
          number != std::trunc(number)) {
        return false;
      }
      value = static_cast<std::int64_t>(number);
      return true;
    default:
      return false;
  }
}

bool rest_read_number(const RestNode& node, double& value) {
  if (node.kind == RestNode::Kind::kString) return parse_double(node.text, value);
  if (node.kind != RestNode::Kind::kInteger && node.kind != RestNode::Kind::kFloat) return false;
  if (!parse_double(node.text, value)) return false;
  // What is written in digits is not to become an infinity.
  return std::isfinite(value) || node.text.find_first_of("NI") != std::string_view::npos;
}

void RestRequest::refuse(const std::string& path, std::uint32_t index) const {
  throw Error(ErrorCode::kInvalidParameter,
              "Invalid value " + document_.dump(index) + " for parameter '" + path +
                  "' supplied:  Hint: Value was of type '" +
                  rest_type_name(document_.at(index).kind) + "'." + kRestSeeDocs);
}

void RestRequest::refuse_missing(const std::string& path) {
  throw Error(ErrorCode::kInvalidParameter,
              "Missing value for required parameter '" + path + "'." + kRestSeeDocs);
}

// False for a body that is no object and not empty.
bool RestRequest::read_body() {
  rest_check_content_type(request_);
  for (std::size_t i = 0; i < count_; ++i) values_[i] = kRestNone;
  if (trim(request_.body).empty()) return true;
  bool read = document_.parse(request_.body);
  if (read && rest_is_text(document_.at(0))) {
    // Old clients encode the body twice.
    again_ = document_.at(0).text;
    read = document_.parse(again_);
  }
  if (!read) return false;
  if (document_.at(0).kind != RestNode::Kind::kObject) {
    return document_.at(0).kind == RestNode::Kind::kNull;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    std::uint32_t value = document_.member(0, fields_[i].name);
    const auto is_null = [&] {
      return value != kRestNone && document_.at(value).kind == RestNode::Kind::kNull;
    };
    if ((value == kRestNone || is_null()) && std::string_view(fields_[i].name) == "run_id") {
      value = document_.member(0, "run_uuid");
    }
    if (is_null()) value = kRestNone;
    values_[i] = value;
  }
  return true;
}

void RestRequest::read_query() {
  for (std::size_t i = 0; i < count_; ++i) {
    const RestField& field = fields_[i];
    values_[i] = kRestNone;
    if (field.type == RestType::kTexts) {
      std::uint32_t found = 0;
      for (const auto& parameter : request_.query) found += parameter.first == field.name ? 1 : 0;
      if (found == 0) continue;
      values_[i] = document_.add_array(found);
      for (const auto& parameter : request_.query) {
        if (parameter.first == field.name) document_.add_string(parameter.second);
      }
      continue;
    }
    const std::string* value = request_.query_value(field.name);
    if (value == nullptr && std::string_view(field.name) == "run_id") {
      value = request_.query_value("run_uuid");
    }
    if (value == nullptr) continue;
    if (field.type != RestType::kFlag) {
      values_[i] = document_.add_string(*value);
      continue;
    }
    const std::string word = to_lower(*value);
    if (word != "true" && word != "false") {
      throw Error(ErrorCode::kInvalidParameter,
                  "Invalid boolean value: " + *value + ", must be 'true' or 'false'.");
    }
    values_[i] =
        document_.add_word(word == "true" ? RestNode::Kind::kTrue : RestNode::Kind::kFalse);
  }
}

bool RestRequest::fits(const RestField& field, std::uint32_t index) const {
  const RestNode& node = document_.at(index);
  std::int64_t whole = 0;
  double number = 0;
  switch (field.type) {
    case RestType::kText:
      return rest_is_text(node);
    case RestType::kInteger:
      return rest_read_integer(node, whole) && (field.most < 0 || whole <= field.most);
    case RestType::kNumber:
      return rest_read_number(node, number);
    case RestType::kFlag:
      return node.kind == RestNode::Kind::kTrue || node.kind == RestNode::Kind::kFalse;
    case RestType::kChoice:
      return rest_is_text(node) || node.kind == RestNode::Kind::kInteger;
    case RestType::kTexts:
    case RestType::kObjects:
      break;
  }
  if (node.kind != RestNode::Kind::kArray) return false;
  const auto wanted =
      field.type == RestType::kTexts ? RestNode::Kind::kString : RestNode::Kind::kObject;
  for (std::uint32_t i = index + 1; i < node.next; i = document_.at(i).next) {
    if (document_.at(i).kind != wanted) return false;
  }
  return true;
}

void RestRequest::check(const RestField* fields, std::size_t count) {
  fields_ = fields;
  count_ = count;
  bool is_object = true;
  if (request_.method == "GET" && !request_.query.empty()) {
    read_query();
  } else {
    is_object = read_body();
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t value = values_[i];
    const bool missing = value == kRestNone ||
                         (rest_is_text(document_.at(value)) && document_.at(value).text.empty());
    if (missing && fields[i].required) refuse_missing(fields[i].name);
    if (value != kRestNone && !fits(fields[i], value)) refuse(fields[i].name, value);
  }
  if (is_object) return;
  throw Error(ErrorCode::kBadRequest,
              "the body of the request is not a JSON object" +
                  (document_.reason().empty() ? std::string() : ": " + document_.reason()));
}

std::uint32_t RestRequest::find(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (name == fields_[i].name) return values_[i];
  }
  return kRestNone;
}

std::string RestRequest::text(std::string_view name) const {
  const std::uint32_t value = find(name);
  return value == kRestNone ? std::string() : std::string(document_.at(value).text);
}

std::int64_t RestRequest::integer(std::string_view name, std::int64_t otherwise) const {
  const std::uint32_t value = find(name);
  if (value != kRestNone) rest_read_integer(document_.at(value), otherwise);
  return otherwise;
}

double RestRequest::number(std::string_view name) const {
  const std::uint32_t value = find(name);
  double number = 0;
  if (value != kRestNone) rest_read_number(document_.at(value), number);
  return number;
}

bool RestRequest::flag(std::string_view name) const {
  const std::uint32_t value = find(name);
  return value != kRestNone && document_.at(value).kind == RestNode::Kind::kTrue;
}

std::vector<std::string> RestRequest::texts(std::string_view name) const {
  std::vector<std::string> found;
  const std::uint32_t list = find(name);
  if (list == kRestNone) return found;
  for (std::uint32_t i = list + 1; i < document_.at(list).next; ++i) {
    found.emplace_back(document_.at(i).text);
  }
  return found;
}

int RestRequest::choice(std::string_view name, const char* const* names, int count) const {
  const std::uint32_t value = find(name);
  if (value == kRestNone) return -1;
  const RestNode& node = document_.at(value);
  std::int64_t number = 0;
  const bool numbered = rest_read_integer(node, number);
  for (int i = 0; i < count; ++i) {
    if (numbered ? number == i + 1 : node.text == names[i]) return i;
  }
  if (numbered) refuse(std::string(name), value);
  std::string known;
  for (int i = 0; i < count; ++i) known += (i > 0 ? ", " : "") + std::string(names[i]);
  throw Error(ErrorCode::kInvalidParameter, "Invalid value " + document_.dump(value) +
                                                " for parameter '" + std::string(name) +
                                                "' supplied: it is one of " + known + ".");
}

std::vector<std::uint32_t> RestRequest::objects(std::string_view name) const {
  std::vector<std::uint32_t> found;
  const std::uint32_t list = find(name);
  if (list == kRestNone) return found;
  for (std::uint32_t i = list + 1; i < document_.at(list).next; i = document_.at(i).next) {
    found.push_back(i);
  }
  return found;
}

std::string RestRequest::member_text(std::uint32_t object, const char* name,
                                     const std::string& path) const {
  const std::uint32_t value = document_.member(object, name);
  if (value == kRestNone || document_.at(value).kind == RestNode::Kind::kNull) return {};
  if (!rest_is_text(document_.at(value))) refuse(path + "." + name, value);
  return std::string(document_.at(value).text);
}

std::vector<Tag> RestRequest::tags(std::string_view name, bool key_required) const {
  std::vector<Tag> found;
  for (const std::uint32_t object : objects(name)) {
    const std::string path = rest_element(name, found.size());
    found.push_back({member_text(object, "key", path), member_text(object, "value", path)});
    if (key_required && found.back().key.empty()) refuse_missing(path + ".key");
  }
  return found;
}

std::vector<Param> RestRequest::params(std::string_view name, bool key_required) const {
  std::vector<Param> found;
  for (Tag& tag : tags(name, key_required)) {
    found.push_back({std::move(tag.key), std::move(tag.value)});
  }
  return found;
}

}  // namespace mlrt
