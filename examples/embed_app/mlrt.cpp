// The one file that holds mlrt's implementation; all others just include the header.
#define MLRT_IMPLEMENTATION
#include "mlrt.hpp"
