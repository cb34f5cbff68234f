"""Models that MLflow's own flavors log, register and load, with `mlrt server` behind them; newest 3.x and 2.x."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import warnings
import zipfile

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", GIT_PYTHON_REFRESH="quiet", TQDM_DISABLE="1")
warnings.simplefilter("ignore")

import lightgbm  # noqa: E402
import mlflow  # noqa: E402
import numpy  # noqa: E402
import server_support  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402

THREE = int(mlflow.__version__.split(".")[0]) >= 3


def rows():
    numbers = numpy.random.default_rng(7)
    features = numbers.normal(size=(120, 3))
    return features, (features[:, 0] + 0.1 * numbers.normal(size=120) > 0).astype(int)


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server_support.start_mlrt()
        cls.addClassCleanup(cls.server.stop)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt models "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(cls.folder)
        mlflow.set_tracking_uri(cls.server.url)
        mlflow.set_registry_uri(cls.server.url)
        cls.client = MlflowClient()
        cls.features, cls.labels = rows()

    def tearDown(self):
        mlflow.sklearn.autolog(disable=True)
        mlflow.lightgbm.autolog(disable=True)
        while mlflow.active_run():
            mlflow.end_run()

    def log(self, model, name, **options):
        place = {"name": name} if THREE else {"artifact_path": name}
        return mlflow.sklearn.log_model(model, **place, pip_requirements=["scikit-learn"], **options)

    def test_a_model_is_logged_registered_aliased_and_loaded(self):
        mlflow.set_experiment("models")
        model = LogisticRegression().fit(self.features, self.labels)
        expected = model.predict(self.features)
        with mlflow.start_run() as run:
            mlflow.log_metric("acc", 0.5)
            info = self.log(model, "clf", input_example=self.features[:2],
                            signature=mlflow.models.infer_signature(self.features, expected))
        run_id = run.info.run_id
        version = mlflow.register_model(info.model_uri, "churn")
        self.assertEqual((str(version.version), version.name), ("1", "churn"))
        self.client.set_registered_model_alias("churn", "champion", "1")
        self.client.transition_model_version_stage("churn", "1", "Production")
        uris = [info.model_uri, f"runs:/{run_id}/clf", "models:/churn/1", "models:/churn/latest",
                "models:/churn@champion", "models:/churn/Production"]
        for uri in uris:
            with self.subTest(uri):
                loaded = mlflow.pyfunc.load_model(uri)
                self.assertEqual(loaded.predict(self.features).tolist(), expected.tolist())
                self.assertEqual(loaded.metadata.run_id, run_id)
        self.assertEqual(mlflow.sklearn.load_model("models:/churn@champion").coef_.tolist(), model.coef_.tolist())
        self.assertIsNotNone(mlflow.models.get_model_info("models:/churn/1").signature)
        with mlflow.start_run():
            second = self.log(model, "clf", registered_model_name="churn")
        self.assertEqual(str(second.registered_model_version), "2")
        if THREE:
            found = mlflow.search_logged_models(filter_string="name = 'clf'", output_format="list")
            self.assertEqual(len(found), 2)
            first = next(one for one in found if one.source_run_id == run_id)
            self.assertEqual((str(first.status), first.metrics[0].key), ("READY", "acc"))
            self.assertIn("churn", first.tags["mlflow.modelVersions"])
            self.assertEqual([o.model_id for o in mlflow.get_run(run_id).outputs.model_outputs], [first.model_id])

    def test_a_version_whose_source_is_a_run_is_loaded(self):
        mlflow.set_experiment("of runs")
        model = LinearRegression().fit(self.features, self.labels)
        with mlflow.start_run() as run:
            self.log(model, "reg")
        self.client.create_registered_model("of run")
        source = f"runs:/{run.info.run_id}/reg"
        answer = http_request(self.client._tracking_client.store.get_host_creds(),
                              "/api/2.0/mlflow/model-versions/create", "POST",
                              json={"name": "of run", "source": source, "run_id": run.info.run_id})
        self.assertEqual(answer.status_code, 200, answer.text)
        loaded = mlflow.sklearn.load_model("models:/of run/1")
        self.assertEqual(loaded.coef_.tolist(), model.coef_.tolist())

    def test_a_bundle_that_the_command_line_registered_downloads_as_a_folder(self):
        code = ("local mlrt = require 'mlrt'\n"
                "local d = mlrt.table {{a = 1, y = 0}, {a = 2, y = 0}, {a = 3, y = 1}, {a = 4, y = 1}}\n"
                "mlrt.logistic_regression(d, {label = 'y', l2 = 1, standardize = {'a'}}):save('m.mlrt')")
        store = self.server.folder / "mlrt.db"
        for words in (["-e", code], ["models", "register", "m.mlrt", "bundled", "--store", store]):
            subprocess.run([os.environ["MLRT"], *map(str, words)], check=True, capture_output=True)
        folder = pathlib.Path(mlflow.artifacts.download_artifacts("models:/bundled/1"))
        with zipfile.ZipFile("m.mlrt") as bundle:
            entries = {name: bundle.read(name) for name in bundle.namelist() if name != "MANIFEST.sha256"}
        self.assertIn("MLmodel", entries)
        for name, content in entries.items():
            self.assertEqual((folder / name).read_bytes(), content, name)

    def test_a_missing_file_of_a_model_fails_at_once(self):
        mlflow.set_experiment("missing")
        with mlflow.start_run() as run:
            info = self.log(LinearRegression().fit(self.features, self.labels), "gone")
        for file in (self.server.folder / "mlrt-artifacts").rglob("MLmodel"):
            if str(info.model_id if THREE else run.info.run_id) in str(file):
                file.unlink()
        for uri in (info.model_uri, f"runs:/{run.info.run_id}/gone"):
            started = time.monotonic()
            with self.assertRaises(Exception):
                mlflow.pyfunc.load_model(uri)
            self.assertLess(time.monotonic() - started, 2, uri)

    def test_sklearn_autolog_logs_parameters_metrics_and_the_model(self):
        mlflow.set_experiment("autolog")
        mlflow.sklearn.autolog(silent=True)
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit(self.features, self.labels)
        data = mlflow.get_run(run.info.run_id).data
        self.assertEqual(data.params["C"], "0.5")
        for name in ("training_score", "training_accuracy_score", "training_f1_score", "training_log_loss",
                     "training_roc_auc"):
            self.assertIn(name, data.metrics)
        self.assertEqual(data.tags["estimator_name"], "LogisticRegression")
        inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
        self.assertEqual(inputs[0].tags[0].value, "train")
        loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
        self.assertEqual(loaded.predict(self.features).shape, (120,))
        with mlflow.start_run() as parent:
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(self.features, self.labels)
        self.assertIn("best_C", mlflow.get_run(parent.info.run_id).data.params)
        children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
        self.assertEqual(len(children), 3)
        self.assertIn("cv_results.csv", [one.path for one in self.client.list_artifacts(parent.info.run_id)])

    def test_lightgbm_autolog_logs_a_metric_at_each_iteration(self):
        mlflow.set_experiment("lightgbm")
        mlflow.lightgbm.autolog(silent=True)
        data = lightgbm.Dataset(self.features, self.labels)
        with mlflow.start_run() as run:
            trained = lightgbm.train({"objective": "binary", "metric": "auc", "verbosity": -1, "num_threads": 1}, data,
                                     num_boost_round=8, valid_sets=[data], valid_names=["train"])
        run_id = run.info.run_id
        history = self.client.get_metric_history(run_id, "train-auc")
        self.assertEqual([point.step for point in history], list(range(8)))
        self.assertEqual(mlflow.get_run(run_id).data.params["objective"], "binary")
        names = [one.path for one in self.client.list_artifacts(run_id)]
        self.assertTrue(any(name.startswith("feature_importance") for name in names), names)
        loaded = mlflow.lightgbm.load_model(f"runs:/{run_id}/model")
        self.assertEqual(loaded.predict(self.features).tolist(), trained.predict(self.features).tolist())


if __name__ == "__main__":
    unittest.main()
