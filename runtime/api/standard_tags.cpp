#include "api/standard_tags.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kMaxGitFileBytes = std::uint64_t{16} << 20;
constexpr int kMaxFolderDepth = 128;
constexpr int kMaxGitReferences = 5;  // a reference may name another one

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

std::string git_packed_reference(const std::string& packed, const std::string& name) {
  for (const std::string& line : split(packed, '\n')) {
    const std::size_t space = line.find(' ');
    if (space != std::string::npos && trim(std::string_view(line).substr(space + 1)) == name &&
        git_is_hash(std::string_view(line).substr(0, space))) {
      return line.substr(0, space);
    }
  }
  return std::string();
}

// `read` reads a file, as git_read does.
template <typename Read>
std::string git_head_commit(const std::string& git_folder, const Read& read) {
  std::string common = read(fs::join(git_folder, "commondir"));
  common = common.empty() ? git_folder : git_join(git_folder, common);

  std::string value = read(fs::join(git_folder, "HEAD"));
  for (int i = 0; i < kMaxGitReferences; ++i) {
    if (git_is_hash(value)) return value;
    constexpr std::string_view kPrefix = "ref: ";
    if (!starts_with(value, kPrefix)) return std::string();
    const std::string name(trim(std::string_view(value).substr(kPrefix.size())));
    if (!fs::is_safe_relative(name)) return std::string();
    value = read(fs::join(git_folder, name));
    if (value.empty() && common != git_folder) value = read(fs::join(common, name));
    if (value.empty()) value = git_packed_reference(read(fs::join(common, "packed-refs")), name);
  }
  return std::string();
}

// Read rather than asked of libc, which would load name service libraries.
std::string standard_system_user() {
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

}  // namespace

std::string current_user() {
  for (const char* variable : {"LOGNAME", "USER", "LNAME", "USERNAME"}) {
    const char* value = std::getenv(variable);
    if (value && *value && is_utf8(value)) return value;
  }
  static const std::string name = standard_system_user();
  return name;
}

std::string git_commit_of(const std::string& folder) { return GitCommit().of(folder); }

bool GitCommit::is_as_read() const {
  for (const File& file : files_) {
    if (fs::modified_ms(file.path) != file.modified_ms) return false;
  }
  return !files_.empty();
}

std::string GitCommit::of(const std::string& folder) {
  try {
    const std::string wanted = fs::absolute(folder);
    if (wanted == folder_ && is_as_read()) return commit_;
    files_.clear();
    folder_ = wanted;
    commit_.clear();
    const std::string git_folder = git_find_folder(wanted);
    if (git_folder.empty()) return commit_;
    std::vector<File> files;
    commit_ = git_head_commit(git_folder, [&files](const std::string& path) {
      // The time first: what changes after it is read again.
      files.push_back({path, fs::modified_ms(path)});
      return git_read(path);
    });
    files_ = std::move(files);
    return commit_;
  } catch (const Error&) {
    return std::string();  // a run is not refused for what lies around it
  }
}

std::vector<Tag> RunSource::tags(const std::string& source_name) {
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
  const std::string commit = commit_.of(folder);
  if (!commit.empty()) tags.push_back({"mlflow.source.git.commit", commit});
  return tags;
}

}  // namespace mlrt
