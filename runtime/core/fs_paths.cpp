#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/fs.hpp"
#include "core/fs_calls.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace fs {
namespace {

constexpr std::size_t kFsLongestSafePath = 4096;

}  // namespace

std::string absolute(const std::string& path) {
  std::string whole = !path.empty() && path[0] == '/' ? path : join(current_folder(), path);
  std::string out;
  for (const std::string& part : split(whole, '/')) {
    // ".." stays: behind a link it does not undo the part before it.
    if (!part.empty() && part != ".") out += "/" + part;
  }
  return out.empty() ? "/" : out;
}

std::string real_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) return {};
  char* found = nullptr;
  fs_call(Op::kStat, path, [&] {
    found = ::realpath(path.c_str(), nullptr);
    return found == nullptr ? -1 : 0;
  });
  std::string real = found == nullptr ? "" : found;
  std::free(found);
  return real;
}

std::string current_folder() {
  std::string buffer(256, '\0');
  for (;;) {
    int result = fs_call(Op::kStat, ".",
                         [&] { return ::getcwd(&buffer[0], buffer.size()) == nullptr ? -1 : 0; });
    if (result == 0) return buffer.substr(0, buffer.find('\0'));
    if (errno != ERANGE) throw_fs_error("find", "the current folder", errno, "folder any more");
    buffer.resize(buffer.size() * 2);
  }
}

std::string parent(const std::string& path) {
  std::string whole = fs_without_trailing_slashes(path);
  std::size_t slash = whole.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : fs_without_trailing_slashes(whole.substr(0, slash));
}

std::string basename(const std::string& path) {
  std::string whole = fs_without_trailing_slashes(path);
  if (whole == "/") return whole;
  std::size_t slash = whole.rfind('/');
  return slash == std::string::npos ? whole : whole.substr(slash + 1);
}

std::string extension(const std::string& path) {
  std::string name = basename(path);
  std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.find_first_not_of('.') >= dot) return {};
  return name.substr(dot);
}

std::string join(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  std::size_t from = 0;
  while (from < name.size() && name[from] == '/') ++from;
  std::string out = folder;
  if (from == name.size()) return out;
  if (out.back() != '/') out += '/';
  return out.append(name, from, std::string::npos);
}

bool is_temporary_name(std::string_view name) {
  constexpr std::string_view kEnd = ".tmp";
  constexpr std::size_t kHexDigits = 16;
  if (name.size() < 1 + kHexDigits + kEnd.size() || name.front() != '.') return false;
  if (name.substr(name.size() - kEnd.size()) != kEnd) return false;
  name.remove_suffix(kEnd.size());
  const std::string_view hex = name.substr(name.size() - kHexDigits);
  return name[name.size() - kHexDigits - 1] == '.' &&
         hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_safe_relative(std::string_view path) {
  if (path.empty() || path.size() > kFsLongestSafePath || !is_utf8(path)) return false;
  if (path.find('\\') != std::string_view::npos || path.find('\0') != std::string_view::npos) {
    return false;
  }
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

}  // namespace fs
}  // namespace mlrt
