#ifndef MLRT_CORE_VERSION_HPP_
#define MLRT_CORE_VERSION_HPP_

// The one place that states the version: the build, the single header and `mlrt --version` read it.
#define MLRT_VERSION "0.1.0"

#endif  // MLRT_CORE_VERSION_HPP_
