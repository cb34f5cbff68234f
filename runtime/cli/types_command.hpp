#ifndef MLRT_CLI_TYPES_COMMAND_HPP_
#define MLRT_CLI_TYPES_COMMAND_HPP_

#include <string>

namespace mlrt {

// Writes the Lua-language-server stubs of the whole API below `folder`, which is made on demand;
// files of these names are replaced. Prints what it wrote. Throws what core/fs.hpp throws.
void run_types(const std::string& folder);

}  // namespace mlrt

#endif  // MLRT_CLI_TYPES_COMMAND_HPP_
