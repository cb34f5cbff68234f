#include "train/hooks.hpp"

#include <algorithm>
#include <exception>

#include "core/error.hpp"
#include "core/interrupt.hpp"

namespace mlrt {

void TrainObserver::on_begin(const TrainingInfo&) {}
void TrainObserver::on_round(std::int64_t, const NamedValues&) {}
void TrainObserver::on_finish(const std::shared_ptr<const Model>&, const NamedValues&) {}
void TrainObserver::on_failure(const std::string&) noexcept {}

void TrainHooks::add(std::shared_ptr<TrainObserver> observer) {
  if (observer == nullptr)
    throw Error(ErrorCode::kInvalidParameter, "a training observer must not be null");
  if (std::find(observers_.begin(), observers_.end(), observer) != observers_.end()) return;
  observers_.push_back(std::move(observer));
}

void TrainHooks::remove(const TrainObserver* observer) {
  observers_.erase(std::remove_if(observers_.begin(), observers_.end(),
                                  [&](const auto& other) { return other.get() == observer; }),
                   observers_.end());
}

// It delegates so that the destructor, which tells of the failure, runs when an observer throws.
Training::Training(TrainHooks* hooks, const TrainingInfo& info) : Training() {
  if (hooks == nullptr) return;
  auto listeners = hooks->observers_;  // a copy: an observer may add or remove some
  observers_.reserve(listeners.size());
  try {
    for (const auto& listener : listeners) {
      listener->on_begin(info);
      observers_.push_back(listener);
    }
  } catch (const std::exception& error) {
    failure_ = error.what();
    throw;
  }
}

Training::~Training() {
  if (finished_) return;
  for (const auto& observer : observers_) observer->on_failure(failure_);
}

void Training::round(std::int64_t step, const NamedValues& metrics) {
  if (finished_) throw Error(ErrorCode::kInvalidParameter, "the training has already finished");
  try {
    check_interrupt();
    for (const auto& observer : observers_) observer->on_round(step, metrics);
  } catch (const std::exception& error) {
    failure_ = error.what();
    throw;
  }
}

void Training::finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics) {
  if (finished_) throw Error(ErrorCode::kInvalidParameter, "the training has already finished");
  try {
    while (!observers_.empty()) {
      observers_.front()->on_finish(model, metrics);
      observers_.erase(observers_.begin());
    }
  } catch (const std::exception& error) {
    failure_ = error.what();
    throw;
  }
  finished_ = true;
}

void Training::set_failure(std::string reason) { failure_ = std::move(reason); }

}  // namespace mlrt
