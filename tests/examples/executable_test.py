"""The executable as it is carried to a machine: its size, what it links, which glibc it asks for."""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MLRT = pathlib.Path(os.environ.get("MLRT", ROOT / "build/mlrt")).resolve()
FAMILY = {"linux-vdso.so.1", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Executable(unittest.TestCase):
    def test_it_links_libc_s_family_only(self):
        linked = {pathlib.Path(line.split()[0]).name for line in output("ldd", str(MLRT)).splitlines()}
        self.assertIn("libc.so.6", linked)
        self.assertLessEqual(linked, FAMILY)

    def test_it_asks_for_no_newer_glibc_than_the_readme_says(self):
        stated = re.search(r"glibc (\d+)\.(\d+) or newer", (ROOT / "README.md").read_text())
        asked = re.findall(r"GLIBC_(\d+)\.(\d+)", output("objdump", "-T", str(MLRT)))
        newest = max((int(major), int(minor)) for major, minor in asked)
        self.assertLessEqual(newest, tuple(map(int, stated.groups())))

    def test_it_is_at_most_four_megabytes(self):
        self.assertLessEqual(MLRT.stat().st_size, 4_000_000)


if __name__ == "__main__":
    unittest.main()
