#include "tracking/system_metrics.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>

#include "core/fs.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Metric;
using mlrt::SystemMetricsReader;
using mlrt::SystemMetricsSampler;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

using SystemReading = std::map<std::string, double>;

struct ProcFixture {
  TempDir dir;

  void write(const std::string& name, const std::string& text) {
    const std::string path = dir.path("proc/" + name);
    mlrt::fs::make_folders(mlrt::fs::parent(path));
    mlrt::fs::write_file(path, text);
  }
  static SystemReading values(const std::vector<Metric>& metrics) {
    SystemReading found;
    for (const Metric& metric : metrics) found[metric.key] = metric.value;
    return found;
  }
};

const char kTestNetworkHeader[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
    "fifo colls carrier compressed\n";

}  // namespace

TEST_CASE_FIXTURE(ProcFixture, "the kernel's figures are read with MLflow's names and units") {
  write("stat", "cpu  100 10 40 800 50 0 0 0 30 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n");
  write("meminfo",
        "MemTotal:       8000000 kB\nMemFree:        1000000 kB\nMemAvailable:   5000000 kB\n"
        "Buffers:         500000 kB\nCached:         2000000 kB\nSwapCached: 7 kB\n"
        "SReclaimable:    500000 kB\nHugePages_Total:       0\n");
  write("net/dev", std::string(kTestNetworkHeader) +
                       "    lo: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n"
                       "  eth0:9000000 1 0 0 0 0 0 0 2000000 1 0 0 0 0 0 0\n");
  SystemMetricsReader reader(dir.path("proc"), dir.path());
  SystemReading first = values(reader.read());
  CHECK(first.count("system/cpu_utilization_percentage") == 0);  // since when?
  CHECK(first.at("system/system_memory_usage_megabytes") == 4096.0);
  CHECK(first.at("system/system_memory_usage_percentage") == 50.0);
  CHECK(first.at("system/network_receive_megabytes") == 0);
  CHECK(first.at("system/network_transmit_megabytes") == 0);
  CHECK(first.at("system/disk_usage_percentage") >= 0);
  CHECK(first.at("system/disk_usage_percentage") <= 100);
  const mlrt::fs::DiskSpace space = mlrt::fs::disk_space(dir.path());
  const double used = static_cast<double>(space.total - space.free) / 1e6;
  CHECK(first.at("system/disk_usage_megabytes") == doctest::Approx(used).epsilon(0.05));
  CHECK(first.at("system/disk_available_megabytes") ==
        doctest::Approx(static_cast<double>(space.available) / 1e6).epsilon(0.05));

  // 300 ticks more: 30 user, 20 system, 1 irq, 9 steal are busy; 230 idle and 10 iowait are not.
  // What guests took is in user already.
  write("stat", "cpu  130 10 60 1030 60 1 0 9 60 0\n");
  write("net/dev", std::string(kTestNetworkHeader) +
                       "    lo: 1500 1 0 0 0 0 0 0 1500 1 0 0 0 0 0 0\n"
                       "  eth0:9250000 1 0 0 0 0 0 0 2000250 1 0 0 0 0 0 0\n");
  SystemReading second = values(reader.read());
  CHECK(second.at("system/cpu_utilization_percentage") == 20.0);
  CHECK(second.at("system/network_receive_megabytes") == doctest::Approx(0.2505));
  CHECK(second.at("system/network_transmit_megabytes") == doctest::Approx(0.00075));
  CHECK(second.size() == 8);

  // No tick went by, and an interface went away.
  write("net/dev", std::string(kTestNetworkHeader) + "    lo: 1500 1 0 0 0 0 0 0 1500 1\n");
  SystemReading third = values(reader.read());
  CHECK(third.count("system/cpu_utilization_percentage") == 0);
  CHECK(third.at("system/network_receive_megabytes") == 0);
}

TEST_CASE_FIXTURE(ProcFixture, "what the kernel does not tell, or tells wrongly, is left out") {
  SystemMetricsReader absent(dir.path("nowhere"), dir.path("nowhere"));
  CHECK(absent.read().empty());
  CHECK(absent.read().empty());

  for (const char* stat : {"", "cpu", "cpu 1 2", "cpu a b c d e", "cpu -5 1 1 1", "cpus 1 2 3 4"}) {
    CAPTURE(stat);
    write("stat", stat);
    write("meminfo", "MemTotal: 0 kB\nMemFree: x kB\n:\n");
    write("net/dev", "eth0: 1 2 3\neth1: a 1 1 1 1 1 1 1 1\n:::\n");
    SystemMetricsReader reader(dir.path("proc"), dir.path("nowhere"));
    reader.read();
    CHECK(reader.read().empty());
  }
  // Containers may report more cache than memory.
  write("meminfo", "MemTotal: 1000 kB\nMemFree: 250 kB\nCached: 9000 kB\n");
  SystemMetricsReader reader(dir.path("proc"), dir.path("nowhere"));
  CHECK(values(reader.read()).at("system/system_memory_usage_percentage") == 75.0);
}

TEST_CASE("this machine's own figures are plausible") {
  SystemMetricsReader reader;
  reader.read();
  const SystemReading found = ProcFixture::values(reader.read());
  CHECK(found.at("system/system_memory_usage_percentage") > 0);
  CHECK(found.at("system/system_memory_usage_percentage") < 100);
  CHECK(found.at("system/disk_available_megabytes") >= 0);
}

TEST_CASE("a sampler counts steps from 0 until it is destroyed") {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::int64_t> steps;
  {
    SystemMetricsSampler sampler(10, [&](const std::vector<Metric>& metrics) {
      std::lock_guard<std::mutex> lock(mutex);
      steps.push_back(metrics.at(0).step);
      changed.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return steps.size() >= 3; }));
  }
  const std::size_t count = steps.size();
  for (std::size_t i = 0; i < count; ++i) CHECK(steps[i] == static_cast<std::int64_t>(i));
}

TEST_CASE("a sampler with a long interval stops at once") {
  const auto start = std::chrono::steady_clock::now();
  int samples = 0;
  {
    SystemMetricsSampler sampler(3600000, [&](const std::vector<Metric>&) { ++samples; });
  }
  CHECK(samples == 1);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("a reading that cannot be logged does not end the sampling") {
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  SystemMetricsSampler sampler(10, [&](const std::vector<Metric>&) {
    std::lock_guard<std::mutex> lock(mutex);
    ++calls;
    changed.notify_all();
    throw std::runtime_error("the store is locked");
  });
  std::unique_lock<std::mutex> lock(mutex);
  CHECK(changed.wait_for(lock, std::chrono::seconds(30), [&] { return calls >= 3; }));
}

TEST_CASE("an interval below 10 ms is refused") {
  for (const std::int64_t interval : {std::int64_t{9}, std::int64_t{0}, std::int64_t{-1}}) {
    const auto error =
        caught([&] { SystemMetricsSampler sampler(interval, [](const std::vector<Metric>&) {}); });
    CHECK(error.code == mlrt::ErrorCode::kInvalidParameter);
    CHECK(error.has("the interval must be at least 10 ms"));
  }
}
