#include "tracking/system_metrics.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "core/signal_mask.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kMaxProcFileBytes = 4 << 20;
constexpr double kBytesPerMegabyte = 1e6;  // MLflow's
constexpr std::int64_t kMinSystemMetricsIntervalMs = 10;

std::string system_read(const std::string& path) {
  try {
    return fs::read_file(path, kMaxProcFileBytes);
  } catch (const Error&) {
    return {};  // the kernel does not tell
  }
}

std::vector<std::string> system_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  for (char c : line) {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// Counters are whole and never negative.
bool system_number(const std::string& word, double& value) {
  long long number = 0;
  if (!parse_int64(word, number) || number < 0) return false;
  value = static_cast<double>(number);
  return true;
}

struct SystemCpu {
  double busy = 0, total = 0;
};

// The line "cpu" of /proc/stat (proc(5)): user nice system idle iowait irq softirq steal guest
// guest_nice. Guests are counted in user and nice already.
std::optional<SystemCpu> system_read_cpu(const std::string& proc) {
  for (const std::string& line : split(system_read(fs::join(proc, "stat")), '\n')) {
    const std::vector<std::string> words = system_words(line);
    if (words.empty() || words[0] != "cpu") continue;
    SystemCpu cpu;
    double idle = 0;
    for (std::size_t i = 1; i < words.size() && i <= 8; ++i) {
      double ticks = 0;
      if (!system_number(words[i], ticks)) return std::nullopt;
      cpu.total += ticks;
      if (i == 4 || i == 5) idle += ticks;
    }
    if (words.size() < 5) return std::nullopt;
    cpu.busy = cpu.total - idle;
    return cpu;
  }
  return std::nullopt;
}

struct SystemMemory {
  double total = 0, used = 0;  // bytes
};

// /proc/meminfo. Used is what free(1) and psutil long called so: neither free, nor buffers, nor
// page cache, nor reclaimable slabs.
std::optional<SystemMemory> system_read_memory(const std::string& proc) {
  std::map<std::string, double> bytes;
  for (const std::string& line : split(system_read(fs::join(proc, "meminfo")), '\n')) {
    const std::vector<std::string> words = system_words(line);
    double kilobytes = 0;
    if (words.size() >= 2 && system_number(words[1], kilobytes)) bytes[words[0]] = kilobytes * 1024;
  }
  SystemMemory memory;
  memory.total = bytes["MemTotal:"];
  if (memory.total <= 0 || bytes.count("MemFree:") == 0) return std::nullopt;
  const double without_free = memory.total - bytes["MemFree:"];
  memory.used = without_free - bytes["Buffers:"] - bytes["Cached:"] - bytes["SReclaimable:"];
  // In some containers the parts do not add up.
  if (memory.used < 0) memory.used = without_free;
  return memory;
}

struct SystemNetwork {
  double received = 0, sent = 0;  // bytes
};

// /proc/net/dev: "eth0: bytes packets errs drop fifo frame compressed multicast bytes ...", all
// interfaces together, as MLflow (psutil) counts.
std::optional<SystemNetwork> system_read_network(const std::string& proc) {
  std::optional<SystemNetwork> network;
  for (const std::string& line : split(system_read(fs::join(proc, "net/dev")), '\n')) {
    const std::size_t colon = line.rfind(':');
    if (colon == std::string::npos) continue;
    const std::vector<std::string> words = system_words(std::string_view(line).substr(colon + 1));
    double received = 0, sent = 0;
    if (words.size() < 9 || !system_number(words[0], received) || !system_number(words[8], sent))
      continue;
    if (!network) network.emplace();
    network->received += received;
    network->sent += sent;
  }
  return network;
}

// MLflow gives all but the network with one decimal.
double system_rounded(double value) { return std::round(value * 10) / 10; }

}  // namespace

SystemMetricsReader::SystemMetricsReader(std::string proc, std::string disk)
    : proc_(std::move(proc)), disk_(std::move(disk)) {}

