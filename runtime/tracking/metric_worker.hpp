#ifndef MLRT_TRACKING_METRIC_WORKER_HPP_
#define MLRT_TRACKING_METRIC_WORKER_HPP_

// Internal to metric_journal*.cpp: the thread of a journal and what it shares with those who log.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "tracking/metric_journal.hpp"

namespace mlrt {

// How long the thread lets metrics gather before it brings them in. Readers elsewhere are promised
// 200 ms.
constexpr std::chrono::milliseconds kGatherTime{50};

// What the thread and those who wait for it share. A child of a fork leaves the parent's alone: the
// thread is not there, and waiting threads neither.
struct MetricJournal::Worker {
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  bool urgent = false;    // somebody waits at the bound of the backlog
  bool troubled = false;  // nothing was brought in, at last
  char error[500] = {};   // why
  bool told_no_thread = false;
  std::int64_t no_thread_ms = 0;  // when it could not be made
  // Of the thread, or of another one that does its work: what follows.
  std::mutex duty;
  std::int64_t alone_ms = 0;  // when another did it
  std::int64_t patience_ms = 0;
  std::int64_t pause_ms = 0, retry_ms = 0;
  std::int64_t last_sync_ms = 0;
  std::int64_t limits_ms = 0;    // when the store's limits were last applied
  std::condition_variable room;  // with MetricJournal::mutex_
  // In the mode that survives a power cut, of those who acknowledge; else of the thread.
  std::mutex sync_mutex;
  std::condition_variable synced_more;
  bool is_syncing = false;
  std::int64_t synced = 1;  // slots below are on the disk
  std::thread thread;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_METRIC_WORKER_HPP_
