"""MLflow reads the model folder in our bundle: MLmodel, signature, flavors, manifest."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from mlflow.models import Model

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class BundleInMlflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt interop "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run([os.environ["MLRT"], str(ROOT / "examples/quickstart.lua")], cwd=cls.folder, check=True,
                       stdout=subprocess.DEVNULL)
        cls.bundle = cls.folder / "taxi-tips.mlrt"
        cls.model = cls.folder / "model"
        with zipfile.ZipFile(cls.bundle) as archive:
            assert archive.testzip() is None
            archive.extractall(cls.model)

    def check_model(self, folder):
        model = Model.load(str(folder))
        self.assertIn("linear", model.flavors)
        self.assertIn("mlrt", model.flavors)
        self.assertEqual(model.signature.inputs.input_names(),
                         ["trip_miles", "fare", "trip_seconds", "payment_type"])
        types = [str(t) for t in model.signature.inputs.input_types()]
        self.assertEqual(types, ["DataType.double"] * 3 + ["DataType.string"])
        self.assertEqual(model.signature.outputs.input_names(), ["prediction"])

    def test_mlflow_loads_the_unzipped_bundle(self):
        self.check_model(self.model)

    def test_mlflow_loads_the_model_logged_to_the_run(self):
        logged = list(self.folder.glob("mlrt-artifacts/*/models/m-*/artifacts"))
        self.assertEqual(len(logged), 1)
        self.check_model(logged[0])

    def test_the_manifest_lists_every_file_with_its_digest(self):
        with zipfile.ZipFile(self.bundle) as archive:
            names = archive.namelist()
        self.assertEqual(names[0], "MANIFEST.sha256")
        lines = [line.split("  ") for line in (self.model / names[0]).read_text().splitlines()
                 if not line.startswith("#")]
        self.assertEqual([name for _, name in lines], names[1:])
        for digest, name in lines:
            self.assertEqual(hashlib.sha256((self.model / name).read_bytes()).hexdigest(), digest)


if __name__ == "__main__":
    unittest.main()