std::vector<Metric> SystemMetricsReader::read() {
  std::vector<Metric> metrics;
  const std::int64_t now = now_ms();
  const auto add = [&](const char* name, double value) {
    Metric metric;
    metric.key = std::string("system/") + name;
    metric.value = value;
    metric.timestamp_ms = now;
    metrics.push_back(std::move(metric));
  };

  if (const auto cpu = system_read_cpu(proc_)) {
    // Of the time since the reading before; the first one has no such time.
    const double total = cpu->total - cpu_total_;
    if (cpu_total_ > 0 && total > 0) {
      const double busy = std::min(std::max(cpu->busy - cpu_busy_, 0.0), total);
      add("cpu_utilization_percentage", system_rounded(100 * busy / total));
    }
    cpu_busy_ = cpu->busy;
    cpu_total_ = cpu->total;
  }
  if (const auto memory = system_read_memory(proc_)) {
    add("system_memory_usage_megabytes", system_rounded(memory->used / kBytesPerMegabyte));
    add("system_memory_usage_percentage", system_rounded(100 * memory->used / memory->total));
  }
  try {
    const fs::DiskSpace space = fs::disk_space(disk_);
    const auto used = static_cast<double>(space.total - space.free);
    const auto available = static_cast<double>(space.available);
    if (used + available > 0) {
      // As df(1) does: of what is not kept for root.
      add("disk_usage_percentage", system_rounded(100 * used / (used + available)));
      add("disk_usage_megabytes", system_rounded(used / kBytesPerMegabyte));
      add("disk_available_megabytes", system_rounded(available / kBytesPerMegabyte));
    }
  } catch (const Error&) {
    // The kernel does not tell.
  }
  if (const auto network = system_read_network(proc_)) {
    if (first_) {
      received_ = network->received;
      sent_ = network->sent;
      first_ = false;
    }
    // An interface that went away took its counters with it.
    add("network_receive_megabytes",
        std::max(network->received - received_, 0.0) / kBytesPerMegabyte);
    add("network_transmit_megabytes", std::max(network->sent - sent_, 0.0) / kBytesPerMegabyte);
  }
  return metrics;
}

struct SystemMetricsSampler::State {
  std::int64_t interval_ms = 0;
  Log log;
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  std::thread thread;

  void sample_until_stopped() {
    SystemMetricsReader reader;
    bool warned = false;
    auto next = std::chrono::steady_clock::now();
    for (std::int64_t step = 0;; ++step) {
      std::vector<Metric> metrics = reader.read();
      for (Metric& metric : metrics) metric.step = step;
      try {
        if (!metrics.empty()) log(metrics);
      } catch (const std::exception& error) {
        if (!warned) log_warn("system metrics could not be logged", {{"error", error.what()}});
        warned = true;
      }
      next =
          std::max(next + std::chrono::milliseconds(interval_ms), std::chrono::steady_clock::now());
      std::unique_lock<std::mutex> lock(mutex);
      if (changed.wait_until(lock, next, [this] { return stop; })) return;
    }
  }
};

SystemMetricsSampler::SystemMetricsSampler(std::int64_t interval_ms, Log log)
    : state_(std::make_unique<State>()) {
  if (interval_ms < kMinSystemMetricsIntervalMs) {
    throw Error(ErrorCode::kInvalidParameter,
                "system metrics cannot be sampled every " + std::to_string(interval_ms) +
                    " ms: the interval must be at least " +
                    std::to_string(kMinSystemMetricsIntervalMs) + " ms");
  }
  // A year: what is longer would overflow the clock, and nobody means it.
  state_->interval_ms = std::min<std::int64_t>(interval_ms, std::int64_t{365} * 86400000);
  state_->log = std::move(log);
  try {
    const SignalMask block;
    state_->thread = std::thread([state = state_.get()] { state->sample_until_stopped(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kUnavailable, "the system refuses one more thread", error.what());
  }
}

SystemMetricsSampler::~SystemMetricsSampler() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

}  // namespace mlrt
