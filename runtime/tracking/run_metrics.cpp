#include "tracking/run_metrics.hpp"

#include <algorithm>
#include <cstring>

namespace mlrt {
namespace {

bool run_metric_has_link(const Metric& metric) {
  return !metric.model_id.empty() || !metric.dataset_name.empty() || !metric.dataset_digest.empty();
}

}  // namespace

std::uint64_t RunMetrics::hash(std::string_view text, std::uint64_t before) {
  std::uint64_t hash = before;
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15u;
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
    text.remove_prefix(8);
  }
  std::uint64_t word = text.size() << 56;
  std::memcpy(&word, text.data(), text.size());
  hash = (hash ^ word) * kFactor;
  return hash ^ hash >> 32;
}

std::uint64_t RunMetrics::hash(const Metric& metric) {
  std::uint64_t all = hash(metric.key);
  if (!run_metric_has_link(metric)) return all;
  all = hash(metric.model_id, all);
  all = hash(metric.dataset_name, all);
  return hash(metric.dataset_digest, all);
}

RunMetrics::Channel* RunMetrics::find(std::string_view key, std::uint64_t hash) const {
  if (last_ != nullptr && last_->hash == hash && last_->example.key == key &&
      !run_metric_has_link(last_->example)) {
    return last_;
  }
  if (table_.empty()) return nullptr;
  for (std::size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
    Channel* channel = table_[at];
    if (channel == nullptr) return nullptr;
    if (channel->hash == hash && channel->example.key == key &&
        !run_metric_has_link(channel->example))
      return channel;
  }
}

RunMetrics::Channel* RunMetrics::find(const Metric& metric, std::uint64_t hash) const {
  if (!run_metric_has_link(metric)) return find(metric.key, hash);
  if (table_.empty()) return nullptr;
  for (std::size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
    Channel* channel = table_[at];
    if (channel == nullptr) return nullptr;
    const Metric& example = channel->example;
    if (channel->hash == hash && example.key == metric.key && example.model_id == metric.model_id &&
        example.dataset_name == metric.dataset_name &&
        example.dataset_digest == metric.dataset_digest) {
      return channel;
    }
  }
}

RunMetrics::Channel& RunMetrics::add(const Metric& metric, std::uint64_t hash) {
  if (channels_.size() >= kMaxChannels) {
    table_.clear();
    channels_.clear();
    last_ = nullptr;
  }
  if (table_.size() < 2 * (channels_.size() + 1)) {
    std::vector<Channel*> table(std::max<std::size_t>(16, table_.size() * 2));
    for (const auto& channel : channels_) {
      std::size_t at = channel->hash & (table.size() - 1);
      while (table[at] != nullptr) at = (at + 1) & (table.size() - 1);
      table[at] = channel.get();
    }
    table_.swap(table);
  }
  auto channel = std::make_unique<Channel>();
  channel->example = metric;
  channel->example.value = 0;
  channel->hash = hash;
  channels_.push_back(std::move(channel));
  std::size_t at = hash & (table_.size() - 1);
  while (table_[at] != nullptr) at = (at + 1) & (table_.size() - 1);
  table_[at] = channels_.back().get();
  return *channels_.back();
}

}  // namespace mlrt
