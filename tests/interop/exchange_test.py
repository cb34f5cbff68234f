"""What MLflow and TensorBoard wrote is imported, and MLflow opens what is exported."""
import json
import math
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import mlflow_sources as sources
from mlflow_sources import MlflowClient, everything, import_into, mlrt

REVISION = "6953534de441"


class Exchange(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt exchange "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)  # where MLflow puts artifacts
        self.store = self.folder / "mlrt.db"

    def exported(self, name="exported.db"):
        self.assertIn(REVISION, mlrt("--store", self.store, "export", self.folder / name))
        return f"sqlite:///{self.folder / name}"

    def check_import(self, uri, path):
        parent = sources.fill(uri)
        report = import_into(self.store, path)
        self.assertEqual(report["problems"], [])
        self.assertEqual((report["experiments"], report["runs"], report["inputs"], report["logged_models"],
                          report["registered_models"], report["model_versions"]), (2, 5, 1, 1, 1, 2))
        copied = list(self.folder.glob(f"**/*artifacts/*/{parent}/artifacts/notes/a.txt"))
        self.assertIn("hello", [file.read_text() for file in copied])
        again = import_into(self.store, path)
        self.assertEqual(again["problems"], [])
        self.assertEqual({key: value for key, value in again.items() if value}, {})
        self.assertEqual(everything(self.exported()), everything(uri))
        # The source grows.
        client = MlflowClient(uri)
        client.log_metric(parent, "loss", 0.75, step=2)
        client.set_tag(parent, "later", "yes")
        run = client.create_run("0", run_name="new one")
        grown = import_into(self.store, path)
        self.assertEqual({key: value for key, value in grown.items() if value},
                         {"runs": 1, "tags": len(run.data.tags) + 1, "metrics": 1})
        client.set_terminated(run.info.run_id, "KILLED")
        import_into(self.store, path)
        self.assertEqual(everything(self.exported("grown.db"))["runs"], everything(uri)["runs"])

    def test_an_mlflow_database_is_imported_with_every_value(self):
        self.check_import(f"sqlite:///{self.folder}/mlflow.db", self.folder / "mlflow.db")

    def test_an_mlruns_folder_is_imported_with_every_value(self):
        self.check_import(str(self.folder / "mlruns"), self.folder / "mlruns")

    def test_an_export_is_upgraded_to_the_newest_revision_and_keeps_all(self):
        uri = f"sqlite:///{self.folder}/mlflow.db"
        sources.fill(uri)
        import_into(self.store, self.folder / "mlflow.db")
        target = self.folder / "exported.db"
        exported = self.exported()

        def revision():
            connection = sqlite3.connect(target)
            try:
                self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                self.assertEqual(connection.execute("PRAGMA foreign_key_check").fetchall(), [])
                return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            finally:
                connection.close()

        self.assertEqual(revision(), REVISION)
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", exported], check=True, capture_output=True)
        newest = sqlite3.connect(self.folder / "mlflow.db").execute(
            "SELECT version_num FROM alembic_version").fetchone()[0]
        self.assertEqual(revision(), newest)
        self.assertEqual(everything(exported), everything(uri))
        # MLflow goes on with it as with its own.
        client = MlflowClient(exported)
        run = client.create_run(client.create_experiment("after"))
        client.log_metric(run.info.run_id, "m", 1)
        client.set_registered_model_alias("taxi tips", "other", "1")
        self.assertEqual(client.get_run(run.info.run_id).data.metrics, {"m": 1.0})

    def test_an_export_comes_back_the_same(self):
        sources.fill(f"sqlite:///{self.folder}/mlflow.db")
        import_into(self.store, self.folder / "mlflow.db")
        exported = self.exported()
        first = everything(exported)
        self.store = self.folder / "second.db"
        import_into(self.store, self.folder / "exported.db")
        self.assertEqual(everything(self.exported("again.db")), first)

    def check_tensorboard(self, writer_of):
        # `writer_of(folder, suffix)`: a writer names its file by the second, so two of one second
        # would share a file but for the suffix.
        logs = self.folder / "logs"
        for name in ("train", "deep/validation"):
            writer = writer_of(str(logs / name), ".first")
            for step in range(50):
                writer.add_scalar("loss", 1 / (step + 1), step, walltime=1700000000.25 + step)
            writer.add_scalar("val/acc", 0.5, 3, walltime=1700000100)
            writer.add_scalar("bad", math.nan, 1, walltime=1700000100)
            writer.close()
        report = import_into(self.store, logs, "--experiment", "boards")
        self.assertEqual((report["experiments"], report["runs"], report["metrics"]), (1, 2, 104))
        self.assertEqual(import_into(self.store, logs, "--experiment", "boards")["metrics"], 0)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = {one["info"][1]: one for one in everything(self.exported())["runs"].values()}
        self.assertEqual(set(found), {"train", "deep/validation"})
        for name, run in found.items():
            accumulator = EventAccumulator(str(logs / name))
            accumulator.Reload()
            for tag, key in (("loss", "loss"), ("val/acc", "val/acc")):
                self.assertEqual(run["history"][key],
                                 sorted(((round(e.wall_time * 1000), e.step, e.value)
                                         for e in accumulator.Scalars(tag)), key=str))
            self.assertEqual(run["latest"]["bad"], "NaN")
            self.assertEqual(run["info"][3], "FINISHED")
        writer = writer_of(str(logs / "train"), ".second")
        writer.add_scalar("loss", 0, 60, walltime=1700000200)
        writer.close()
        grown = import_into(self.store, logs, "--experiment", "boards")
        self.assertEqual((grown["runs"], grown["metrics"]), (0, 1))

    def test_event_files_of_tensorboardx_are_imported(self):
        from tensorboardX import SummaryWriter

        self.check_tensorboard(lambda folder, suffix: SummaryWriter(folder, filename_suffix=suffix))

    def test_event_files_of_tensorboard_itself_are_imported(self):
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        class Writer:
            """Scalars as TensorFlow 2 writes them: tensors of the plugin "scalars"."""

            def __init__(self, folder):
                self.writer = EventFileWriter(folder)
                self.tags = set()

            def add_scalar(self, tag, value, step, walltime):
                metadata = None
                if tag not in self.tags:  # with the first value only
                    self.tags.add(tag)
                    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"),
                                               data_class=1)
                value = Summary.Value(tag=tag, tensor=TensorProto(dtype=1, float_val=[value]), metadata=metadata)
                self.writer.add_event(Event(wall_time=walltime, step=step, summary=Summary(value=[value])))

            def close(self):
                self.writer.close()

        # Its accumulator gives tensors; scalars of the same values are compared in the other test.
        logs = self.folder / "logs"
        writer = Writer(str(logs / "train"))
        for step in range(20):
            writer.add_scalar("epoch_loss", step / 8, step, 1700000000.5 + step)
        writer.close()
        report = import_into(self.store, logs)
        self.assertEqual((report["runs"], report["metrics"], report["problems"]), (1, 20, []))
        (run,) = everything(self.exported())["runs"].values()
        self.assertEqual(run["history"]["epoch_loss"],
                         [(1700000000500 + 1000 * step, step, step / 8) for step in range(20)])

    def test_a_damaged_database_gives_what_is_sound_and_says_what_is_not(self):
        uri = f"sqlite:///{self.folder}/mlflow.db"
        sources.fill(uri)
        whole = (self.folder / "mlflow.db").read_bytes()
        page = 4096
        read_something = False
        for at in range(page, len(whole), 9 * page):
            damaged = bytearray(whole)
            damaged[at:at + page] = bytes([0xA5]) * page
            path = self.folder / "damaged.db"
            path.write_bytes(damaged)
            self.store = self.folder / f"store{at}.db"
            done = subprocess.run([os.environ["MLRT"], "--store", self.store, "import", path, "--json"],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertIn(done.returncode, range(10), done.stderr)  # never a signal
            self.assertEqual(path.read_bytes(), damaged)
            if done.returncode == 1 and done.stdout:
                report = json.loads(done.stdout)
                self.assertNotEqual(report["problems"], [])
                read_something |= report["runs"] > 0
        self.assertTrue(read_something)


if __name__ == "__main__":
    unittest.main()
