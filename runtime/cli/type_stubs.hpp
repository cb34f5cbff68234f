#ifndef MLRT_CLI_TYPE_STUBS_HPP_
#define MLRT_CLI_TYPE_STUBS_HPP_

#include <cstddef>

#include "lua/embedded.hpp"

namespace mlrt {

// The files of stdlib/types, as kEmbeddedFiles has those of stdlib/: names below that folder. In a
// table of their own, so that no script can require them. scripts/embed --types generates it.
extern const EmbeddedFile kTypeStubs[];
extern const std::size_t kTypeStubCount;

}  // namespace mlrt

#endif  // MLRT_CLI_TYPE_STUBS_HPP_
