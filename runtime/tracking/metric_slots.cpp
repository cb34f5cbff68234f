#include "tracking/metric_slots.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace mlrt {
namespace {

constexpr std::size_t kSlotTextBytes = 24;
// Beyond any that the rules of keys and data sets allow: damaged bytes must not fill the memory.
constexpr std::size_t kMaxDefinitionBytes = 1 << 20;
constexpr std::uint32_t kMaxChannels = 1 << 20;

void slots_put_text(std::string& text, std::string_view part) {
  for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(part.size() >> shift);
  text += part;
}

bool slots_get_text(std::string_view text, std::size_t& at, std::string& part) {
  if (text.size() - at < 4) return false;
  std::size_t size = 0;
  for (int shift = 0; shift < 32; shift += 8)
    size |= static_cast<std::size_t>(static_cast<unsigned char>(text[at++])) << shift;
  if (text.size() - at < size) return false;
  part = text.substr(at, size);
  at += size;
  return true;
}

}  // namespace

std::vector<JournalSlot> define_channel(std::uint32_t number, const std::string& run_id,
                                        const Metric& example) {
  std::string text;
  slots_put_text(text, run_id);
  slots_put_text(text, example.key);
  slots_put_text(text, example.model_id);
  slots_put_text(text, example.dataset_name);
  slots_put_text(text, example.dataset_digest);
  std::vector<JournalSlot> slots;
  slots.push_back({kMetricSlotDefinition | number, {text.size(), 0, 0}});
  for (std::size_t at = 0; at < text.size(); at += kSlotTextBytes) {
    JournalSlot slot;
    slot.tag = kMetricSlotText | number;
    std::memcpy(slot.words.data(), text.data() + at, std::min(kSlotTextBytes, text.size() - at));
    slots.push_back(slot);
  }
  return slots;
}

void ChannelDefinitions::clear() {
  channels_.clear();
  left_ = 0;
}

bool ChannelDefinitions::take(const JournalSlot& slot) {
  const std::uint32_t number = slot.tag & kMetricSlotNumberMask;
  if ((slot.tag & kMetricSlotKindMask) == kMetricSlotDefinition) {
    // One that was cut short by damage is forgotten.
    text_.clear();
    number_ = number;
    left_ = 0;
    if (slot.words[0] > 0 && slot.words[0] <= kMaxDefinitionBytes && number < kMaxChannels)
      left_ = static_cast<std::size_t>(slot.words[0]);
    return false;
  }
  if (left_ == 0 || number != number_) {
    left_ = 0;
    return false;
  }
  const std::size_t size = std::min(kSlotTextBytes, left_);
  text_.append(reinterpret_cast<const char*>(slot.words.data()), size);
  left_ -= size;
  return left_ == 0 && finish();
}

bool ChannelDefinitions::finish() {
  Channel channel;
  std::size_t at = 0;
  if (!slots_get_text(text_, at, channel.run_id) ||
      !slots_get_text(text_, at, channel.example.key) ||
      !slots_get_text(text_, at, channel.example.model_id) ||
      !slots_get_text(text_, at, channel.example.dataset_name) ||
      !slots_get_text(text_, at, channel.example.dataset_digest) || at != text_.size()) {
    return false;
  }
  channel.identity = text_;
  if (number_ >= channels_.size()) channels_.resize(number_ + 1);
  channels_[number_] = std::move(channel);
  return true;
}

ChannelDefinitions::Channel* ChannelDefinitions::find(std::uint32_t number) {
  if (number >= channels_.size() || channels_[number].identity.empty()) return nullptr;
  return &channels_[number];
}

}  // namespace mlrt
