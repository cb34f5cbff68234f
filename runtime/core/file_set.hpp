#ifndef MLRT_CORE_FILE_SET_HPP_
#define MLRT_CORE_FILE_SET_HPP_

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// The files of a model by relative path ("MLmodel", "data/model.json"), wherever they lie: in
// memory, in a folder, in a bundle.
class FileSet {
 public:
  virtual ~FileSet() = default;

  // Names, sorted by byte.
  virtual std::vector<std::string> names() const = 0;
  virtual bool contains(const std::string& name) const = 0;

  // The bytes of one file; valid as long as the set lives. Throws kNotFound that names the file,
  // and kDataCorrupt if the stored bytes are not what was written.
  virtual std::string_view read(const std::string& name) const = 0;
};

// Files held in memory, for building a model before it is written.
class MemoryFiles final : public FileSet {
 public:
  void add(std::string name, std::string bytes);  // replaces
  std::vector<std::string> names() const override;
  bool contains(const std::string& name) const override;
  std::string_view read(const std::string& name) const override;

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace mlrt

#endif  // MLRT_CORE_FILE_SET_HPP_
