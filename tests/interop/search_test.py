"""The search language: the same data in MLflow and in mlrt, the same queries, the same answers."""
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import mlflow_sources as sources
import pandas
from mlflow.data import from_pandas
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow_sources import MlflowClient, import_into, mlrt

STRINGS = ("=", "!=", "LIKE", "ILIKE")
NUMBERS = ("=", "!=", "<", "<=", ">", ">=")


def filters():
    for comparator, value in itertools.product(NUMBERS, ("0", "0.5", "1", "-1e300")):
        yield f"metrics.loss {comparator} {value}"
    for comparator, value in itertools.product(STRINGS, ("tree", "Tree", "%ree", "t%", "%", "t_ee", "")):
        yield f"params.model {comparator} '{value}'"
    for comparator, value in itertools.product(STRINGS, ("edge", "%D%", "e%e", "CLOUD")):
        yield f"tags.team {comparator} '{value}'"
    for comparator, value in itertools.product(STRINGS, ("run 3", "RUN%", "run _", "%1%")):
        yield f"attributes.run_name {comparator} '{value}'"
    for comparator, value in itertools.product(STRINGS, ("FINISHED", "finished", "F%")):
        yield f"attributes.status {comparator} '{value}'"
    for comparator, name in itertools.product(NUMBERS, ("start_time", "end_time", "created")):
        yield f"attributes.{name} {comparator} 1700000005000"
    for comparator, value in itertools.product(STRINGS, ("trips", "%IP%", "tr_ps")):
        yield f"dataset.name {comparator} '{value}'"
    for name, comparator in itertools.product(("context", "digest"), STRINGS):
        yield f"datasets.{name} {comparator} 'train'"
    yield from (
        "dataset.name IN ('trips', 'other')",
        "dataset.name NOT IN ('trips')",
        "dataset.context IN ('test')",
        "metric.loss < 1 AND param.model = 'tree'",
        "metrics.loss < 1 and params.model = 'tree' and tags.team = 'edge'",
        "parameters.model = \"tree\"",
        "tag.team != 'edge' AND attributes.status = 'FINISHED'",
        "metrics.`deep/a b` >= 3",
        "metrics.\"deep/a b\" < 3",
        "params.`with space` = 'x y'",
        "tags.`a.b` = '1'",
        "run_name = 'run 1'",
        "attr.run_name = 'run 1'",
        "attribute.run_name = 'run 1'",
        "run.run_name = 'run 1'",
        "status = 'FAILED'",
        "start_time > 1700000004000 AND start_time <= 1700000008000",
        "user_id = 'ann'",
        "attributes.user_id LIKE 'a%'",
        "artifact_uri LIKE '%artifacts'",
        "tags.note LIKE '%it''s%'",
        "tags.note = 'a_b%c'",
        "params.model = 'tree' AND params.model = 'forest'",
        "metrics.absent > 0",
        "params.absent != 'x'",
        "tags.absent LIKE '%'",
        "metrics.up > 1e300",
        "metrics.up = 1",
        "metrics.never = 0",
        "metrics.never != 0",
        "metrics.loss>0.25",
        "  metrics.loss   >   0.25  ",
        "",
    )


ORDERS = (
    [], ["metrics.loss"], ["metrics.loss DESC"], ["metrics.loss ASC"], ["metrics.never ASC"], ["metrics.up DESC"],
    ["params.model ASC", "metrics.loss DESC"], ["params.model DESC"], ["tags.team"], ["tags.team DESC", "run_name ASC"],
    ["attributes.start_time ASC"], ["start_time DESC"], ["attributes.end_time"], ["attributes.end_time DESC"],
    ["attributes.run_name DESC"], ["status ASC"], ["metrics.`deep/a b` ASC"], ["params.absent"], ["user_id DESC"],
    ["attributes.status desc", "metrics.loss asc"],
)


