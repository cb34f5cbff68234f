#include "cli/types_command.hpp"

#include <string_view>

#include "cli/output.hpp"
#include "cli/type_stubs.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {

void run_types(const std::string& folder) {
  std::string wrote;
  for (std::size_t i = 0; i < kTypeStubCount; ++i) {
    const EmbeddedFile& stub = kTypeStubs[i];
    const std::string path = fs::join(folder, stub.name);
    fs::make_folders(fs::parent(path));
    fs::write_file(path,
                   std::string_view(reinterpret_cast<const char*>(stub.data), stub.size_bytes));
    wrote += "wrote " + quoted(path, 400) + "\n";
  }
  print_out(wrote + "to use it, in .luarc.json: {\"workspace.library\": [\"" + folder + "\"]}\n");
}

}  // namespace mlrt
