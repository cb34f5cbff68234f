#include "train/hooks.hpp"

#include <doctest/doctest.h>

#include "core/interrupt.hpp"
#include "data/expect_error.hpp"

using mlrt::ErrorCode;
using mlrt::NamedValues;
using mlrt::TrainHooks;
using mlrt::Training;
using mlrt::TrainingInfo;
using mlrt::test::message_of;

namespace {

// Writes down what it hears, and throws where it is told to.
class HooksTestObserver : public mlrt::TrainObserver {
 public:
  HooksTestObserver(std::string name, std::string& log, std::string throw_in = {})
      : name_(std::move(name)), log_(log), throw_in_(std::move(throw_in)) {}

  void on_begin(const TrainingInfo& info) override { hear("begin", info.learner); }
  void on_round(std::int64_t step, const NamedValues& metrics) override {
    hear("round", std::to_string(step) + metrics.at(0).first);
  }
  void on_finish(const std::shared_ptr<const mlrt::Model>& model, const NamedValues&) override {
    hear("finish", model == nullptr ? "null" : "model");
  }
  void on_failure(const std::string& reason) noexcept override {
    log_ += name_ + " failure(" + reason + ") ";
  }

 private:
  void hear(const std::string& what, const std::string& detail) {
    log_ += name_ + " " + what + "(" + detail + ") ";
    if (what == throw_in_) throw mlrt::Error(ErrorCode::kUnavailable, name_ + " broke");
  }

  std::string name_;
  std::string& log_;
  std::string throw_in_;
};

struct HooksTestSetup {
  std::string log;
  TrainHooks hooks;
  std::shared_ptr<HooksTestObserver> add(const std::string& name,
                                         const std::string& throw_in = {}) {
    auto observer = std::make_shared<HooksTestObserver>(name, log, throw_in);
    hooks.add(observer);
    return observer;
  }
};

TrainingInfo hooks_test_info() {
  TrainingInfo info;
  info.learner = "L";
  return info;
}

}  // namespace

TEST_CASE("observers hear beginning, rounds and end in the order in which they were added") {
  HooksTestSetup setup;
  setup.add("a");
  setup.add("b");
  {
    Training training(&setup.hooks, hooks_test_info());
    training.round(1, {{"loss", 0.5}});
    training.finish(nullptr);
  }
  CHECK(setup.log ==
        "a begin(L) b begin(L) a round(1loss) b round(1loss) a finish(null) b finish(null) ");
}

TEST_CASE("a training that is left without finish reports a failure") {
  HooksTestSetup setup;
  setup.add("a");
  { Training training(&setup.hooks, hooks_test_info()); }
  CHECK(setup.log == "a begin(L) a failure(the training was abandoned) ");
  setup.log.clear();
  {
    Training training(&setup.hooks, hooks_test_info());
    training.set_failure("out of data");
  }
  CHECK(setup.log == "a begin(L) a failure(out of data) ");
}

TEST_CASE("when an observer throws at the beginning, those before it hear of the failure") {
  HooksTestSetup setup;
  setup.add("a");
  setup.add("b", "begin");
  setup.add("c");
  CHECK(message_of([&] { Training training(&setup.hooks, hooks_test_info()); },
                   ErrorCode::kUnavailable) == "b broke");
  CHECK(setup.log == "a begin(L) b begin(L) a failure(b broke) ");
}

TEST_CASE("when an observer throws in a round, all hear of the failure") {
  HooksTestSetup setup;
  setup.add("a", "round");
  setup.add("b");
  CHECK(message_of(
            [&] {
              Training training(&setup.hooks, hooks_test_info());
              training.round(1, {{"loss", 0.5}});
            },
            ErrorCode::kUnavailable) == "a broke");
  CHECK(setup.log == "a begin(L) b begin(L) a round(1loss) a failure(a broke) b failure(a broke) ");
}

TEST_CASE("when an observer throws at the end, it and those after it hear of a failure") {
  HooksTestSetup setup;
  setup.add("a");
  setup.add("b", "finish");
  setup.add("c");
  CHECK(message_of(
            [&] {
              Training training(&setup.hooks, hooks_test_info());
              training.finish(nullptr);
            },
            ErrorCode::kUnavailable) == "b broke");
  CHECK(setup.log ==
        "a begin(L) b begin(L) c begin(L) a finish(null) b finish(null) b failure(b broke) c "
        "failure(b broke) ");
}

TEST_CASE("an interrupt ends a training at its next round") {
  HooksTestSetup setup;
  setup.add("a");
  {
    Training training(&setup.hooks, hooks_test_info());
    mlrt::request_interrupt();
    CHECK(message_of(
              [&] {
                training.round(1, {{"loss", 0.5}});
              },
              ErrorCode::kInterrupted) == "interrupted");
    mlrt::clear_interrupt();
  }
  CHECK(setup.log == "a begin(L) a failure(interrupted) ");
}

TEST_CASE("a training that has finished takes no more") {
  Training training(nullptr, hooks_test_info());
  training.round(1, {});
  training.finish(nullptr);
  CHECK(message_of([&] { training.round(2, {}); }) == "the training has already finished");
  CHECK(message_of([&] { training.finish(nullptr); }) == "the training has already finished");
}

TEST_CASE("observers are added once, removed by address, and may leave while a training runs") {
  HooksTestSetup setup;
  auto a = setup.add("a");
  setup.hooks.add(a);
  setup.add("b");
  {
    Training training(&setup.hooks, hooks_test_info());
    setup.hooks.remove(a.get());
    training.finish(nullptr);
  }
  CHECK(setup.log == "a begin(L) b begin(L) a finish(null) b finish(null) ");
  setup.log.clear();
  {
    Training training(&setup.hooks, hooks_test_info());
    training.finish(nullptr);
  }
  CHECK(setup.log == "b begin(L) b finish(null) ");
  CHECK_FALSE(setup.hooks.empty());
  CHECK(message_of([&] { setup.hooks.add(nullptr); }) == "a training observer must not be null");
}
