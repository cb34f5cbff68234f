// Logs a run and scores a row from a bundle, all inside this process.
//
//     embed_app taxi-tips.mlrt [STORE]

#include <cstdio>
#include <string>

#include "mlrt.hpp"

namespace {

// One taxi trip as raw columns, just as the model's signature names them.
mlrt::Table one_trip() {
  mlrt::Table trip;
  trip.set(mlrt::Column::of_doubles("trip_miles", {2.1}));
  trip.set(mlrt::Column::of_doubles("fare", {9.45}));
  trip.set(mlrt::Column::of_doubles("trip_seconds", {720}));
  trip.set(mlrt::Column::of_strings("payment_type", {"Credit Card"}));
  return trip;
}

int score(const std::string& bundle, const std::string& store) {
  auto model = mlrt::load_model(bundle);
  double tip = model->predict(one_trip()).column("prediction").number(0);
  std::printf("probability of a tip above 20%%: %.4f\n", tip);

  mlrt::Session session(store);
  session.set_experiment("embedded");
  mlrt::Run run = session.start_run("one trip");
  run.log_param("bundle", bundle);
  run.log_metric("prediction", tip);
  run.end();
  std::printf("logged run %s to %s\n", run.name().c_str(), session.store().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: embed_app BUNDLE [STORE]\n");
    return 2;
  }
  try {
    return score(argv[1], argc > 2 ? argv[2] : "mlrt.db");
  } catch (const mlrt::Error& error) {
    std::fprintf(stderr, "embed_app: %s\n", error.what());
    return mlrt::error_info(error.code()).exit_code;
  }
}
