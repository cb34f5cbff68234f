#ifndef MLRT_TRACKING_METRIC_BLOCKS_HPP_
#define MLRT_TRACKING_METRIC_BLOCKS_HPP_

// Internal: how metrics lie in a store.
//
// A record of a metric is known by its run, its writer and its number among that writer's records.
// The records of one run, key, writer and link (what it was measured on) stand in blocks of up to
// kMetricBlockCapacity, in the order of their numbers. The bytes of a block are, a record: the
// number, the step and the timestamp as differences to the record before (of the first record: to
// first_seq, 0 and 0), the first as a base-128 number with the low bits first, the other two the
// same after a zigzag, all modulo 2^64; then the value's 8 bytes, low byte first.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

class Transaction;

constexpr std::size_t kMetricBlockCapacity = 512;

struct MetricPoint {
  std::int64_t seq = 0;
  std::int64_t step = 0;
  std::int64_t timestamp_ms = 0;
  double value = 0;
};

// Appends `point` to the bytes of a block whose last record was `before`; for the first record
// `before` is {first_seq, 0, 0}.
void encode_metric_point(std::string& data, const MetricPoint& before, const MetricPoint& point);

// Appends the records of a block to `points`. Throws kDataCorrupt, with `points` as it was, for
// bytes that are not exactly `count` records with rising numbers.
void decode_metric_block(std::string_view data, std::int64_t first_seq, std::int64_t count,
                         std::vector<MetricPoint>& points);

// One record on its way into the store; `metric` outlives the call, its timestamp is not 0 for
// "now".
struct MetricRecord {
  const Metric* metric = nullptr;
  std::int64_t seq = 0;
};

// Stores records of one writer to the run with the row number `run`, in ascending order of seq.
// What the store has already (a number not above the last one of the same run, key, writer and
// link) is ignored, so adding twice is harmless. Keeps latest_metrics and, of the logged models
// that the store has, logged_model_metrics: store a model before its metrics. Returns how many were
// new.
std::size_t add_metrics(Transaction& transaction, std::int64_t run, const std::string& writer_id,
                        const std::vector<MetricRecord>& records);

// The row numbers of metric keys, each looked up (and made on demand) once in a transaction.
class MetricKeys {
 public:
  explicit MetricKeys(Transaction& transaction) : transaction_(transaction) {}
  std::int64_t number(const std::string& name);

 private:
  Transaction& transaction_;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

// The same for records that are grouped already: `points`, in ascending order of seq, all have key
// and link of `example`. `writer` is a row number of writers.
std::size_t add_metric_points(Transaction& transaction, MetricKeys& keys, std::int64_t run,
                              std::int64_t writer, const Metric& example,
                              const std::vector<MetricPoint>& points);

// The row number of a writer that logs, made on demand.
std::int64_t live_writer_row(Transaction& transaction, const std::string& writer_id);

// Stores metrics that come from elsewhere, whose identity is their content: key, step, timestamp,
// value and link. What this function stored before, or stands twice in the list, is ignored.
// Returns how many were new. To be fast, hand over all points of a key at once.
std::size_t add_imported_metrics(Transaction& transaction, std::int64_t run,
                                 const std::vector<Metric>& metrics);

// The metrics of a run under `key`, by timestamp, step, value (NaN first); exact duplicates once,
// as MLflow shows them, the one that is linked to something before one that is not. With
// `max_points` other than 0 about that many of them at most: of as many stretches of equal length
// the records of the least and the greatest value, and the first and the last of all. Of these from
// number `offset` on at most `limit`.
std::vector<Metric> read_metric_history(Transaction& transaction, std::int64_t run,
                                        const std::string& key, std::size_t max_points = 0,
                                        std::size_t offset = 0, std::size_t limit = SIZE_MAX);

// The keys of a run that have records, sorted.
std::vector<std::string> metric_keys_of_run(Transaction& transaction, std::int64_t run);

}  // namespace mlrt

#endif  // MLRT_TRACKING_METRIC_BLOCKS_HPP_
