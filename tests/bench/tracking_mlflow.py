"""MLflow's side of `scripts/dev bench tracking`: commands from standard input, an answer a line.

The commands are those of tracking_rates.cpp that MLflow has: log, runs and search.
"""
import logging
import os
import sys
import time

import mlflow
from mlflow.tracking import MlflowClient

logging.getLogger("mlflow").setLevel(logging.ERROR)


def log(count):
    if mlflow.active_run() is None:
        mlflow.start_run()
    started = time.perf_counter()
    for step in range(count):
        mlflow.log_metric("loss", 0.25 * step, step=step)
    return time.perf_counter() - started


def runs(count):
    mlflow.end_run()
    started = time.perf_counter()
    for i in range(count):
        with mlflow.start_run(run_name="bench"):
            mlflow.log_params({f"param{k}": i + k for k in range(10)})
            mlflow.log_metrics({f"metric{k}": 0.5 * i + k for k in range(10)})
    return time.perf_counter() - started


def search(_):
    client = MlflowClient()
    started = time.perf_counter()
    found = client.search_runs(["0"], "metrics.rmse < 1 and params.model = 'tree'",
                               max_results=100, order_by=["metrics.mae ASC"])
    return time.perf_counter() - started, len(found)


def main():
    mlflow.set_tracking_uri("sqlite:///" + os.path.abspath(sys.argv[1]))
    commands = {"log": log, "runs": runs, "search": search}
    for line in sys.stdin:
        name, *count = line.split()
        answer = commands[name](int(count[0]) if count else 0)
        print(*(answer if isinstance(answer, tuple) else (answer,)), flush=True)


if __name__ == "__main__":
    main()
