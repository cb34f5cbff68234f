#ifndef MLRT_LUA_EMBEDDED_HPP_
#define MLRT_LUA_EMBEDDED_HPP_

#include <cstddef>

namespace mlrt {

// One file of stdlib/ inside the executable. The bytes are static: they live as long as the
// program.
struct EmbeddedFile {
  const char* name;           // the path below stdlib/, with '/': "mlrt/table.lua"
  const unsigned char* data;  // the file's bytes, not ended by a zero that counts
  std::size_t size_bytes;
};

// The table, ordered by name (bytewise), so that a name can be found by bisection. scripts/embed
// generates its definition. Read only: safe from any thread. With no files it holds one empty
// entry, and the count is 0.
extern const EmbeddedFile kEmbeddedFiles[];
extern const std::size_t kEmbeddedFileCount;

}  // namespace mlrt

#endif  // MLRT_LUA_EMBEDDED_HPP_
