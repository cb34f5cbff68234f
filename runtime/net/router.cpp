#include "net/router.hpp"

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kRouterFirstServerError = 500;

// "/a/b" is {"a", "b"}, "/" is {""}; views into `path`, which starts with '/'.
std::vector<std::string_view> router_split(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t start = 1;
  for (;;) {
    const std::size_t end = path.find('/', start);
    if (end == std::string_view::npos) break;
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  parts.push_back(path.substr(start));
  return parts;
}

[[noreturn]] void router_nothing_there(const HttpRequest& request) {
  throw Error(ErrorCode::kEndpointNotFound,
              "there is nothing at " + request.method + " " + quoted(request.path));
}

Error router_internal_error(const std::exception& error) {
  return Error(ErrorCode::kInternal, "internal error; the server's log says more", error.what());
}

[[noreturn]] void router_bad_pattern(std::string_view pattern, const char* why) {
  throw Error(ErrorCode::kInternal, "the route " + quoted(pattern) + " " + why);
}

}  // namespace

const std::string& PathParams::at(std::string_view name) const {
  const std::string* value = find_http_field(values_, name);
  if (value == nullptr) {
    throw Error(ErrorCode::kInternal, "the route has no part {" + std::string(name) + "}");
  }
  return *value;
}

void PathParams::set(std::string name, std::string value) {
  values_.emplace_back(std::move(name), std::move(value));
}

template <typename Step>
void HttpUpload::attempt(const Step& step) {
  try {
    step();
    return;
  } catch (const Error& error) {
    answer_ = router_.error_response(error, request_);
  } catch (const std::exception& error) {
    answer_ = router_.error_response(router_internal_error(error), request_);
  }
  sink_.reset();
}

void HttpUpload::write(std::string_view bytes) {
  if (sink_ == nullptr || bytes.empty()) return;
  attempt([&] { sink_->write(bytes); });
}

HttpResponse HttpUpload::finish() {
  if (sink_ != nullptr) {
    attempt([&] {
      answer_ = sink_->finish();
      check_http_response(answer_);
    });
    sink_.reset();
  }
  return std::move(answer_);
}

void Router::add(std::string method, std::string_view pattern, HttpHandler handler) {
  if (!handler) router_bad_pattern(pattern, "has no handler");
  add_entry({Route{std::move(method), std::string(pattern)}, {}, std::move(handler), nullptr});
}

void Router::add_upload(std::string method, std::string_view pattern, HttpSinkMaker maker) {
  if (!maker) router_bad_pattern(pattern, "has no handler");
  add_entry({Route{std::move(method), std::string(pattern)}, {}, nullptr, std::move(maker)});
}

void Router::add_entry(Entry entry) {
  const std::string& pattern = entry.route.pattern;
  if (!is_http_token(entry.route.method)) {
    router_bad_pattern(pattern, "has a method that is not a word");
  }
  if (pattern.empty() || pattern[0] != '/') router_bad_pattern(pattern, "does not start with '/'");
  std::set<std::string> names;
  for (const std::string_view part : router_split(pattern)) {
    if (!entry.segments.empty() && entry.segments.back().kind == Segment::Kind::kTail) {
      router_bad_pattern(pattern, "goes on after its {name*}, which takes all the rest");
    }
    Segment segment{Segment::Kind::kLiteral, std::string(part)};
    if (part.size() > 2 && part.front() == '{' && part.back() == '}') {
      const bool tail = part[part.size() - 2] == '*';
      segment.kind = tail ? Segment::Kind::kTail : Segment::Kind::kParam;
      segment.text = std::string(part.substr(1, part.size() - (tail ? 3 : 2)));
      if (segment.text.empty() || !names.insert(segment.text).second) {
        router_bad_pattern(pattern, "has a part with no name, or a name twice");
      }
    }
    if (segment.text.find_first_of("{}*") != std::string::npos) {
      router_bad_pattern(pattern, "has a brace or star out of place; write /{name} or /{name*}");
    }
    entry.segments.push_back(std::move(segment));
  }
  for (const Entry& other : entries_) {
    // Two patterns that differ only in names would match the same requests.
    const bool same =
        other.route.method == entry.route.method && !more_literal(entry, other) &&
        !more_literal(other, entry) &&
        std::equal(other.segments.begin(), other.segments.end(), entry.segments.begin(),
                   entry.segments.end(), [](const Segment& a, const Segment& b) {
                     return a.kind != Segment::Kind::kLiteral || a.text == b.text;
                   });
    if (same) router_bad_pattern(pattern, "was added twice");
  }
  entries_.push_back(std::move(entry));
}

void Router::set_filter(HttpFilter filter) { filter_ = std::move(filter); }

void Router::set_error_handler(HttpErrorHandler handler) { error_handler_ = std::move(handler); }

