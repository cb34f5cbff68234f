#ifndef MLRT_STORE_DURABILITY_HPP_
#define MLRT_STORE_DURABILITY_HPP_

namespace mlrt {

// What an acknowledged record survives. A record is acknowledged when the call that logs it
// returns.
enum class Durability {
  kProcess,  // the end of the process by any means (kill -9); a power cut loses at most the last
             // second before it
  kPower,    // a power cut too: a call returns when the disk has its record
};

}  // namespace mlrt

#endif  // MLRT_STORE_DURABILITY_HPP_
