#include "api/standard_tags.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kMaxGitFileBytes = std::uint64_t{16} << 20;
constexpr int kMaxFolderDepth = 128;
constexpr int kMaxGitReferences = 5;  // a reference may name another one
constexpr std::int64_t kRunSourceAgeMs = 1000;

bool git_is_hash(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string git_read(const std::string& path) {
  if (!fs::is_file(path)) return std::string();
  return std::string(trim(fs::read_file(path, kMaxGitFileBytes)));
}

// `path`, if relative then seen from `folder`.
std::string git_join(const std::string& folder, const std::string& path) {
  return starts_with(path, "/") ? path : fs::join(folder, path);
}

// git's folder of the working tree that holds `folder`: ".git", or where a file of that name
// points, as in a worktree or submodule.
std::string git_find_folder(std::string folder) {
  for (int depth = 0; depth < kMaxFolderDepth; ++depth) {
    const std::string candidate = fs::join(folder, ".git");
    if (fs::is_folder(candidate)) return candidate;
    if (fs::is_file(candidate)) {
      const std::string text = git_read(candidate);
      constexpr std::string_view kPrefix = "gitdir: ";
      return starts_with(text, kPrefix) ? git_join(folder, text.substr(kPrefix.size()))
                                        : std::string();
    }
    const std::string above = fs::parent(folder);
    if (above == folder) break;
    folder = above;
  }
  return std::string();
}

std::string git_packed_reference(const std::string& folder, const std::string& name) {
  for (const std::string& line : split(git_read(fs::join(folder, "packed-refs")), '\n')) {
    const std::size_t space = line.find(' ');
    if (space != std::string::npos && trim(std::string_view(line).substr(space + 1)) == name &&
        git_is_hash(std::string_view(line).substr(0, space))) {
      return line.substr(0, space);
    }
  }
  return std::string();
}

std::string git_head_commit(const std::string& git_folder) {
  std::string common = git_read(fs::join(git_folder, "commondir"));
  common = common.empty() ? git_folder : git_join(git_folder, common);

  std::string value = git_read(fs::join(git_folder, "HEAD"));
  for (int i = 0; i < kMaxGitReferences; ++i) {
    if (git_is_hash(value)) return value;
    constexpr std::string_view kPrefix = "ref: ";
    if (!starts_with(value, kPrefix)) return std::string();
    const std::string name(trim(std::string_view(value).substr(kPrefix.size())));
    if (!fs::is_safe_relative(name)) return std::string();
    value = git_read(fs::join(git_folder, name));
    if (value.empty()) value = git_read(fs::join(common, name));
    if (value.empty()) value = git_packed_reference(common, name);
  }
  return std::string();
}

}  // namespace

std::string current_user() {
  for (const char* variable : {"LOGNAME", "USER", "LNAME", "USERNAME"}) {
    const char* value = std::getenv(variable);
    if (value && *value && is_utf8(value)) return value;
  }
  // Read rather than asked of libc, which would load name service libraries.
  const std::string own_id = std::to_string(geteuid());
  try {
    for (const std::string& line : split(fs::read_file("/etc/passwd", kMaxGitFileBytes), '\n')) {
      const std::vector<std::string> fields = split(line, ':');
      if (fields.size() >= 3 && fields[2] == own_id && !fields[0].empty() && is_utf8(fields[0]))
        return fields[0];
    }
  } catch (const Error&) {
    // A system without that file has no name for the user.
  }
  return "unknown";
}

std::string git_commit_of(const std::string& folder) {
  try {
    const std::string git_folder = git_find_folder(fs::absolute(folder));
    return git_folder.empty() ? std::string() : git_head_commit(git_folder);
  } catch (const Error&) {
    return std::string();  // a run is not refused for what lies around it
  }
}

std::vector<Tag> standard_run_tags(const std::string& source_name) {
  std::string source = source_name.empty() ? program_invocation_name : source_name;
  if (!is_utf8(source)) source = "unknown";
  std::vector<Tag> tags = {{"mlflow.user", current_user()},
                           {"mlflow.source.name", source},
                           {"mlflow.source.type", "LOCAL"}};
  std::string folder = ".";
  try {
    // A script says more about its code than the folder it happens to run in.
    if (!source_name.empty() && fs::is_file(source)) folder = fs::parent(fs::absolute(source));
  } catch (const Error&) {
    folder = ".";
  }
  const std::string commit = git_commit_of(folder);
  if (!commit.empty()) tags.push_back({"mlflow.source.git.commit", commit});
  return tags;
}

const std::vector<Tag>& RunSource::tags(const std::string& source_name) {
  const std::int64_t now = monotonic_ms();
  if (tags_.empty() || name_ != source_name || now - read_at_ms_ >= kRunSourceAgeMs) {
    tags_ = standard_run_tags(source_name);
    name_ = source_name;
    read_at_ms_ = now;
  }
  return tags_;
}

}  // namespace mlrt