class Search(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt search "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(cls.folder)  # where MLflow puts artifacts
        cls.client = MlflowClient(f"sqlite:///{cls.folder}/mlflow.db")
        cls.experiment = cls.client.create_experiment("e")
        for i in range(12):
            cls.fill(i)
        for i in range(6):
            tags = {"team": ("edge", "cloud")[i % 2]} if i != 4 else {}
            cls.client.create_experiment(f"exp {'abC'[i % 3]}{i}", tags=tags)
        cls.store = cls.folder / "mlrt.db"
        report = import_into(cls.store, cls.folder / "mlflow.db")
        assert report["problems"] == [], report["problems"]

    @classmethod
    def fill(cls, i):
        client = cls.client
        start = 1700000000000 + 1000 * (i // 2 * 2)  # pairs, so that ties are broken
        run = client.create_run(cls.experiment, start_time=start, run_name=f"run {i}").info.run_id
        metrics = [Metric("other", i, start, 0)]
        if i % 4 != 3:
            metrics.append(Metric("loss", (0.25, 0.5, 0.5, 1, float("nan"), -2)[i % 6], start, 1))
        if i % 3 == 0:
            metrics.append(Metric("deep/a b", i, start, 0))
        if i % 5 == 0:
            metrics.append(Metric("up", (float("inf"), float("-inf"), 1)[i // 5], start, 0))
        if i < 2:
            metrics.append(Metric("never", float("nan"), start, 0))
        params = [Param("with space", "x y")] if i % 2 else []
        if i % 6 != 5:
            params.append(Param("model", ("tree", "Tree", "forest", "")[i % 4]))
        tags = [RunTag("mlflow.user", ("ann", "bob")[i % 2])]
        if i % 3 != 1:
            tags.append(RunTag("team", ("edge", "Edge", "cloud")[i % 3]))
        if i == 7:
            tags += [RunTag("note", "it's"), RunTag("a.b", "1")]
        if i == 8:
            tags.append(RunTag("note", "a_b%c"))
        client.log_batch(run, metrics=metrics, params=params, tags=tags)
        if i % 4 == 1:
            data = from_pandas(pandas.DataFrame({"a": [float(i)]}), name=("trips", "Trips", "other")[i // 4])
            client.log_inputs(run, [DatasetInput(data._to_mlflow_entity(),
                                                 [InputTag("mlflow.data.context", ("train", "test")[i % 8 // 4])])])
        if i % 3 != 2:
            client.set_terminated(run, ("FINISHED", "FAILED")[i % 2], end_time=start + 500 + i)
        if i == 11:
            client.delete_run(run)

    def check_runs(self, text, order=(), view=ViewType.ACTIVE_ONLY):
        try:
            expected = [run.info.run_id for run in self.client.search_runs(
                [self.experiment], text, run_view_type=view, order_by=list(order) or None)]
        except sources.mlflow.MlflowException:
            expected = "refused"
        words = ["runs", "search", text, "--experiment", "e", "--json", "--max", "1000"]
        words += ["--view", {ViewType.ACTIVE_ONLY: "active", ViewType.DELETED_ONLY: "deleted"}.get(view, "all")]
        for one in order:
            words += ["--order-by", one]
        done = subprocess.run([os.environ["MLRT"], "--store", self.store, *words], capture_output=True, text=True,
                              check=False)
        found = "refused" if done.returncode == 1 else [run["run_id"] for run in json.loads(done.stdout or "[]")]
        self.assertEqual(found, expected, f"{text} {order} {done.stderr}")

    def test_runs_are_found_as_mlflow_finds_them(self):
        queries = list(filters())
        self.assertGreaterEqual(len(queries), 150)
        for text in queries:
            with self.subTest(text):
                self.check_runs(text)

    def test_runs_are_ordered_as_mlflow_orders_them(self):
        for order in ORDERS:
            for view in (ViewType.ACTIVE_ONLY, ViewType.ALL):
                with self.subTest(order=order, view=view):
                    self.check_runs("", order, view)
        self.check_runs("", [], ViewType.DELETED_ONLY)

    def test_what_mlflow_refuses_is_refused(self):
        for text in ("metrics.loss LIKE 'x'", "params.model > 'x'", "metrics.loss = 'x'", "params.model = 3",
                     "nonsense = 1", "metrics.loss", "metrics.loss = ", "metrics.loss < 1 OR metrics.loss > 2",
                     "attributes.nothing = 'x'", "tags.team IN ('x')", "start_time LIKE 'x'", "dataset.nothing = 'x'",
                     "params.model = 'x"):
            with self.subTest(text):
                self.check_runs(text)

    def test_experiments_are_found_as_mlflow_finds_them(self):
        texts = [f"name {comparator} '{value}'" for comparator, value in
                 itertools.product(STRINGS, ("exp a0", "EXP%", "exp _1", "%c%"))]
        texts += [f"tags.team {comparator} '{value}'" for comparator, value in
                  itertools.product(STRINGS, ("edge", "%D%"))]
        texts += ["", "tags.team = 'edge' AND name LIKE 'exp a%'", "creation_time > 0", "last_update_time < 5"]
        for text in texts:
            with self.subTest(text):
                expected = [e.name for e in self.client.search_experiments(filter_string=text, order_by=["name ASC"])]
                words = [] if not text else [text]
                found = json.loads(mlrt("--store", self.store, "experiments", "search", *words, "--order-by",
                                        "name ASC", "--json"))
                self.assertEqual([e["name"] for e in found], expected)


if __name__ == "__main__":
    unittest.main()
