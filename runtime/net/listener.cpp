#include "net/listener.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/signal_mask.hpp"
#include "net/connection.hpp"
#include "net/httplib_backend.hpp"
#include "net/socket.hpp"

namespace mlrt {
namespace {

constexpr std::int64_t kListenerWorkerIdleMs = 10000;
constexpr std::int64_t kListenerNoDescriptorPauseMs = 50;
constexpr std::int64_t kListenerFullLogMs = 10000;
constexpr std::size_t kListenerMaxTurnedAway = 64;
constexpr int kListenerTurnedAwayCheckMs = 200;
constexpr std::size_t kListenerMinStackBytes = 256 * 1024;
constexpr std::size_t kListenerKeptDescriptors = 100;
constexpr rlim_t kListenerMostDescriptors = 65536;

void listener_check(bool good, const char* option, const char* rule) {
  if (!good) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string("the listener's ") + option + " must be " + rule);
  }
}

void listener_check_options(const ListenerOptions& o) {
  // Bounds the sums of times and rates, so that they need no overflow checks where they are made.
  constexpr std::int64_t longest_ms = std::int64_t{1} << 40;
  for (const std::int64_t ms : {o.header_timeout_ms, o.idle_timeout_ms, o.body_grace_ms,
                                o.write_grace_ms, o.linger_ms, o.shutdown_grace_ms}) {
    listener_check(ms >= 0 && ms <= longest_ms, "times", "0 to 2^40 ms");
  }
  listener_check(o.port >= 0 && o.port <= 65535, "port", "0 to 65535");
  listener_check(o.max_connections >= 1, "max_connections", "1 or more");
  listener_check(o.min_bytes_per_s >= 1, "min_bytes_per_s", "1 or more");
  listener_check(o.max_target_bytes >= 16 && o.max_target_bytes <= (1u << 20), "max_target_bytes",
                 "16 to 1048576");
  listener_check(o.max_header_bytes >= 64 && o.max_header_bytes <= (1u << 24), "max_header_bytes",
                 "64 to 16777216");
  listener_check(o.max_body_bytes <= std::numeric_limits<std::size_t>::max() / 4096,
                 "max_body_bytes", "within memory");
  listener_check(o.max_upload_bytes <= std::uint64_t{1} << 50, "max_upload_bytes", "up to 2^50");
  listener_check(o.keep_alive_max_requests >= 1, "keep_alive_max_requests", "1 or more");
}

// As many connections as leave descriptors for the store and the files that requests need.
std::size_t listener_connection_cap(std::size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  const std::size_t kept = std::min<std::size_t>(kListenerKeptDescriptors, files.rlim_cur / 2);
  return std::clamp<std::size_t>(files.rlim_cur - kept, 1, wanted);
}

}  // namespace

void raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t most = std::min(files.rlim_max, kListenerMostDescriptors);
  if (files.rlim_cur >= most) return;
  files.rlim_cur = most;
  setrlimit(RLIMIT_NOFILE, &files);  // if not, the listener does with what there is
}

void check_port_is_free(const std::string& host, int port) { listen_tcp(host, port); }

class Listener::State {
 public:
  State(ListenerOptions options, Router router)
      : options_(std::move(options)),
        router_(std::move(router)),
        stop_event_(make_stop_event()),
        context_{options_, router_, responder_, stop_event_.fd()} {
    listener_check_options(options_);
  }

  void start();
  void join();
  void request_stop() { raise_stop_event(stop_event_.fd()); }
  void wait();
  int port() const { return port_.load(); }
  std::size_t connections() const;

 private:
  struct Job {
    Accepted accepted;
    std::int64_t accepted_ms = 0;
  };
  struct TurnedAway {
    Socket socket;
    std::int64_t deadline_ms;
  };

  static void* worker_main(void* state);
  void worker();
  void serve(Job& job);
  void accept_loop();
  void accept_one();
  bool hand_over(Job& job);
  bool start_worker();
  void log_full(const char* what);
  void turn_away(Socket socket);
  void drop_turned_away(const std::vector<pollfd>& events);
  void finish();
  void reap(std::unique_lock<std::mutex>& lock);
  std::string make_full_answer() const;

  const ListenerOptions options_;
  const Router router_;
  const HttplibResponder responder_;
  const Socket stop_event_;
  ConnectionContext context_;
  std::atomic<int> port_{0};
  std::size_t max_connections_ = 0;  // set by start(), before any other thread

