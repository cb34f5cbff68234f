"""examples/tracking.lua as a user runs it."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MLRT = [*shlex.split(os.environ.get("MLRT_EMULATOR", "")), os.environ.get("MLRT", str(ROOT / "build/mlrt"))]
EXAMPLE = ROOT / "examples/tracking.lua"


class Tracking(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt tracking "))
        self.addCleanup(shutil.rmtree, self.folder)

    def mlrt(self, *arguments):
        done = subprocess.run([*MLRT, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def check_sweep(self, output):
        places = re.findall(r"^(\d)\. l2=(\S+) +log loss ([0-9.]+)   AUC ([0-9.]+)$", output, re.M)
        self.assertEqual([place for place, *_ in places], ["1", "2", "3", "4"])
        self.assertEqual({l2 for _, l2, *_ in places}, {"0.1", "1", "10", "100"})
        losses = [float(loss) for _, _, loss, _ in places]
        self.assertEqual(losses, sorted(losses))
        self.assertGreater(min(float(auc) for *_, auc in places), 0.9)
        best, worst = places[0][1], places[-1][1]
        self.assertIn(f"what differs between l2={best} and l2={worst}\n  l2       {best}, {worst}\n", output)
        self.assertRegex(output, rf"chosen: l2={re.escape(best)}, inside at \(0\.4, 0\.55\): 0\.\d{{3}}\n")
        self.assertRegex(output, r"artifact: best/choice\.json, \d+ bytes\nartifact: trials\.json, \d+ bytes\n")

    def test_it_ranks_the_trials_and_keeps_what_it_found(self):
        self.check_sweep(self.mlrt(EXAMPLE))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["mlrt-artifacts", "mlrt.db"])

    def test_a_second_sweep_in_the_same_store_sees_its_own_trials_only(self):
        first = self.mlrt(EXAMPLE)
        self.assertEqual(self.mlrt(EXAMPLE), first)

    def test_it_is_short(self):
        self.assertLessEqual(len(EXAMPLE.read_text().splitlines()), 60)


if __name__ == "__main__":
    unittest.main()
