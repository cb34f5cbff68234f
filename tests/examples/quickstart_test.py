"""examples/quickstart.lua as a user runs it, on both data sets."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TAXI = ROOT.parent / "shared/data/taxi.csv"
MLRT = [*shlex.split(os.environ.get("MLRT_EMULATOR", "")), os.environ.get("MLRT", str(ROOT / "build/mlrt"))]


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt quickstart "))
        self.addCleanup(shutil.rmtree, self.folder)

    def mlrt(self, *arguments):
        done = subprocess.run([*MLRT, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def quickstart(self, *arguments):
        return self.mlrt(ROOT / "examples/quickstart.lua", *arguments)

    def number(self, output, name):
        found = re.search(rf"\b{name}\s+([0-9.]+)", output)
        self.assertIsNotNone(found, f"no {name} in:\n{output}")
        return float(found.group(1))

    def check_main_job(self, output):
        self.assertRegex(output, r"taxi-tips.* version 1\b")
        self.assertRegex(output, r'\{"predictions": \[0\.\d+\]\}')
        self.assertTrue((self.folder / "taxi-tips.mlrt").is_file())
        left = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(left, ["mlrt-artifacts", "mlrt.db", "taxi-tips.mlrt"])
        runs = self.mlrt("runs", "list")
        self.assertIn("FINISHED", runs)
        models = self.mlrt("models", "list")
        self.assertRegex(models, r"taxi-tips\s.*champion")

    def test_it_does_the_main_job_on_the_data_that_it_makes(self):
        self.check_main_job(self.quickstart())

    def test_the_made_up_data_gives_the_same_bundle_each_time(self):
        self.quickstart()
        first = (self.folder / "taxi-tips.mlrt").read_bytes()
        output = self.quickstart()
        self.assertEqual((self.folder / "taxi-tips.mlrt").read_bytes(), first)
        self.assertRegex(output, r"taxi-tips.* version 2\b")

    @unittest.skipUnless(TAXI.exists(), "needs ../shared/data/taxi.csv")
    def test_it_does_the_main_job_on_real_taxi_trips(self):
        output = self.quickstart(TAXI)
        self.check_main_job(output)
        self.assertGreaterEqual(self.number(output, "accuracy"), 0.88)
        self.assertGreaterEqual(self.number(output, "AUC"), 0.93)

    def test_it_is_short(self):
        lines = (ROOT / "examples/quickstart.lua").read_text().splitlines()
        self.assertLessEqual(len(lines), 60)


if __name__ == "__main__":
    unittest.main()
