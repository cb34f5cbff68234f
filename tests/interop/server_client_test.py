"""The MLflow client, newest 3.x and newest 2.x, tracks and registers at `mlrt server` as at its own."""
import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", GIT_PYTHON_REFRESH="quiet")

import mlflow  # noqa: E402
import pandas  # noqa: E402
import server_support  # noqa: E402
from mlflow import MlflowClient, MlflowException  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402

THREE = int(mlflow.__version__.split(".")[0]) >= 3
GIGABYTE = 10**9
GREATEST = 1.7976931348623157e308


class Client(unittest.TestCase):
    def setUp(self):
        self.server = server_support.start_mlrt()
        self.addCleanup(self.server.stop)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt client "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        mlflow.set_tracking_uri(self.server.url)
        mlflow.set_registry_uri(self.server.url)
        self.client = MlflowClient()
        self.addCleanup(self.end_runs)

    def end_runs(self):
        while mlflow.active_run():
            mlflow.end_run()

    def test_fluent_calls_log_what_is_read_back(self):
        mlflow.set_experiment("taxi")
        mlflow.set_experiment_tag("team", "edge")
        mlflow.set_experiment_tags({"a": "1", "b": "2"})
        with mlflow.start_run(run_name="parent", tags={"x": "y"}, description="what it is") as parent:
            mlflow.log_param("lr", 0.1)
            mlflow.log_params({"depth": 3, "model/deep": "tree"})
            mlflow.log_metric("loss", 1.5, step=0)
            mlflow.log_metric("loss", 0.5, step=1)
            mlflow.log_metrics({"acc": 0.75, "nan": float("nan"), "up": float("inf")}, step=4)
            mlflow.set_tag("note", "several\nlines \u00e9")
            mlflow.set_tags({"t1": 1, "t2": 2})
            mlflow.delete_tag("t2")
            frame = pandas.DataFrame({"a": [1.5, 2.0], "b": [3.0, 4.0]})
            mlflow.log_input(mlflow.data.from_pandas(frame, name="trips", source="/tmp/x.csv"), context="train")
            mlflow.log_text("hello", "notes/a.txt")
            mlflow.log_dict({"k": [1, 2]}, "notes/d.json")
            mlflow.log_table({"q": ["a", "b"], "n": [1, 2]}, "tables/t.json")
            mlflow.log_table({"q": ["c"], "n": [3]}, "tables/t.json")
            file = self.folder / "file \u00e9.bin"
            file.write_bytes(bytes(range(256)) * 100)
            mlflow.log_artifact(str(file))
            mlflow.log_artifact(str(file), "deep/er")
            tree = self.folder / "tree"
            (tree / "sub").mkdir(parents=True)
            (tree / "one.txt").write_text("1")
            (tree / "sub/two.txt").write_text("2")
            mlflow.log_artifacts(str(tree), "tree")
            with mlflow.start_run(nested=True, run_name="child") as child:
                mlflow.log_metric("loss", 9)
            uri = mlflow.get_artifact_uri("notes/a.txt")
            self.assertTrue(uri.startswith("mlflow-artifacts:/"), uri)
        run = mlflow.get_run(parent.info.run_id)
        self.assertEqual((run.info.status, run.info.run_name, run.info.lifecycle_stage), ("FINISHED", "parent", "active"))
        self.assertGreaterEqual(run.info.end_time, run.info.start_time)
        self.assertEqual(run.data.params, {"lr": "0.1", "depth": "3", "model/deep": "tree"})
        nan = run.data.metrics.pop("nan")
        self.assertNotEqual(nan, nan)
        self.assertEqual(run.data.metrics, {"loss": 0.5, "acc": 0.75, "up": GREATEST})
        for key, value in {"x": "y", "note": "several\nlines \u00e9", "t1": "1", "mlflow.note.content": "what it is"}.items():
            self.assertEqual(run.data.tags[key], value)
        self.assertNotIn("t2", run.data.tags)
        self.assertEqual(mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"], parent.info.run_id)
        self.assertEqual([(m.step, m.value) for m in self.client.get_metric_history(run.info.run_id, "loss")],
                         [(0, 1.5), (1, 0.5)])
        dataset = run.inputs.dataset_inputs[0]
        self.assertEqual((dataset.dataset.name, dataset.tags[0].value), ("trips", "train"))
        tags = mlflow.get_experiment_by_name("taxi").tags
        self.assertEqual({key: value for key, value in tags.items() if not key.startswith("mlflow.")},
                         {"team": "edge", "a": "1", "b": "2"})
        # Artifacts come back as they went.
        names = sorted(one.path for one in self.client.list_artifacts(run.info.run_id))
        self.assertEqual(names, ["deep", "file \u00e9.bin", "notes", "tables", "tree"])
        sizes = {one.path: (one.is_dir, one.file_size) for one in self.client.list_artifacts(run.info.run_id, "tree")}
        self.assertEqual({key: size[0] for key, size in sizes.items()}, {"tree/one.txt": False, "tree/sub": True})
        self.assertEqual(sizes["tree/one.txt"][1], 1)
        self.assertEqual(mlflow.artifacts.load_text(uri), "hello")
        self.assertEqual(mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/notes/d.json"), {"k": [1, 2]})
        self.assertEqual(mlflow.load_table("tables/t.json", [run.info.run_id])["q"].tolist(), ["a", "b", "c"])
        got = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="tree",
                                                               dst_path=str(self.folder / "got")))
        self.assertEqual({str(p.relative_to(got)): p.read_text() for p in got.rglob("*.txt")},
                         {"one.txt": "1", "sub/two.txt": "2"})
        got = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/deep/er/file \u00e9.bin")
        self.assertEqual(pathlib.Path(got).read_bytes(), file.read_bytes())
        with self.assertRaises(Exception):
            mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/absent")

    def test_a_run_that_raises_is_failed(self):
        with self.assertRaises(ZeroDivisionError), mlflow.start_run() as run:
            raise ZeroDivisionError
        self.assertEqual(mlflow.get_run(run.info.run_id).info.status, "FAILED")
        with mlflow.start_run(run.info.run_id):  # goes on with it
            mlflow.log_metric("later", 1)
        self.assertEqual(mlflow.get_run(run.info.run_id).info.status, "FINISHED")
        self.assertEqual(mlflow.last_active_run().info.run_id, run.info.run_id)

    def test_batches_are_taken_to_their_limits_and_no_further(self):
        run = self.client.create_run("0").info.run_id
        self.client.log_batch(run, metrics=[Metric("m", i, i, i) for i in range(800)],
                              params=[Param(f"p{i}", "v") for i in range(100)],
                              tags=[RunTag(f"t{i}", "v") for i in range(100)])
        self.client.log_batch(run, metrics=[Metric("n", i, i, i) for i in range(1000)])
        data = self.client.get_run(run).data
        self.assertEqual((len(data.params), data.metrics), (100, {"m": 799, "n": 999}))
        self.assertGreaterEqual(len(data.tags), 100)
        self.assertEqual(len(self.client.get_metric_history(run, "n")), 1000)
        self.assertEqual(len(self.client.get_metric_history(run, "m")), 800)
        from mlflow.utils.rest_utils import http_request
        for body in ({"metrics": [{"key": "x", "value": 1, "timestamp": 1, "step": i} for i in range(1001)]},
                     {"params": [{"key": f"q{i}", "value": "v"} for i in range(101)]},
                     {"tags": [{"key": f"q{i}", "value": "v"} for i in range(101)]}):
            answer = http_request(self.client._tracking_client.store.get_host_creds(),
                                  "/api/2.0/mlflow/runs/log-batch", "POST", json={"run_id": run, **body})
            self.assertEqual((answer.status_code, answer.json()["error_code"]), (400, "INVALID_PARAMETER_VALUE"))
        with self.assertRaisesRegex(MlflowException, "Changing param values is not allowed"):
            self.client.log_batch(run, params=[Param("p1", "another")])
        with self.assertRaises(MlflowException):
            self.client.log_metric(run, "a$$b", 1)

    def test_experiments_and_runs_are_deleted_and_restored(self):
        experiment = self.client.create_experiment("gone", tags={"a": "b"})
        run = self.client.create_run(experiment).info.run_id
        self.client.delete_experiment(experiment)
        self.assertEqual(self.client.get_experiment(experiment).lifecycle_stage, "deleted")
        self.assertNotIn("gone", [e.name for e in self.client.search_experiments()])
        self.assertIn("gone", [e.name for e in self.client.search_experiments(view_type=ViewType.DELETED_ONLY)])
        with self.assertRaises(MlflowException):
            mlflow.set_experiment("gone")
        self.client.restore_experiment(experiment)
        self.client.rename_experiment(experiment, "back")
        self.assertEqual(mlflow.set_experiment("back").experiment_id, experiment)
        self.client.delete_run(run)
        with self.assertRaisesRegex(MlflowException, "deleted"):
            self.client.log_metric(run, "m", 1)
        self.assertEqual(len(self.client.search_runs([experiment])), 0)
        self.assertEqual(len(self.client.search_runs([experiment], run_view_type=ViewType.ALL)), 1)
        self.client.restore_run(run)
        self.client.update_run(run, status="KILLED", name="renamed")
        found = self.client.get_run(run).info
        self.assertEqual((found.status, found.run_name), ("KILLED", "renamed"))
        self.client.set_terminated(run, "FAILED")
        self.assertEqual(self.client.get_run(run).info.status, "FAILED")

    def test_searches_find_page_and_order(self):
        experiment = mlflow.set_experiment("search").experiment_id
        for i in range(7):
            with mlflow.start_run(run_name=f"run {i}", tags={"team": ("edge", "Edge")[i % 2]}):
                mlflow.log_metric("loss", i / 2)
                mlflow.log_param("model", ("tree", "forest")[i % 2])

        def names(text, order=("metrics.loss ASC",), **more):
            return mlflow.search_runs(filter_string=text, order_by=list(order), **more)["tags.mlflow.runName"].tolist()

        self.assertEqual(names("metrics.loss >= 2"), ["run 4", "run 5", "run 6"])
        self.assertEqual(names("metrics.loss < 1 AND params.model = 'tree'"), ["run 0"])
        self.assertEqual(names("tags.team LIKE 'edg%'"), ["run 0", "run 2", "run 4", "run 6"])
        self.assertEqual(names("tags.team ILIKE 'EDG%' and metrics.loss != 0", max_results=2), ["run 1", "run 2"])
        self.assertEqual(names("attributes.status = 'FINISHED'", ["metrics.loss DESC"])[0], "run 6")
        self.assertEqual(names("params.model != 'tree'"), ["run 1", "run 3", "run 5"])
        first = self.client.search_runs([experiment], order_by=["metrics.loss"], max_results=5)
        second = self.client.search_runs([experiment], order_by=["metrics.loss"], max_results=5, page_token=first.token)
        self.assertEqual([r.info.run_name for r in [*first, *second]], [f"run {i}" for i in range(7)])
        self.assertFalse(second.token)
        ids = [r.info.run_id for r in first[:2]]
        found = self.client.search_runs([experiment], f"attributes.run_id IN ('{ids[0]}', '{ids[1]}')")
        self.assertEqual({r.info.run_id for r in found}, set(ids))
        with self.assertRaises(MlflowException):
            self.client.search_runs([experiment], "nonsense = 1")
        self.assertEqual([e.name for e in self.client.search_experiments(filter_string="name LIKE 'sea%'")], ["search"])

    def test_models_are_registered_staged_aliased_and_found(self):
        run = self.client.create_run("0").info
        self.client.create_registered_model("taxi tips", tags={"a": "b"}, description="what")
        with self.assertRaisesRegex(MlflowException, "already exists"):
            self.client.create_registered_model("taxi tips")
        for i in range(3):
            version = self.client.create_model_version("taxi tips", f"{run.artifact_uri}/model", run.run_id,
                                                       tags={"v": str(i)}, description=f"number {i}")
            self.assertEqual((str(version.version), version.status), (str(i + 1), "READY"))
        self.client.set_registered_model_alias("taxi tips", "champion", "2")
        found = self.client.get_model_version_by_alias("taxi tips", "champion")
        self.assertEqual((str(found.version), found.description, found.tags, list(found.aliases)),
                         ("2", "number 1", {"v": "1"}, ["champion"]))
        self.assertEqual({k: str(v) for k, v in self.client.get_registered_model("taxi tips").aliases.items()},
                         {"champion": "2"})
        self.client.delete_registered_model_alias("taxi tips", "champion")
        with self.assertRaises(MlflowException):
            self.client.get_model_version_by_alias("taxi tips", "champion")
        self.client.transition_model_version_stage("taxi tips", "1", "Production")
        self.client.transition_model_version_stage("taxi tips", "3", "Production", archive_existing_versions=True)
        self.assertEqual({str(v.version): v.current_stage for v in self.client.search_model_versions("name = 'taxi tips'")},
                         {"1": "Archived", "2": "None", "3": "Production"})
        self.assertEqual([str(v.version) for v in self.client.get_latest_versions("taxi tips", ["Production"])], ["3"])
        self.client.update_model_version("taxi tips", "1", "changed")
        self.client.set_model_version_tag("taxi tips", "1", "k", "w")
        self.client.delete_model_version_tag("taxi tips", "1", "v")
        found = self.client.get_model_version("taxi tips", "1")
        self.assertEqual((found.description, found.tags, found.run_id), ("changed", {"k": "w"}, run.run_id))
        self.client.delete_model_version("taxi tips", "3")
        again = self.client.create_model_version("taxi tips", f"{run.artifact_uri}/model", run.run_id)
        self.assertEqual(str(again.version), "4")
        self.client.rename_registered_model("taxi tips", "tips")
        self.client.set_registered_model_tag("tips", "x", "y")
        self.client.delete_registered_model_tag("tips", "a")
        self.client.update_registered_model("tips", "anew")
        found = self.client.search_registered_models("name LIKE 'ti%'")
        self.assertEqual([(m.name, m.tags, m.description) for m in found], [("tips", {"x": "y"}, "anew")])
        self.assertEqual(self.client.get_model_version_download_uri("tips", "1"), f"{run.artifact_uri}/model")
        self.client.delete_registered_model("tips")
        with self.assertRaises(MlflowException):
            self.client.get_registered_model("tips")

    @unittest.skipUnless(THREE, "MLflow 2 has no logged models")
    def test_logged_models_are_made_finalized_and_found(self):
        mlflow.set_experiment("models")
        with mlflow.start_run() as run:
            model = mlflow.initialize_logged_model(name="clf", model_type="classifier", params={"depth": "3"},
                                                   tags={"t": "1"})
            mlflow.log_metric("acc", 0.5, model_id=model.model_id)
            mlflow.set_logged_model_tags(model.model_id, {"u": "2"})
            mlflow.log_model_params({"width": "9"}, model.model_id)
            self.assertEqual(str(mlflow.finalize_logged_model(model.model_id, "READY").status), "READY")
            other = mlflow.create_external_model(name="external")
            mlflow.log_outputs([mlflow.entities.LoggedModelOutput(other.model_id, 2)])
        self.client.log_model_artifact(model.model_id, __file__)
        self.assertEqual([one.path for one in self.client.list_logged_model_artifacts(model.model_id)],
                         [pathlib.Path(__file__).name])
        found = mlflow.get_logged_model(model.model_id)
        self.assertEqual((found.name, found.params, found.tags["u"], found.source_run_id, found.metrics[0].value),
                         ("clf", {"depth": "3", "width": "9"}, "2", run.info.run_id, 0.5))
        frame = mlflow.search_logged_models(filter_string="metrics.acc > 0.25 AND params.depth = '3'")
        self.assertEqual(frame["model_id"].tolist(), [model.model_id])
        listed = mlflow.search_logged_models(order_by=[{"field_name": "name", "ascending": False}], output_format="list")
        self.assertEqual([one.name for one in listed], ["external", "clf"])
        self.assertIn(other.model_id, [one.model_id for one in mlflow.get_run(run.info.run_id).outputs.model_outputs])
        self.client.delete_logged_model_tag(model.model_id, "u")
        self.client.delete_logged_model(other.model_id)
        with self.assertRaises(MlflowException):
            mlflow.get_logged_model(other.model_id)

    def test_a_gigabyte_goes_up_and_down_in_bounded_memory(self):
        path = self.folder / "big.bin"
        block = os.urandom(2**20)
        with open(path, "wb") as file:
            for _ in range(GIGABYTE // len(block)):
                file.write(block)
            file.write(b"end")
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(path))
        up = self.server.memory_mb("VmHWM")
        got = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/big.bin", dst_path=str(self.folder / "got"))
        highest = self.server.memory_mb("VmHWM")
        print(f"memory of the server: {up:.1f} MB after the upload, {highest:.1f} MB after the download", file=sys.stderr)
        self.assertLess(highest, 40)
        self.assertEqual(subprocess.run(["cmp", path, got], check=False).returncode, 0)

    def test_a_missing_model_is_refused_at_once(self):
        run = self.client.create_run("0").info.run_id
        for uri in (f"runs:/{run}/model", "models:/absent/1", "models:/absent@champion", f"runs:/{'0' * 32}/model"):
            started = time.monotonic()
            with self.assertRaises(Exception):
                mlflow.pyfunc.load_model(uri)
            self.assertLess(time.monotonic() - started, 2, uri)

    def command(self, *words):
        """Runs a command of MLflow in this process, which has imported it: that takes seconds each time."""
        from click.testing import CliRunner
        from mlflow.cli import cli
        done = CliRunner().invoke(cli, words)
        self.assertEqual(done.exit_code, 0, f"{words}: {done.output} {done.exception}")
        return done.output

    def program(self, *words):
        done = subprocess.run([sys.executable, "-m", "mlflow", *words], capture_output=True, text=True, check=False,
                              env=dict(os.environ, MLFLOW_TRACKING_URI=self.server.url))
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        return done.stdout

    def test_the_commands_of_mlflow_work(self):
        os.environ["MLFLOW_TRACKING_URI"] = self.server.url
        self.addCleanup(os.environ.pop, "MLFLOW_TRACKING_URI")
        self.assertIn("by hand", self.program("experiments", "create", "-n", "by hand"))
        experiment = self.client.get_experiment_by_name("by hand").experiment_id
        self.assertIn("by hand", self.command("experiments", "search"))
        self.command("experiments", "rename", "-x", experiment, "--new-name", "renamed")
        run = self.client.create_run(experiment, run_name="found").info.run_id
        self.client.log_metric(run, "loss", 0.5)
        self.assertIn("found", self.command("runs", "list", "--experiment-id", experiment))
        self.assertIn('"loss": 0.5', self.command("runs", "describe", "--run-id", run))
        (self.folder / "one.txt").write_text("1")
        self.command("artifacts", "log-artifact", "-l", "one.txt", "-r", run, "-a", "deep")
        self.assertIn("deep/one.txt", self.command("artifacts", "list", "-r", run, "-a", "deep"))
        self.command("artifacts", "download", "-r", run, "-a", "deep", "-d", "got")
        self.assertEqual((self.folder / "got/deep/one.txt").read_text(), "1")
        self.command("experiments", "csv", "-x", experiment, "-o", "runs.csv")
        with open("runs.csv", newline="") as file:
            self.assertEqual([row["metrics.loss"] for row in csv.DictReader(file)], ["0.5"])
        self.command("runs", "delete", "--run-id", run)
        self.assertEqual(self.client.get_run(run).info.lifecycle_stage, "deleted")
        self.command("runs", "restore", "--run-id", run)
        self.command("experiments", "delete", "-x", experiment)
        self.command("experiments", "restore", "-x", experiment)
        self.assertEqual(self.client.get_experiment(experiment).lifecycle_stage, "active")


if __name__ == "__main__":
    unittest.main()
