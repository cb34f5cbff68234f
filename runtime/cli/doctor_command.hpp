#ifndef MLRT_CLI_DOCTOR_COMMAND_HPP_
#define MLRT_CLI_DOCTOR_COMMAND_HPP_

#include "cli/arguments.hpp"

namespace mlrt {

struct DoctorOptions {
  bool artifacts = false;  // read all artifacts too, and compare them with their SHA-256
  bool json = false;
};

// Checks the store, and prints versions, counts and sizes. Changes nothing. Returns the exit code:
// that of kDataCorrupt if a defect was found, else 0. Throws what Session and inspect_store throw.
int run_doctor(const GlobalOptions& global, const DoctorOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_DOCTOR_COMMAND_HPP_
