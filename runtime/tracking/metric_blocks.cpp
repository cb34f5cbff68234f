#include "tracking/metric_blocks.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "store/database.hpp"

namespace mlrt {
namespace {

constexpr char kMetricImportWriter[] = "import";
// As they stand in memory, low byte first (store/journal.cpp refuses to be built for others).
constexpr std::size_t kMetricValueBytes = sizeof(double);
// What is set aside for a history that says to be longer; it may be damaged.
constexpr std::int64_t kMaxMetricReserve = 1 << 22;

std::uint64_t metric_zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t metric_unzigzag(std::uint64_t bits) {
  return static_cast<std::int64_t>((bits >> 1) ^ (std::uint64_t{0} - (bits & 1)));
}

// Differences and sums that wrap, so that any two numbers can follow each other.
std::int64_t metric_minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

std::int64_t metric_plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

void metric_put_number(std::string& data, std::uint64_t bits) {
  while (bits >= 0x80) {
    data += static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  data += static_cast<char>(bits);
}

// False where the bytes end too early or mean more than 64 bits.
bool metric_get_number(std::string_view data, std::size_t& at, std::uint64_t& bits) {
  bits = 0;
  for (int shift = 0; shift < 64 && at < data.size(); shift += 7) {
    const std::uint64_t byte = static_cast<unsigned char>(data[at++]);
    if (shift == 63 && byte > 1) return false;
    bits |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool metric_decode(std::string_view data, std::int64_t first_seq, std::int64_t count,
                   std::vector<MetricPoint>& points) {
  if (count < 1 || count > static_cast<std::int64_t>(kMetricBlockCapacity)) return false;
  MetricPoint point{first_seq, 0, 0, 0};
  std::size_t at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint64_t seq = 0, step = 0, timestamp = 0;
    if (!metric_get_number(data, at, seq) || !metric_get_number(data, at, step) ||
        !metric_get_number(data, at, timestamp) || data.size() - at < kMetricValueBytes) {
      return false;
    }
    const std::int64_t before = point.seq;
    point.seq = metric_plus(before, static_cast<std::int64_t>(seq));
    if (i == 0 ? seq != 0 : point.seq <= before) return false;
    point.step = metric_plus(point.step, metric_unzigzag(step));
    point.timestamp_ms = metric_plus(point.timestamp_ms, metric_unzigzag(timestamp));
    std::memcpy(&point.value, data.data() + at, kMetricValueBytes);
    at += kMetricValueBytes;
    points.push_back(point);
  }
  return at == data.size();
}

// Values in an order that has a place for NaN: below all numbers.
bool metric_value_less(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  return a < b;
}

bool metric_same_value(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// What makes a metric the latest of a run (MLflow's rule) and of a logged model.
bool metric_later_in_run(const MetricPoint& a, const MetricPoint& b) {
  if (a.step != b.step) return a.step < b.step;
  if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
  return metric_value_less(a.value, b.value);
}

bool metric_later_in_time(const MetricPoint& a, const MetricPoint& b) {
  if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
  if (a.step != b.step) return a.step < b.step;
  return metric_value_less(a.value, b.value);
}

bool metric_same_point(const MetricPoint& a, const MetricPoint& b) {
  return a.step == b.step && a.timestamp_ms == b.timestamp_ms &&
         metric_same_value(a.value, b.value);
}

std::int64_t metric_writer_number(Transaction& transaction, const std::string& writer_id,
                                  const char* kind) {
  {
    Statement found =
        transaction.query("SELECT writer FROM writers WHERE writer_id = ?", writer_id);
    if (found.step()) return found.integer(0);
  }
  return transaction.insert("INSERT INTO writers (writer_id, kind) VALUES (?, ?) RETURNING writer",
                            writer_id, kind);
}

std::int64_t metric_link_number(Transaction& transaction, const Metric& metric) {
  if (metric.model_id.empty() && metric.dataset_name.empty() && metric.dataset_digest.empty())
    return 1;
  {
    Statement found = transaction.query(
        "SELECT link FROM metric_links WHERE model_id = ? AND dataset_name = ? AND dataset_digest "
        "= ?",
        metric.model_id, metric.dataset_name, metric.dataset_digest);
    if (found.step()) return found.integer(0);
  }
  return transaction.insert(
      "INSERT INTO metric_links (model_id, dataset_name, dataset_digest) VALUES (?, ?, ?) "
      "RETURNING link",
      metric.model_id, metric.dataset_name, metric.dataset_digest);
}

// Where a list of blocks is.
struct MetricPlace {
  std::int64_t run = 0;
  std::int64_t key = 0;
  std::int64_t writer = 0;
  std::int64_t link = 0;
};

// The last block of a place, to which more is appended.
class MetricAppender {
 public:
  MetricAppender(Transaction& transaction, const MetricPlace& place)
      : transaction_(transaction), place_(place) {
    Statement row = transaction.query(
        "SELECT first_seq, last_seq, last_step, last_timestamp, last_value, count, min, max, data "
        "FROM metric_blocks WHERE run = ? AND metric_key = ? AND writer = ? AND link = ? ORDER BY "
        "first_seq DESC LIMIT 1",
        place.run, place.key, place.writer, place.link);
    if (!row.step()) return;
    first_seq_ = row.integer(0);
    last_ = {row.integer(1), row.integer(2), row.integer(3), row.real(4)};
    count_ = row.integer(5);
    min_ = row.real(6);
    max_ = row.real(7);
    data_ = std::string(row.bytes(8));
    // Its bytes are checked by those who read them.
  }

  // The greatest number that is stored; none yet: nothing.
  std::optional<std::int64_t> last_seq() const {
    if (count_ == 0) return std::nullopt;
    return last_.seq;
  }

  // `point` comes after all that is stored.
  void add(const MetricPoint& point) {
    if (count_ >= static_cast<std::int64_t>(kMetricBlockCapacity)) {
      write();
      count_ = 0;
    }
    if (count_ == 0) {
      first_seq_ = point.seq;
      last_ = {point.seq, 0, 0, 0};
      min_ = max_ = std::numeric_limits<double>::quiet_NaN();
      data_.clear();
    }
    encode_metric_point(data_, last_, point);
    last_ = point;
    ++count_;
    if (!(min_ <= point.value) && !std::isnan(point.value)) min_ = point.value;
    if (!(max_ >= point.value) && !std::isnan(point.value)) max_ = point.value;
    changed_ = true;
  }

  void write() {
    if (!changed_) return;
    transaction_.run(
        "INSERT INTO metric_blocks (run, metric_key, writer, link, first_seq, last_seq, last_step, "
        "last_timestamp, last_value, count, min, max, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?) ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, last_step = "
        "excluded.last_step, last_timestamp = excluded.last_timestamp, last_value = "
        "excluded.last_value, count = excluded.count, min = excluded.min, max = excluded.max, data "
        "= excluded.data",
        place_.run, place_.key, place_.writer, place_.link, first_seq_, last_.seq, last_.step,
        last_.timestamp_ms, last_.value, count_, min_, max_, StoreBlob{data_});
    changed_ = false;
  }

 private:
  Transaction& transaction_;
  MetricPlace place_;
  std::int64_t first_seq_ = 0;
  MetricPoint last_;
  std::int64_t count_ = 0;
  double min_ = 0, max_ = 0;
  std::string data_;
  bool changed_ = false;
};

// Records of one key and link.
struct MetricGroup {
  const Metric* example = nullptr;
  std::vector<MetricPoint> points;
};

std::vector<MetricGroup> metric_groups(const std::vector<MetricRecord>& records) {
  using Name = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>;
  std::map<Name, std::size_t> places;
  std::vector<MetricGroup> groups;
  for (const MetricRecord& record : records) {
    const Metric& metric = *record.metric;
    const Name name(metric.key, metric.model_id, metric.dataset_name, metric.dataset_digest);
    const auto [place, is_new] = places.emplace(name, groups.size());
    if (is_new) groups.push_back({&metric, {}});
    groups[place->second].points.push_back(
        {record.seq, metric.step, metric.timestamp_ms, metric.value});
  }
  return groups;
}

// Of the points that were stored, makes the latest one the run's and its model's, if it is that.
void metric_update_latest(Transaction& transaction, const MetricPlace& place, const Metric& example,
                          const std::vector<MetricPoint>& points) {
  const MetricPoint& last = *std::max_element(points.begin(), points.end(), metric_later_in_run);
  // The greatest (step, timestamp, value). A NaN, which is NULL here, is below all values, so that
  // the order of arrival does not matter.
  transaction.run(
      "INSERT INTO latest_metrics (run, metric_key, step, timestamp, value, link) VALUES (?, ?, ?, "
      "?, ?, ?) ON CONFLICT (run, metric_key) DO UPDATE SET step = excluded.step, timestamp = "
      "excluded.timestamp, value = excluded.value, link = excluded.link WHERE excluded.step > step "
      "OR (excluded.step = step AND (excluded.timestamp > timestamp OR (excluded.timestamp = "
      "timestamp AND (value IS NULL OR excluded.value > value))))",
      place.run, place.key, last.step, last.timestamp_ms, last.value, place.link);
  if (example.model_id.empty()) return;
  const MetricPoint& newest = *std::max_element(points.begin(), points.end(), metric_later_in_time);
  transaction.run(
      "INSERT INTO logged_model_metrics (model, metric_key, run, dataset_name, dataset_digest, "
      "step, timestamp, value) SELECT model, ?, ?, ?, ?, ?, ?, ? FROM logged_models WHERE model_id "
      "= ? ON CONFLICT DO UPDATE SET step = excluded.step, timestamp = excluded.timestamp, value = "
      "excluded.value WHERE excluded.timestamp > timestamp OR (excluded.timestamp = timestamp AND "
      "(excluded.step > step OR (excluded.step = step AND (value IS NULL OR excluded.value > "
      "value))))",
      place.key, place.run, example.dataset_name, example.dataset_digest, newest.step,
      newest.timestamp_ms, newest.value, example.model_id);
}

[[noreturn]] void metric_fail_damaged(std::int64_t run, std::int64_t key) {
  throw Error(ErrorCode::kDataCorrupt,
              "the store is damaged: a block of metrics cannot be read; restore it from a copy",
              "metric_blocks: run " + std::to_string(run) + ", metric_key " + std::to_string(key));
}

// A record as it is read. Its `seq` is its link's row number, in place of its own: most of the time
// that a long history takes goes into the memory for it.
using MetricRow = MetricPoint;

bool metric_row_less(const MetricRow& a, const MetricRow& b) {
  if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
  if (a.step != b.step) return a.step < b.step;
  if (metric_value_less(a.value, b.value)) return true;
  if (metric_value_less(b.value, a.value)) return false;
  return a.seq > b.seq;  // link 1, which is none, comes last and falls away
}

std::vector<MetricRow> metric_rows(Transaction& transaction, std::int64_t run, std::int64_t key) {
  std::vector<MetricRow> rows;
  {
    Statement total = transaction.query(
        "SELECT total(count) FROM metric_blocks WHERE run = ? AND metric_key = ?", run, key);
    if (total.step()) {
      rows.reserve(static_cast<std::size_t>(
          std::clamp<std::int64_t>(total.integer(0), 0, kMaxMetricReserve)));
    }
  }
  Statement block = transaction.query(
      "SELECT link, first_seq, count, data FROM metric_blocks WHERE run = ? AND metric_key = ?",
      run, key);
  while (block.step()) {
    const std::size_t begin = rows.size();
    if (!metric_decode(block.bytes(3), block.integer(1), block.integer(2), rows))
      metric_fail_damaged(run, key);
    const std::int64_t link = block.integer(0);
    for (std::size_t i = begin; i < rows.size(); ++i) rows[i].seq = link;
  }
  if (!std::is_sorted(rows.begin(), rows.end(), metric_row_less))
    std::sort(rows.begin(), rows.end(), metric_row_less);
  rows.erase(std::unique(rows.begin(), rows.end(), metric_same_point), rows.end());
  return rows;
}

std::vector<MetricRow> metric_sample(const std::vector<MetricRow>& rows, std::size_t max_points) {
  const std::size_t stretches = max_points < 6 ? 1 : (max_points - 2) / 2;
  std::vector<std::size_t> kept = {0, rows.size() - 1};
  for (std::size_t i = 0; i < stretches; ++i) {
    const std::size_t begin = rows.size() * i / stretches;
    const std::size_t end = rows.size() * (i + 1) / stretches;
    std::size_t least = end, greatest = end;
    for (std::size_t at = begin; at < end; ++at) {
      const double value = rows[at].value;
      if (std::isnan(value)) continue;
      if (least == end || value < rows[least].value) least = at;
      if (greatest == end || value > rows[greatest].value) greatest = at;
    }
    if (least == end) continue;
    kept.push_back(least);
    kept.push_back(greatest);
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  std::vector<MetricRow> sample;
  for (const std::size_t at : kept) sample.push_back(rows[at]);
  return sample;
}

}  // namespace

void encode_metric_point(std::string& data, const MetricPoint& before, const MetricPoint& point) {
  metric_put_number(data, static_cast<std::uint64_t>(metric_minus(point.seq, before.seq)));
  metric_put_number(data, metric_zigzag(metric_minus(point.step, before.step)));
  metric_put_number(data, metric_zigzag(metric_minus(point.timestamp_ms, before.timestamp_ms)));
  data.append(reinterpret_cast<const char*>(&point.value), kMetricValueBytes);
}

void decode_metric_block(std::string_view data, std::int64_t first_seq, std::int64_t count,
                         std::vector<MetricPoint>& points) {
  const std::size_t before = points.size();
  if (metric_decode(data, first_seq, count, points)) return;
  points.resize(before);
  throw Error(ErrorCode::kDataCorrupt,
              "the store is damaged: a block of metrics cannot be read; restore it from a copy");
}

std::int64_t live_writer_row(Transaction& transaction, const std::string& writer_id) {
  return metric_writer_number(transaction, writer_id, "live");
}

std::int64_t MetricKeys::number(const std::string& name) {
  std::int64_t& number = numbers_[name];
  if (number != 0) return number;
  {
    Statement found = transaction_.query("SELECT metric_key FROM metric_keys WHERE name = ?", name);
    if (found.step()) number = found.integer(0);
  }
  if (number == 0) {
    number =
        transaction_.insert("INSERT INTO metric_keys (name) VALUES (?) RETURNING metric_key", name);
  }
  return number;
}

std::size_t add_metric_points(Transaction& transaction, MetricKeys& keys, std::int64_t run,
                              std::int64_t writer, const Metric& example,
                              const std::vector<MetricPoint>& points) {
  if (points.empty()) return 0;
  MetricPlace place;
  place.run = run;
  place.writer = writer;
  place.key = keys.number(example.key);
  place.link = metric_link_number(transaction, example);
  std::size_t added = 0;
  MetricAppender appender(transaction, place);
  for (const MetricPoint& point : points) {
    const std::optional<std::int64_t> last = appender.last_seq();
    if (last && point.seq <= *last) continue;
    appender.add(point);
    ++added;
  }
  appender.write();
  if (added != 0) metric_update_latest(transaction, place, example, points);
  return added;
}

std::size_t add_metrics(Transaction& transaction, std::int64_t run, const std::string& writer_id,
                        const std::vector<MetricRecord>& records) {
  if (records.empty()) return 0;
  const std::int64_t writer = live_writer_row(transaction, writer_id);
  std::size_t added = 0;
  MetricKeys keys(transaction);
  for (const MetricGroup& group : metric_groups(records))
    added += add_metric_points(transaction, keys, run, writer, *group.example, group.points);
  return added;
}

std::size_t add_imported_metrics(Transaction& transaction, std::int64_t run,
                                 const std::vector<Metric>& metrics) {
  if (metrics.empty()) return 0;
  std::vector<MetricRecord> records;
  records.reserve(metrics.size());
  for (const Metric& metric : metrics) records.push_back({&metric, 0});
  MetricPlace place;
  place.run = run;
  place.writer = metric_writer_number(transaction, kMetricImportWriter, "import");
  MetricKeys keys(transaction);
  std::size_t added = 0;
  for (MetricGroup& group : metric_groups(records)) {
    place.key = keys.number(group.example->key);
    place.link = metric_link_number(transaction, *group.example);
    std::vector<MetricPoint> known;
    {
      Statement block = transaction.query(
          "SELECT first_seq, count, data FROM metric_blocks WHERE run = ? AND metric_key = ? AND "
          "writer = ? AND link = ?",
          place.run, place.key, place.writer, place.link);
      while (block.step()) {
        if (!metric_decode(block.bytes(2), block.integer(0), block.integer(1), known))
          metric_fail_damaged(place.run, place.key);
      }
    }
    std::sort(known.begin(), known.end(), metric_later_in_time);
    std::sort(group.points.begin(), group.points.end(), metric_later_in_time);
    group.points.erase(std::unique(group.points.begin(), group.points.end(), metric_same_point),
                       group.points.end());
    MetricAppender appender(transaction, place);
    // The content is what a record is known by; the numbers only give it a place.
    std::int64_t seq = appender.last_seq().value_or(-1);
    for (MetricPoint& point : group.points) {
      if (std::binary_search(known.begin(), known.end(), point, metric_later_in_time)) continue;
      if (seq == std::numeric_limits<std::int64_t>::max())
        metric_fail_damaged(place.run, place.key);
      point.seq = ++seq;
      appender.add(point);
      ++added;
    }
    appender.write();
    metric_update_latest(transaction, place, *group.example, group.points);
  }
  return added;
}

std::vector<Metric> read_metric_history(Transaction& transaction, std::int64_t run,
                                        const std::string& key, std::size_t max_points,
                                        std::size_t offset, std::size_t limit) {
  std::int64_t key_number = 0;
  {
    Statement found = transaction.query("SELECT metric_key FROM metric_keys WHERE name = ?", key);
    if (!found.step()) return {};
    key_number = found.integer(0);
  }
  std::vector<MetricRow> rows = metric_rows(transaction, run, key_number);
  if (max_points != 0 && rows.size() > max_points) rows = metric_sample(rows, max_points);
  // What is not asked for goes before it takes the memory of a Metric.
  rows.erase(rows.begin(),
             rows.begin() + static_cast<std::ptrdiff_t>(std::min(offset, rows.size())));
  rows.resize(std::min(limit, rows.size()));
  std::map<std::int64_t, Metric> links;
  std::vector<Metric> history;
  history.reserve(rows.size());
  for (const MetricRow& row : rows) {  // its seq is its link
    const auto [link, is_new] = links.try_emplace(row.seq);
    if (is_new) {
      link->second.key = key;
      Statement found = transaction.query(
          "SELECT model_id, dataset_name, dataset_digest FROM metric_links WHERE link = ?",
          row.seq);
      if (found.step()) {
        link->second.model_id = found.text(0);
        link->second.dataset_name = found.text(1);
        link->second.dataset_digest = found.text(2);
      }
    }
    history.push_back(link->second);
    history.back().value = row.value;
    history.back().timestamp_ms = row.timestamp_ms;
    history.back().step = row.step;
  }
  return history;
}

std::vector<std::string> metric_keys_of_run(Transaction& transaction, std::int64_t run) {
  std::vector<std::string> keys;
  Statement row = transaction.query(
      "SELECT name FROM latest_metrics JOIN metric_keys USING (metric_key) WHERE run = ? ORDER BY "
      "name",
      run);
  while (row.step()) keys.push_back(row.text(0));
  return keys;
}

}  // namespace mlrt
