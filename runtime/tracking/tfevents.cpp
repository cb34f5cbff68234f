#include "tracking/tfevents.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kTfHeadBytes = 12;  // length and its checksum
constexpr std::size_t kTfTailBytes = 4;   // the data's checksum
constexpr std::size_t kTfMaxProblems = 20;
constexpr std::size_t kTfMaxTagBytes = 4096;

// One table would do; eight let eight bytes be folded in at once.
using TfCrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

TfCrcTables tf_make_crc_tables() {
  TfCrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < tables.size(); ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

template <typename Unsigned>
Unsigned tf_little_endian(std::string_view bytes) {
  Unsigned value = 0;
  for (std::size_t i = sizeof(Unsigned); i-- > 0;) {
    value = static_cast<Unsigned>(value << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

template <typename To, typename From>
To tf_bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// Thrown inside this file only, for a message that is not protobuf.
Error tf_damaged(const std::string& what) { return Error(ErrorCode::kDataCorrupt, what); }

// One field of a protobuf message: `number` for varints and fixed values, `bytes` for the rest.
struct TfField {
  std::uint32_t id = 0;
  std::uint32_t wire = 0;  // 0 varint, 1 64 bits, 2 bytes, 5 32 bits
  std::uint64_t number = 0;
  std::string_view bytes;
};

class TfMessage {
 public:
  explicit TfMessage(std::string_view bytes) : rest_(bytes) {}

  // False at the end. Throws kDataCorrupt.
  bool next(TfField& field) {
    if (rest_.empty()) return false;
    const std::uint64_t key = varint();
    field = TfField();
    field.id = static_cast<std::uint32_t>(key >> 3);
    field.wire = static_cast<std::uint32_t>(key & 7);
    if (key >> 32 != 0 || field.id == 0) throw tf_damaged("a field without a number");
    switch (field.wire) {
      case 0:
        field.number = varint();
        return true;
      case 1:
        field.number = tf_little_endian<std::uint64_t>(take(8));
        return true;
      case 2:
        field.bytes = take(varint());
        return true;
      case 5:
        field.number = tf_little_endian<std::uint32_t>(take(4));
        return true;
      default:
        throw tf_damaged("a field of the unknown kind " + std::to_string(field.wire));
    }
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw tf_damaged("a number of more than ten bytes");
  }

  bool empty() const { return rest_.empty(); }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) throw tf_damaged("a field that is longer than its message");
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
};

double tf_half_value(std::uint32_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = static_cast<int>((bits >> 10) & 0x1f);
  const double fraction = static_cast<double>(bits & 0x3ff) / 1024.0;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, -14);
  return sign * std::ldexp(1.0 + fraction, exponent - 15);
}

// The numbers of tensorflow/core/framework/types.proto.
enum TfType : std::uint64_t {
  kTfFloat = 1,
  kTfDouble = 2,
  kTfInt32 = 3,
  kTfUint8 = 4,
  kTfInt16 = 5,
  kTfInt8 = 6,
  kTfInt64 = 9,
  kTfBool = 10,
  kTfBfloat16 = 14,
  kTfUint16 = 17,
  kTfHalf = 19,
  kTfUint32 = 22,
  kTfUint64 = 23,
};

std::size_t tf_type_bytes(std::uint64_t type) {
  switch (type) {
    case kTfUint8:
    case kTfInt8:
    case kTfBool:
      return 1;
    case kTfInt16:
    case kTfUint16:
    case kTfHalf:
    case kTfBfloat16:
      return 2;
    case kTfFloat:
    case kTfInt32:
    case kTfUint32:
      return 4;
    case kTfDouble:
    case kTfInt64:
    case kTfUint64:
      return 8;
    default:
      return 0;
  }
}

// A number from its bits, which stand in the low bytes.
double tf_number(std::uint64_t type, std::uint64_t bits) {
  switch (type) {
    case kTfFloat:
      return static_cast<double>(tf_bits_as<float>(static_cast<std::uint32_t>(bits)));
    case kTfDouble:
      return tf_bits_as<double>(bits);
    case kTfHalf:
      return tf_half_value(static_cast<std::uint32_t>(bits & 0xffff));
    case kTfBfloat16:
      return static_cast<double>(tf_bits_as<float>(static_cast<std::uint32_t>(bits << 16)));
    case kTfInt8:
      return static_cast<std::int8_t>(bits);
    case kTfInt16:
      return static_cast<std::int16_t>(bits);
    case kTfInt32:
      return static_cast<std::int32_t>(bits);
    case kTfInt64:
      return static_cast<double>(static_cast<std::int64_t>(bits));
    case kTfBool:
      return bits != 0 ? 1 : 0;
    default:
      return static_cast<double>(bits);
  }
}

// The one number of a tensor; nothing if it holds another count, or no numbers.
std::optional<double> tf_tensor_scalar(std::string_view tensor) {
  std::uint64_t type = 0;
  std::string_view content;
  std::size_t count = 0;
  std::uint64_t bits = 0;
  bool one_element = true;
  TfMessage message(tensor);
  for (TfField field; message.next(field);) {
    switch (field.id) {
      case 1:
        type = field.number;
        break;
      case 2: {
        TfMessage shape(field.bytes);
        for (TfField dimension; shape.next(dimension);) {
          if (dimension.id == 3 && dimension.number != 0) one_element = false;
          if (dimension.id != 2) continue;
          std::uint64_t size = 0;  // what is absent is zero
          TfMessage sizes(dimension.bytes);
          for (TfField entry; sizes.next(entry);) {
            if (entry.id == 1) size = entry.number;
          }
          if (size != 1) one_element = false;
        }
        break;
      }
      case 4:
        content = field.bytes;
        break;
      case 5:   // float
      case 6:   // double
      case 7:   // int32 and smaller
      case 10:  // int64
      case 11:  // bool
      case 13:  // half
      case 16:  // uint32
      case 17:  // uint64
        if (field.wire != 2) {
          ++count;
          bits = field.number;
        } else if (field.id == 5 || field.id == 6) {  // packed
          const std::size_t width = field.id == 5 ? 4 : 8;
          if (field.bytes.size() % width != 0) throw tf_damaged("a list of broken numbers");
          count += field.bytes.size() / width;
          if (field.bytes.size() == width) {
            bits = width == 4 ? tf_little_endian<std::uint32_t>(field.bytes)
                              : tf_little_endian<std::uint64_t>(field.bytes);
          }
        } else {
          TfMessage numbers(field.bytes);
          for (; !numbers.empty(); ++count) bits = numbers.varint();
        }
        break;
      default:
        break;
    }
  }
  const std::size_t width = tf_type_bytes(type);
  if (!one_element || width == 0) return std::nullopt;
  if (content.size() == width) {
    bits = 0;
    for (std::size_t i = width; i-- > 0;) {
      bits = (bits << 8) | static_cast<unsigned char>(content[i]);
    }
    return tf_number(type, bits);
  }
  // A tensor's text form leaves a value of zero out.
  if (content.empty() && count <= 1) return tf_number(type, count == 1 ? bits : 0);
  return std::nullopt;
}

// The plugin that a tag belongs to, and what it has to say.
struct TfMetadata {
  std::string_view plugin, content;
  std::uint64_t data_class = 0;  // 1: scalars
};

TfMetadata tf_read_metadata(std::string_view bytes) {
  TfMetadata metadata;
  TfMessage message(bytes);
  for (TfField field; message.next(field);) {
    if (field.id == 4) metadata.data_class = field.number;
    if (field.id != 1) continue;
    TfMessage plugin(field.bytes);
    for (TfField part; plugin.next(part);) {
      if (part.id == 1) metadata.plugin = part.bytes;
      if (part.id == 2) metadata.content = part.bytes;
    }
  }
  return metadata;
}

// A google.protobuf.Value as text; nothing for what is not a number, a text or a truth value.
std::optional<std::string> tf_value_text(std::string_view bytes) {
  std::optional<std::string> text;
  TfMessage message(bytes);
  for (TfField field; message.next(field);) {
    if (field.id == 2 && field.wire == 1) text = format_double(tf_bits_as<double>(field.number));
    if (field.id == 3 && field.wire == 2) text = std::string(field.bytes);
    if (field.id == 4 && field.wire == 0) text = field.number != 0 ? "True" : "False";
  }
  return text;
}

// HParamsPluginData: session_start_info (3) has the map hparams (1).
void tf_read_hyperparameters(std::string_view content, TfEventsSummary& summary) {
  TfMessage plugin_data(content);
  for (TfField start; plugin_data.next(start);) {
    if (start.id != 3 || start.wire != 2) continue;
    TfMessage information(start.bytes);
    for (TfField entry; information.next(entry);) {
      if (entry.id != 1 || entry.wire != 2) continue;
      std::string name;
      std::optional<std::string> value;
      TfMessage pair(entry.bytes);
      for (TfField part; pair.next(part);) {
        if (part.wire != 2) continue;
        if (part.id == 1) name = std::string(part.bytes);
        if (part.id == 2) value = tf_value_text(part.bytes);
      }
      if (!name.empty() && value) summary.hyperparameters.emplace_back(std::move(name), *value);
    }
  }
}

class TfEventsReader {
 public:
  TfEventsReader(std::string_view bytes, const std::function<void(const TfScalar&)>& on_scalar)
      : bytes_(bytes), on_scalar_(on_scalar) {}

  TfEventsSummary read() {
    std::size_t at = 0;
    while (at < bytes_.size()) {
      if ((++rounds_ & 0xfff) == 0) check_interrupt();
      at = read_record(at);
    }
    if (hidden_problems_ > 0) {
      summary_.problems.push_back("and " + std::to_string(hidden_problems_) + " more");
    }
    return std::move(summary_);
  }

 private:
  void problem(std::size_t at, const std::string& what) {
    if (summary_.problems.size() < kTfMaxProblems) {
      summary_.problems.push_back("byte " + std::to_string(at) + ": " + what);
    } else {
      ++hidden_problems_;
    }
  }

  // Returns where the next record is.
  std::size_t read_record(std::size_t at) {
    const std::string_view rest = bytes_.substr(at);
    if (!looks_like_tfevents(rest)) {
      ++summary_.damaged_records;
      if (rest.size() < kTfHeadBytes) {
        problem(at, "the file ends inside of a record");
        return bytes_.size();
      }
      const std::size_t next = find_record(at + 1);
      problem(at, "no record begins here; " + std::to_string(next - at) + " bytes are left out");
      return next;
    }
    const auto size = tf_little_endian<std::uint64_t>(rest);
    if (size > rest.size() - kTfHeadBytes ||
        rest.size() - kTfHeadBytes - static_cast<std::size_t>(size) < kTfTailBytes) {
      ++summary_.damaged_records;
      problem(at, "the file ends inside of a record");
      return bytes_.size();
    }
    const std::string_view data = rest.substr(kTfHeadBytes, static_cast<std::size_t>(size));
    const std::size_t end = at + kTfHeadBytes + data.size() + kTfTailBytes;
    if (tfrecord_crc(data) !=
        tf_little_endian<std::uint32_t>(rest.substr(kTfHeadBytes + data.size()))) {
      ++summary_.damaged_records;
      problem(at, "a record whose checksum is wrong is left out");
      return end;
    }
    try {
      read_event(data);
      ++summary_.records;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDataCorrupt) throw;
      ++summary_.damaged_records;
      problem(at, "a record that is not an event (" + error.message() + ") is left out");
    }
    return end;
  }

  // The next place where a record with a sound head begins, or the end.
  std::size_t find_record(std::size_t at) const {
    while (at + kTfHeadBytes <= bytes_.size()) {
      if ((at & 0xfffff) == 0) check_interrupt();
      if (looks_like_tfevents(bytes_.substr(at))) {
        const auto size = tf_little_endian<std::uint64_t>(bytes_.substr(at));
        if (size <= bytes_.size() - at) return at;
      }
      ++at;
    }
    return bytes_.size();
  }

  void read_event(std::string_view data) {
    double wall_time = 0;
    std::int64_t step = 0;
    // The summary may stand before time and step, so it is read in the end.
    std::vector<std::string_view> summaries;
    TfMessage message(data);
    for (TfField field; message.next(field);) {
      if (field.id == 1 && field.wire == 1) wall_time = tf_bits_as<double>(field.number);
      if (field.id == 2 && field.wire == 0) step = static_cast<std::int64_t>(field.number);
      if (field.id == 5 && field.wire == 2) summaries.push_back(field.bytes);
    }
    // What is not a time between 1970 and the year 9999 can't be kept as milliseconds.
    if (!(wall_time >= 0 && wall_time < 253402300800.0)) throw tf_damaged("a time out of range");
    if (summary_.records == 0) summary_.first_time_s = wall_time;
    if (wall_time > summary_.last_time_s) summary_.last_time_s = wall_time;
    for (std::string_view summary : summaries) {
      TfMessage values(summary);
      for (TfField value; values.next(value);) {
        if (value.id == 1 && value.wire == 2) read_value(value.bytes, wall_time, step);
      }
    }
  }

  void read_value(std::string_view bytes, double wall_time, std::int64_t step) {
    TfScalar scalar;
    std::optional<double> value;
    std::string_view tensor, tag;
    TfMetadata metadata;
    bool has_metadata = false;
    TfMessage message(bytes);
    for (TfField field; message.next(field);) {
      if (field.id == 1 && field.wire == 2) tag = field.bytes;
      if (field.id == 2 && field.wire == 5) {
        value = static_cast<double>(tf_bits_as<float>(static_cast<std::uint32_t>(field.number)));
      }
      if (field.id == 8 && field.wire == 2) tensor = field.bytes;
      if (field.id == 9 && field.wire == 2) {
        metadata = tf_read_metadata(field.bytes);
        has_metadata = true;
      }
    }
    if (tag.size() > kTfMaxTagBytes || !is_utf8(tag)) throw tf_damaged("a tag that is not a text");
    scalar.tag = std::string(tag);
    if (metadata.plugin == "hparams") {
      tf_read_hyperparameters(metadata.content, summary_);
      return;
    }
    // Only the first value of a tag says whose it is.
    if (has_metadata && !metadata.plugin.empty()) {
      foreign_tags_.emplace(scalar.tag, metadata.plugin != "scalars" && metadata.data_class != 1);
    }
    if (!value && !tensor.empty()) {
      const auto known = foreign_tags_.find(scalar.tag);
      if (known == foreign_tags_.end() || !known->second) value = tf_tensor_scalar(tensor);
    }
    if (!value) {
      ++summary_.other_values;
      return;
    }
    scalar.value = *value;
    scalar.step = step;
    scalar.wall_time_s = wall_time;
    ++summary_.scalars;
    on_scalar_(scalar);
  }

  std::string_view bytes_;
  const std::function<void(const TfScalar&)>& on_scalar_;
  TfEventsSummary summary_;
  std::map<std::string, bool, std::less<>> foreign_tags_;  // true: another plugin's than "scalars"
  std::size_t hidden_problems_ = 0;
  std::size_t rounds_ = 0;
};

}  // namespace

std::uint32_t tfrecord_crc(std::string_view bytes) {
  static const TfCrcTables tables = tf_make_crc_tables();
  std::uint32_t crc = 0xffffffffu;
  while (bytes.size() >= 8) {
    const std::uint64_t word = tf_little_endian<std::uint64_t>(bytes) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= tables[7 - i][(word >> (8 * i)) & 0xff];
    bytes.remove_prefix(8);
  }
  for (char c : bytes) crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

bool looks_like_tfevents(std::string_view bytes) {
  return bytes.size() >= kTfHeadBytes &&
         tfrecord_crc(bytes.substr(0, 8)) == tf_little_endian<std::uint32_t>(bytes.substr(8));
}

TfEventsSummary read_tfevents(std::string_view bytes,
                              const std::function<void(const TfScalar& scalar)>& on_scalar) {
  return TfEventsReader(bytes, on_scalar).read();
}

}  // namespace mlrt