  // Of the accepting thread only.
  Socket listening_;
  std::string full_answer_;
  std::vector<TurnedAway> turned_away_;
  std::int64_t full_logged_ms_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable work_;      // jobs_ or closing_ changed
  std::condition_variable progress_;  // active_, workers_ or finished_ changed
  std::deque<Job> jobs_;              // never more than there are idle workers
  std::set<int> active_;              // descriptors being served, to cut them off
  std::vector<pthread_t> ended_;      // to be joined
  std::size_t workers_ = 0;
  std::size_t idle_workers_ = 0;
  bool started_ = false;
  bool closing_ = false;
  bool finished_ = false;

  std::mutex join_mutex_;
  std::thread acceptor_;
};

void Listener::State::start() {
  std::lock_guard<std::mutex> guard(join_mutex_);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (started_) throw Error(ErrorCode::kConflict, "the listener was started before");
  }
  listening_ = listen_tcp(options_.host, options_.port);
  port_ = local_port(listening_);
  max_connections_ = listener_connection_cap(options_.max_connections);
  full_answer_ = make_full_answer();
  try {
    const SignalMask block;
    acceptor_ = std::thread([this] { accept_loop(); });
  } catch (const std::system_error& error) {
    listening_.close();
    throw Error(ErrorCode::kUnavailable, "the system refuses one more thread", error.what());
  }
  std::lock_guard<std::mutex> lock(mutex_);
  started_ = true;
}

void Listener::State::wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  progress_.wait(lock, [this] { return finished_ || !started_; });
}

void Listener::State::join() {
  std::lock_guard<std::mutex> guard(join_mutex_);
  if (acceptor_.joinable()) acceptor_.join();
}

std::size_t Listener::State::connections() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return active_.size() + jobs_.size();
}

std::string Listener::State::make_full_answer() const {
  HttpResponse response = router_.error_response(
      Error(ErrorCode::kTooManyRequests,
            "all " + std::to_string(max_connections_) +
                " connections of this server are in use; try again in a second"),
      HttpRequest());
  response.status = 503;
  response.set_header("Retry-After", "1");
  std::string bytes;
  responder_.respond(response, HttplibAnswer(), [&bytes](const char* data, std::size_t size) {
    bytes.append(data, size);
    return true;
  });
  return bytes;
}

void Listener::State::accept_loop() {
  std::vector<pollfd> events;
  for (;;) {
    events.assign({{stop_event_.fd(), POLLIN, 0}, {listening_.fd(), POLLIN, 0}});
    int timeout_ms = -1;
    for (const TurnedAway& away : turned_away_) {
      events.push_back({away.socket.fd(), POLLIN, 0});
      timeout_ms = kListenerTurnedAwayCheckMs;
    }
    poll(events.data(), events.size(), timeout_ms);
    if (events[0].revents != 0) break;
    drop_turned_away(events);
    if (events[1].revents != 0) accept_one();
  }
  finish();
}

void Listener::State::accept_one() {
  Job job;
  if (!accept_tcp(listening_, job.accepted)) {
    // Until a connection ends there is nothing to accept with, and poll would return at once.
    log_full("no more file descriptors; new connections wait");
    pollfd stop{stop_event_.fd(), POLLIN, 0};
    poll(&stop, 1, static_cast<int>(kListenerNoDescriptorPauseMs));
    return;
  }
  if (!job.accepted.socket.is_open()) return;
  job.accepted_ms = monotonic_ms();
  if (!hand_over(job)) turn_away(std::move(job.accepted.socket));
}

// Gives `job` to an idle worker or a new one; false, with the job untouched, when there is none.
bool Listener::State::hand_over(Job& job) {
  std::unique_lock<std::mutex> lock(mutex_);
  reap(lock);
  if (active_.size() + jobs_.size() >= max_connections_) return false;
  if (idle_workers_ <= jobs_.size() && !start_worker()) return false;
  jobs_.push_back(std::move(job));
  work_.notify_one();
  return true;
}

bool Listener::State::start_worker() {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes,
                            std::max(options_.thread_stack_bytes, kListenerMinStackBytes));
  pthread_t thread;
  int failed = 0;
  {
    const SignalMask block;
    failed = pthread_create(&thread, &attributes, &State::worker_main, this);
  }
  pthread_attr_destroy(&attributes);
  if (failed != 0) return false;
  ++workers_;
  // It counts as idle from now on, so that the next connection does not take the job meant for it.
  ++idle_workers_;
  return true;
}

void* Listener::State::worker_main(void* state) {
  static_cast<State*>(state)->worker();
  return nullptr;
}

