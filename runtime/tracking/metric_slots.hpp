#ifndef MLRT_TRACKING_METRIC_SLOTS_HPP_
#define MLRT_TRACKING_METRIC_SLOTS_HPP_

// Internal: what the slots of a journal of metrics mean.
//
// A channel is a run, a key and a link (what was measured on); it has a number in the segment where
// it is defined, and each segment defines the channels that it uses. The tag of a slot is, from the
// top: 1 bit "the batch goes on", 3 bits the kind, 28 bits a channel's number. By kind the words
// are: a metric: step, timestamp, the bits of the value; a definition: the length of its text, 0,
// 0, and behind it as many text slots as it takes, 24 bytes each; an end of a batch that could not
// be finished: 0, 0, 0. A definition's text is, for run id, key, model id, data set name and data
// set digest, the length in 4 bytes, low byte first, and the bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "store/journal.hpp"
#include "tracking/records.hpp"

namespace mlrt {

constexpr std::uint32_t kMetricSlotMore = 1u << 31;
constexpr std::uint32_t kMetricSlotKindMask = 7u << 28;
constexpr std::uint32_t kMetricSlotPoint = 0u << 28;
constexpr std::uint32_t kMetricSlotDefinition = 1u << 28;
constexpr std::uint32_t kMetricSlotText = 2u << 28;
constexpr std::uint32_t kMetricSlotAbort = 3u << 28;
constexpr std::uint32_t kMetricSlotNumberMask = (1u << 28) - 1;

// The slots that define channel `number`; of `example` key and link count.
std::vector<JournalSlot> define_channel(std::uint32_t number, const std::string& run_id,
                                        const Metric& example);

// Puts definitions together again.
class ChannelDefinitions {
 public:
  struct Channel {
    std::string identity;  // the definition's text; empty: not defined
    std::string run_id;
    Metric example;
    // Free for the user of this class.
    std::uint64_t mark = 0;
    std::size_t place = 0;
  };

  void clear();
  // Takes a definition or a text slot. True when a definition is complete now.
  bool take(const JournalSlot& slot);
  // True between a definition's slot and its last text slot.
  bool is_open() const { return left_ > 0; }
  // Null for a number that no sound definition gave.
  Channel* find(std::uint32_t number);

 private:
  bool finish();

  std::vector<Channel> channels_;
  std::uint32_t number_ = 0;
  std::size_t left_ = 0;
  std::string text_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_METRIC_SLOTS_HPP_