bool Router::matches(const Entry& entry, const std::vector<std::string_view>& parts) {
  for (std::size_t i = 0; i < entry.segments.size(); ++i) {
    const Segment& segment = entry.segments[i];
    if (i >= parts.size()) return false;
    if (segment.kind == Segment::Kind::kTail) return true;
    if (segment.kind == Segment::Kind::kParam ? parts[i].empty() : parts[i] != segment.text) {
      return false;
    }
  }
  return entry.segments.size() == parts.size();
}

bool Router::more_literal(const Entry& a, const Entry& b) {
  return std::lexicographical_compare(
      a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
      [](const Segment& x, const Segment& y) { return x.kind < y.kind; });
}

// The route of the request, or null; `allowed` then names the methods that its path takes, if any.
const Router::Entry* Router::find(const HttpRequest& request,
                                  const std::vector<std::string_view>& parts,
                                  std::string& allowed) const {
  const Entry* best = nullptr;
  std::set<std::string> methods;
  for (const Entry& entry : entries_) {
    if (!matches(entry, parts)) continue;
    const std::string& method = entry.route.method;
    const bool for_get = request.method == "HEAD" && method == "GET";
    if (method == request.method || for_get) {
      if (best == nullptr || more_literal(entry, *best)) best = &entry;
    } else {
      methods.insert(method);
      if (method == "GET") methods.insert("HEAD");
    }
  }
  if (best == nullptr) allowed = join({methods.begin(), methods.end()}, ", ");
  return best;
}

PathParams Router::params_of(const Entry& entry, const HttpRequest& request,
                             const std::vector<std::string_view>& parts) {
  PathParams params;
  for (std::size_t i = 0; i < entry.segments.size(); ++i) {
    const Segment& segment = entry.segments[i];
    if (segment.kind == Segment::Kind::kParam) params.set(segment.text, std::string(parts[i]));
    if (segment.kind == Segment::Kind::kTail) {
      const auto offset = static_cast<std::size_t>(parts[i].data() - request.path.data());
      params.set(segment.text, request.path.substr(offset));
    }
  }
  return params;
}

HttpResponse Router::dispatch(const HttpRequest& request) const {
  if (filter_) {
    if (std::optional<HttpResponse> answer = filter_(request)) {
      check_http_response(*answer);
      return std::move(*answer);
    }
  }
  if (request.path.empty() || request.path[0] != '/') router_nothing_there(request);
  const std::vector<std::string_view> parts = router_split(request.path);
  std::string allowed;
  const Entry* entry = find(request, parts, allowed);
  if (entry == nullptr) {
    if (allowed.empty()) router_nothing_there(request);
    HttpResponse response = error_response(
        Error(ErrorCode::kMethodNotAllowed, quoted(request.path) + " does not take " +
                                                quoted(request.method) + "; it takes " + allowed),
        request);
    response.set_header("Allow", allowed);
    return response;
  }
  const PathParams params = params_of(*entry, request, parts);
  HttpResponse response;
  if (entry->sink_maker) {
    const std::unique_ptr<HttpBodySink> sink = entry->sink_maker(request, params);
    sink->write(request.body);
    response = sink->finish();
  } else {
    response = entry->handler(request, params);
  }
  check_http_response(response);
  return response;
}

HttpResponse Router::handle(const HttpRequest& request) const {
  try {
    return dispatch(request);
  } catch (const Error& error) {
    return error_response(error, request);
  } catch (const std::exception& error) {
    return error_response(router_internal_error(error), request);
  }
}

std::unique_ptr<HttpUpload> Router::begin_upload(const HttpRequest& request) const {
  // Most requests have a method that no upload has.
  const bool possible = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.sink_maker && entry.route.method == request.method;
  });
  if (!possible || request.path.empty() || request.path[0] != '/') return nullptr;
  const std::vector<std::string_view> parts = router_split(request.path);
  std::string allowed;
  const Entry* entry = find(request, parts, allowed);
  if (entry == nullptr || !entry->sink_maker) return nullptr;
  std::unique_ptr<HttpUpload> upload(new HttpUpload(*this, request));
  upload->attempt([&] {
    if (filter_) {
      if (std::optional<HttpResponse> answer = filter_(request)) {
        check_http_response(*answer);
        upload->answer_ = std::move(*answer);
        return;
      }
    }
    upload->sink_ = entry->sink_maker(request, params_of(*entry, request, parts));
  });
  return upload;
}

HttpResponse Router::error_response(const Error& error, const HttpRequest& request) const {
  const ErrorInfo& info = error_info(error.code());
  if (info.http_status >= kRouterFirstServerError) {
    log_error(error.message(), {{"code", info.name},
                                {"detail", error.detail()},
                                {"method", request.method},
                                {"path", request.path}});
  }
  try {
    if (error_handler_) {
      HttpResponse response = error_handler_(error, request);
      check_http_response(response);
      return response;
    }
  } catch (const std::exception& failure) {
    log_error("the error handler failed", {{"reason", failure.what()}, {"path", request.path}});
  }
  return error_json_response(error);
}

std::vector<Route> Router::routes() const {
  std::vector<Route> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) all.push_back(entry.route);
  return all;
}

}  // namespace mlrt
