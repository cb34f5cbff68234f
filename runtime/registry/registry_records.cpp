#include "registry/registry_records.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr const char* kRegistryStages[] = {"None", "Staging", "Production", "Archived"};

const char* registry_find_stage(std::string_view stage) {
  const std::string lower = to_lower(stage);
  for (const char* known : kRegistryStages) {
    if (to_lower(known) == lower) return known;
  }
  return nullptr;
}

}  // namespace

const char kPromptTag[] = "mlflow.prompt.is_prompt";

bool is_stage(std::string_view text) { return registry_find_stage(text) != nullptr; }

std::string canonical_stage(std::string_view stage) {
  if (const char* known = registry_find_stage(stage)) return known;
  throw Error(ErrorCode::kInvalidParameter,
              "Invalid Model Version stage: " + quoted(stage) +
                  ". Value must be one of None, Staging, Production, Archived.");
}

}  // namespace mlrt
