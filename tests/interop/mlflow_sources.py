"""What the real MLflow has: made for the tests, and read back as plain values."""
import json
import math
import os
import subprocess
import warnings

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # newer ones ask before they write an mlruns folder
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
warnings.simplefilter("ignore")

import mlflow  # noqa: E402
import pandas  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag, ViewType  # noqa: E402

GREATEST = 1.7976931348623157e308  # how MLflow's databases hold an infinity


def mlrt(*words, fine=(0,)):
    done = subprocess.run([os.environ["MLRT"], *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode not in fine:
        raise AssertionError(f"mlrt {words} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def import_into(store, source, *words):
    return json.loads(mlrt("--store", store, "import", source, "--json", *words, fine=(0, 1)))


def fill(uri):
    """Lets MLflow write all that mlrt keeps."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = MlflowClient(uri)
    first = client.create_experiment("first", tags={"team": "a"})
    mlflow.set_experiment("first")
    data = mlflow.data.from_pandas(pandas.DataFrame({"a": [1.5, 2], "b": [3.0, 4.0]}), name="taxi-trips",
                                   source="/tmp/x.csv")
    with mlflow.start_run(run_name="parent", description="what it is") as parent:
        mlflow.log_params({"lr": 0.1, "model/deep": "tree", "long": "x" * 5000})
        mlflow.log_metric("loss", 1.5, step=0)
        mlflow.log_metric("loss", math.nan, step=1)
        mlflow.log_metric("up", math.inf, step=-3)
        mlflow.log_metric("down", -math.inf, step=2**40)
        mlflow.log_input(data, context="train", tags={"k": "v"})
        mlflow.log_text("hello", "notes/a.txt")
        model = mlflow.initialize_logged_model(name="clf", model_type="classifier", params={"depth": "3"},
                                               tags={"t": "1"})
        mlflow.log_metric("acc", 0.5, step=0, model_id=model.model_id, dataset=data)
        mlflow.log_metric("acc", 0.25, step=3, model_id=model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(parent.info.run_id, [LoggedModelOutput(model.model_id, 1)])
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.set_tag("x", "several\nlines \u00e9")
    batch = client.create_run(first, run_name="batch")
    now = batch.info.start_time
    client.log_batch(batch.info.run_id,
                     metrics=[Metric(f"m{i % 3}", math.sin(i), now + i, i // 3) for i in range(900)],
                     params=[Param(f"p{i}", str(i)) for i in range(90)],
                     tags=[RunTag(f"t{i}", str(i)) for i in range(90)])
    client.log_batch(batch.info.run_id, metrics=[Metric("m0", 7, now, 0)] * 3)
    client.set_terminated(batch.info.run_id, "FAILED")
    client.delete_run(client.create_run(first, run_name="deleted").info.run_id)
    gone = client.create_experiment("gone")
    client.create_run(gone)
    client.delete_experiment(gone)
    client.create_registered_model("taxi tips", tags={"a": "b"}, description="what it does")
    for i in range(3):
        client.create_model_version("taxi tips", f"runs:/{parent.info.run_id}/model{i}", parent.info.run_id,
                                    tags={"v": str(i)}, description=f"number {i}", run_link=f"http://run/{i}")
    client.transition_model_version_stage("taxi tips", "1", "Production")
    client.delete_model_version("taxi tips", "2")
    client.set_registered_model_alias("taxi tips", "champion", "3")
    return parent.info.run_id


def number(value):
    """NaN equal to itself; an infinity as a database has it."""
    if math.isnan(value):
        return "NaN"
    return max(-GREATEST, min(GREATEST, value))


def everything(uri):
    """All that a store holds, as the client gives it."""
    client = MlflowClient(uri, registry_uri=uri)
    found = {"experiments": {}, "runs": {}, "models": {}, "registry": {}}
    experiments = client.search_experiments(view_type=ViewType.ALL)
    for one in experiments:
        if one.name != "Default":
            found["experiments"][one.experiment_id] = (one.name, one.lifecycle_stage, one.creation_time, one.tags)
    ids = [one.experiment_id for one in experiments]
    for run in client.search_runs(ids, run_view_type=ViewType.ALL, max_results=1000):
        info = run.info
        found["runs"][info.run_id] = {
            "info": (info.experiment_id, info.run_name, info.user_id, info.status, info.start_time, info.end_time,
                     info.lifecycle_stage),
            "params": run.data.params,
            "tags": run.data.tags,
            "latest": {key: number(value) for key, value in run.data.metrics.items()},
            # An mlruns folder keeps exact duplicates, a database does not.
            "history": {key: sorted({(m.timestamp, m.step, number(m.value))
                                     for m in client.get_metric_history(info.run_id, key)}, key=str)
                        for key in run.data.metrics},
            "inputs": sorted(
                (d.dataset.name, d.dataset.digest, d.dataset.source_type, d.dataset.source, d.dataset.schema,
                 d.dataset.profile, tuple(sorted((t.key, t.value) for t in d.tags)))
                for d in run.inputs.dataset_inputs),
            "outputs": sorted((o.model_id, o.step) for o in (run.outputs.model_outputs if run.outputs else [])),
        }
    for model in client.search_logged_models(ids):
        found["models"][model.model_id] = (
            model.experiment_id, model.name, model.model_type, model.source_run_id, str(model.status),
            model.creation_timestamp, model.params, model.tags,
            sorted((m.key, m.timestamp, m.value, m.run_id, m.dataset_name, m.dataset_digest)
                   for m in model.metrics or []))
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name = '{model.name}'")
        found["registry"][model.name] = (
            model.description, model.creation_timestamp, model.tags,
            {str(alias): str(version) for alias, version in model.aliases.items()},
            sorted((str(v.version), v.source, v.run_id, v.description, v.creation_timestamp, v.run_link,
                    v.current_stage, tuple(v.tags.items()))
                   for v in versions))
    return found
