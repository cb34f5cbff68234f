#ifndef MLRT_TRAIN_HOOKS_HPP_
#define MLRT_TRAIN_HOOKS_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/model.hpp"

namespace mlrt {

// What a learner tells those who listen, before its first round.
struct TrainingInfo {
  std::string learner;                                      // "logistic_regression"
  std::vector<std::pair<std::string, std::string>> params;  // every option, in a fixed order
  std::string dataset_name;                                 // "train" when the caller gave none
  std::string dataset_digest;                               // Table::digest(); "" when unknown
  std::size_t row_count = 0;
  std::vector<ColumnSpec> columns;  // of the training data, label included
};

using NamedValues = std::vector<std::pair<std::string, double>>;

// Someone who listens to training: autolog is one, a user's script may be another. Called on the
// thread that trains. An exception from an observer ends the training with it.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_begin(const TrainingInfo& info);
  virtual void on_round(std::int64_t step, const NamedValues& metrics);
  // `model` may be null: a user's own learner may have none that mlrt can store.
  virtual void on_finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics);
  // The training ended without a model, by the exception whose text is `reason`. Must not throw.
  virtual void on_failure(const std::string& reason) noexcept;
};

// The listeners of one script or program. Not for use by two threads at once.
class TrainHooks {
 public:
  // The observer hears the trainings that begin from now on; one that is added already stays where
  // it is. Throws kInvalidParameter for null.
  void add(std::shared_ptr<TrainObserver> observer);
  // A training under way keeps those that heard its beginning.
  void remove(const TrainObserver* observer);
  bool empty() const { return observers_.empty(); }

 private:
  friend class Training;
  std::vector<std::shared_ptr<TrainObserver>> observers_;
};

// One training under way, as a learner reports it: begin in the constructor, round() for each,
// finish() at the end. Left without finish(), it reports a failure to those who heard the
// beginning. Observers are called in the order in which they were added. A user's learner uses it
// just as ours do. Not for use by two threads at once.
class Training {
 public:
  // `hooks` may be null: nobody listens. Throws what an observer throws; those before it, who heard
  // the beginning, then hear of the failure.
  Training(TrainHooks* hooks, const TrainingInfo& info);
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Throws kInterrupted if the user asked to stop, and what observers throw; the text of either is
  // then the reason of the failure. Throws kInvalidParameter after finish().
  void round(std::int64_t step, const NamedValues& metrics);
  // Throws what an observer throws: that one and those after it then hear of a failure, not those
  // who have finished. Throws kInvalidParameter when called again.
  void finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics = {});
  // What the observers will be told if finish() never comes; the default is "the training was
  // abandoned".
  void set_failure(std::string reason);

 private:
  Training() = default;

  std::vector<std::shared_ptr<TrainObserver>>
      observers_;  // who heard the beginning and not yet the end
  std::string failure_ = "the training was abandoned";
  bool finished_ = false;
};

}  // namespace mlrt

#endif  // MLRT_TRAIN_HOOKS_HPP_
