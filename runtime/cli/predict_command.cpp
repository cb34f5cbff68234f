#include "cli/predict_command.hpp"

#include <stdio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "cli/output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "data/csv.hpp"
#include "server/scoring_input.hpp"
#include "server/scoring_routes.hpp"

namespace mlrt {
namespace {

constexpr const char* kPredictInput = "the standard input";
constexpr std::uint64_t kPredictMaxBytes = std::uint64_t{4} << 30;

std::string predict_read_input() {
  std::string text;
  std::vector<char> piece(std::size_t{1} << 16);
  while (const std::size_t size = fread(piece.data(), 1, piece.size(), stdin)) {
    text.append(piece.data(), size);
    if (text.size() > kPredictMaxBytes)
      throw Error(ErrorCode::kTooLarge, std::string(kPredictInput) + " is larger than 4 GiB");
  }
  if (ferror(stdin) != 0)
    throw Error(ErrorCode::kIo,
                std::string("cannot read ") + kPredictInput + ": " + std::strerror(errno));
  return text;
}

// Both as a scoring server reads and answers them.
std::string predict_text(const Model& model, const std::string& file, bool as_json) {
  const bool from_input = file.empty() || file == "-";
  const std::string text = from_input ? predict_read_input() : fs::read_file(file);
  const std::string name = from_input ? kPredictInput : file;
  const Table rows = read_scoring_csv(text, name, model.signature());
  Table predictions;
  try {
    predictions = model.predict(rows);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    throw Error(error.code(), name + ": " + error.message(), error.detail());
  }
  if (!as_json) return format_csv(predictions);
  const Column& column = predictions.columns().front();
  std::vector<double> values(column.size());
  for (std::size_t row = 0; row < values.size(); ++row) values[row] = column.number(row);
  return format_predictions(values) + "\n";
}

}  // namespace

void run_predict(const GlobalOptions& global, const PredictCommandOptions& options) {
  const bool as_json = options.format == "json";
  if (!as_json && !options.format.empty() && options.format != "csv")
    throw Error(ErrorCode::kUsage, "--format is csv or json, not " + quoted(options.format));
  const std::string text =
      predict_text(*load_named_model(global, options.model), options.file, as_json);
  if (options.output.empty() || options.output == "-") {
    print_out(text);
  } else {
    fs::write_file(options.output, text);
    print_out("wrote the predictions to " + quoted(options.output, 300) + "\n");
  }
}

}  // namespace mlrt
