#ifndef MLRT_CLI_RUN_OUTPUT_HPP_
#define MLRT_CLI_RUN_OUTPUT_HPP_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/listing.hpp"
#include "cli/store_access.hpp"
#include "tracking/records.hpp"

namespace mlrt {

// How runs are shown by more than one command.

// "1.5 s", "2.0 min"; empty while the run has no end.
std::string run_duration_text(const RunRecord& run);

// Four significant digits: for tables, where JSON and CSV have all of them.
std::string short_number(double value);

// "12 B", "3.4 KB", "1.2 GB": powers of 1024.
std::string size_text(std::uint64_t bytes);

// At most `most` characters, the last of them an ellipsis if some were left out.
std::string clipped(const std::string& text, std::size_t most);

// A value as a description shows it: clipped.
std::string described_value(const std::string& text);
// A part of a description: its title and, indented, its lines; nothing if it is empty.
void append_block(std::string& out, const char* title, const std::string& text, bool empty);

OrderedJson run_json(const RunRecord& run, const ExperimentNames& experiments);
void print_runs(OutputForm form, const std::vector<RunRecord>& runs,
                const ExperimentNames& experiments, const std::string& when_empty);

}  // namespace mlrt

#endif  // MLRT_CLI_RUN_OUTPUT_HPP_
