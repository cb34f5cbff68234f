// Zip container and manifest: what opens reads the same twice, and was checked.

#include "bundle/archive.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    mlrt::BundleArchive archive(mlrt::fuzz::input_text(data, size), "'input'");
    mlrt::fuzz::require(archive.contains("MLmodel"), "a bundle that opens has an MLmodel");
    for (const std::string& name : archive.names()) {
      mlrt::fuzz::require(mlrt::fs::is_safe_relative(name), "names in a bundle are safe");
      try {
        std::string_view content = archive.read(name);
        mlrt::fuzz::require(content == archive.read(name), "a file reads the same twice");
      } catch (const mlrt::Error&) {
      }
    }
    archive.verify();
  } catch (const mlrt::Error&) {
  }
  return 0;
}
