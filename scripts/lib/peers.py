"""The peers that we are tested and measured against, in a virtual environment of their own."""
import subprocess
import sys

import packages
from building import ROOT


def python():
    """The Python that has them; makes the environment when it is missing or out of date."""
    packages.need("interop")
    folder = ROOT / "build/interop-venv"
    requirements = ROOT / "tests/interop/requirements.txt"
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", "-r", str(requirements)], check=True)
        stamp.write_text(requirements.read_text())
    return str(folder / "bin/python")
