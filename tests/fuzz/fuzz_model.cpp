// Models: what loads is saved and loads again, and predicts.
//
// An input is a folder in one text: a line "=== NAME" begins the file NAME.

#include "core/error.hpp"
#include "core/file_set.hpp"
#include "core/text.hpp"
#include "fuzz_target.hpp"
#include "model/model.hpp"

namespace {

mlrt::MemoryFiles split_model_files(std::string_view text) {
  constexpr std::string_view kMark = "=== ";
  mlrt::MemoryFiles files;
  while (mlrt::starts_with(text, kMark)) {
    const std::size_t line_end = text.find('\n');
    if (line_end == std::string_view::npos) break;
    const std::string name(text.substr(kMark.size(), line_end - kMark.size()));
    text.remove_prefix(line_end + 1);
    std::size_t end = mlrt::starts_with(text, kMark) ? 0 : text.find("\n=== ");
    end = end == std::string_view::npos ? text.size() : end == 0 ? 0 : end + 1;
    files.add(name, std::string(text.substr(0, end)));
    text.remove_prefix(end);
  }
  return files;
}

// One row of zeros and "x"s for the model's inputs.
mlrt::Table one_row(const mlrt::Signature& signature) {
  mlrt::Table table;
  for (const mlrt::ColumnSpec& input : signature.inputs) {
    if (input.type == "string") {
      table.set(mlrt::Column::of_strings(input.name, {"x"}));
    } else if (input.type == "boolean") {
      table.set(mlrt::Column::of_booleans(input.name, {1}));
    } else if (input.type == "double" || input.type == "float") {
      table.set(mlrt::Column::of_doubles(input.name, {0.0}));
    } else {
      table.set(mlrt::Column::of_longs(input.name, {0}));
    }
  }
  return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mlrt::MemoryFiles files = split_model_files(mlrt::fuzz::input_text(data, size));
  std::shared_ptr<const mlrt::Model> model;
  try {
    model = mlrt::Model::load(files);
  } catch (const mlrt::Error&) {
    return 0;
  }
  // Outside of the try: a model that loaded is saved, loaded and asked without an error.
  const mlrt::MemoryFiles saved = model->save();
  const std::shared_ptr<const mlrt::Model> again = mlrt::Model::load(saved);
  const mlrt::MemoryFiles saved_again = again->save();
  mlrt::fuzz::require(saved.names() == saved_again.names(), "a model saves the same files twice");
  for (const std::string& name : saved.names()) {
    mlrt::fuzz::require(saved.read(name) == saved_again.read(name),
                        "a model that was saved and loaded saves the same bytes");
  }
  const mlrt::Table row = one_row(model->signature());
  mlrt::fuzz::require(model->predict(row).row_count() == 1, "a model gives a row for a row");
  return 0;
}
