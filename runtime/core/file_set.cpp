#include "core/file_set.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {

void MemoryFiles::add(std::string name, std::string bytes) {
  files_[std::move(name)] = std::move(bytes);
}

std::vector<std::string> MemoryFiles::names() const {
  std::vector<std::string> names;
  for (const auto& file : files_) names.push_back(file.first);
  return names;
}

bool MemoryFiles::contains(const std::string& name) const { return files_.count(name) > 0; }

std::string_view MemoryFiles::read(const std::string& name) const {
  auto found = files_.find(name);
  if (found == files_.end())
    throw Error(ErrorCode::kNotFound, "the model has no file " + quoted(name));
  return found->second;
}

}  // namespace mlrt