void Listener::State::worker() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait_for(lock, std::chrono::milliseconds(kListenerWorkerIdleMs),
                   [this] { return closing_ || !jobs_.empty(); });
    if (jobs_.empty()) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    --idle_workers_;
    const int fd = job.accepted.socket.fd();
    active_.insert(fd);
    lock.unlock();
    serve(job);
    lock.lock();
    // Before the descriptor is closed, and its number perhaps given to another connection.
    active_.erase(fd);
    job.accepted.socket.close();
    ++idle_workers_;
    if (closing_) progress_.notify_all();
  }
  --idle_workers_;
  --workers_;
  ended_.push_back(pthread_self());
  progress_.notify_all();
}

void Listener::State::serve(Job& job) {
  try {
    Connection connection(context_, job.accepted.socket.fd(),
                          std::move(job.accepted.remote_address), job.accepted_ms);
    connection.serve();
  } catch (const std::exception& error) {
    // Of our own code nothing but a lack of memory gets here; it costs the one connection.
    log_error("a connection was dropped", {{"reason", error.what()}});
  }
}

// Once in a while: a flood of connections should not become a flood of lines.
void Listener::State::log_full(const char* what) {
  const std::int64_t now = monotonic_ms();
  if (full_logged_ms_ != 0 && now - full_logged_ms_ < kListenerFullLogMs) return;
  full_logged_ms_ = now;
  log_warn(what, {{"connections", std::to_string(connections())},
                  {"max_connections", std::to_string(max_connections_)}});
}

// Answers 503 with no thread. The socket is kept a moment, or the system would drop the answer
// together with the request that nobody reads.
void Listener::State::turn_away(Socket socket) {
  const std::int64_t now = monotonic_ms();
  log_full("connections are turned away");
  send_some(socket.fd(), full_answer_.data(), full_answer_.size(), now);
  shutdown(socket.fd(), SHUT_WR);
  if (turned_away_.size() < kListenerMaxTurnedAway) {
    turned_away_.push_back({std::move(socket), now + options_.linger_ms});
  }
}

void Listener::State::drop_turned_away(const std::vector<pollfd>& events) {
  const std::int64_t now = monotonic_ms();
  std::vector<TurnedAway> kept;
  for (std::size_t i = 0; i < turned_away_.size(); ++i) {
    bool ended = now >= turned_away_[i].deadline_ms;
    if (events[i + 2].revents != 0) {
      char dropped[4096];
      ended =
          ended || recv(turned_away_[i].socket.fd(), dropped, sizeof(dropped), MSG_DONTWAIT) <= 0;
    }
    if (!ended) kept.push_back(std::move(turned_away_[i]));
  }
  turned_away_ = std::move(kept);
}

void Listener::State::finish() {
  context_.stopping = true;
  listening_.close();
  turned_away_.clear();
  std::unique_lock<std::mutex> lock(mutex_);
  closing_ = true;
  work_.notify_all();
  const bool in_time =
      progress_.wait_for(lock, std::chrono::milliseconds(options_.shutdown_grace_ms),
                         [this] { return active_.empty() && jobs_.empty(); });
  if (!in_time) {
    log_warn("connections are cut off", {{"connections", std::to_string(active_.size())}});
  }
  while (workers_ > 0) {
    // A job that was still waiting becomes active later; so this is repeated.
    for (const int fd : active_) shutdown(fd, SHUT_RDWR);
    progress_.wait_for(lock, std::chrono::milliseconds(kListenerNoDescriptorPauseMs),
                       [this] { return workers_ == 0; });
  }
  reap(lock);
  finished_ = true;
  progress_.notify_all();
}

void Listener::State::reap(std::unique_lock<std::mutex>& lock) {
  if (ended_.empty()) return;
  std::vector<pthread_t> ended;
  ended.swap(ended_);
  lock.unlock();
  for (const pthread_t thread : ended) pthread_join(thread, nullptr);
  lock.lock();
}

Listener::Listener(ListenerOptions options, Router router)
    : state_(std::make_unique<State>(std::move(options), std::move(router))) {}

Listener::~Listener() { stop(); }

void Listener::start() { state_->start(); }

int Listener::port() const { return state_->port(); }

void Listener::stop() {
  state_->request_stop();
  state_->wait();
  state_->join();
}

void Listener::request_stop() { state_->request_stop(); }

void Listener::wait() { state_->wait(); }

std::size_t Listener::connections() const { return state_->connections(); }

}  // namespace mlrt
