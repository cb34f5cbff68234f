#ifndef MLRT_CORE_IDS_HPP_
#define MLRT_CORE_IDS_HPP_

#include <cstddef>
#include <string>

namespace mlrt {

// `size` bytes from the system's random source, as lower-case hex. Throws kIo if the source fails.
std::string random_hex(std::size_t size);

// A run id as MLflow's: 32 hex digits.
std::string new_run_id();

// A name for a run that was given none, such as "brisk-heron-412". Readable, not unique.
std::string random_run_name();

}  // namespace mlrt

#endif  // MLRT_CORE_IDS_HPP_
