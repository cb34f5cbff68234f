#ifndef MLRT_STORE_JOURNAL_NAMES_HPP_
#define MLRT_STORE_JOURNAL_NAMES_HPP_

#include <string>
#include <string_view>

#include "core/fs_file.hpp"

namespace mlrt {

// Internal to store/journal*.cpp: how files come to their names and go.

bool is_journal_writer_id(std::string_view text);  // 32 hex digits, lower case

// A file beside where it is to be, under a temporary name, so that nobody sees it before it is
// whole. Removed with the object unless it was published.
class JournalUnfinishedFile {
 public:
  explicit JournalUnfinishedFile(const std::string& path);
  ~JournalUnfinishedFile();
  JournalUnfinishedFile(const JournalUnfinishedFile&) = delete;
  JournalUnfinishedFile& operator=(const JournalUnfinishedFile&) = delete;

  fs::File& file() { return file_; }
  fs::File publish(const std::string& path);  // under its name, still open

 private:
  fs::File file_;
  bool published_ = false;
};

// Segments of a writer, and what it had not finished; lower segments first.
void remove_journal_segments(const std::string& store_path, const std::string& writer_id);

// Where it matters to nobody if it cannot be removed: throws nothing.
void remove_journal_folder_if_empty(const std::string& folder);

}  // namespace mlrt

#endif  // MLRT_STORE_JOURNAL_NAMES_HPP_
