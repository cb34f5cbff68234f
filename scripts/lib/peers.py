"""The peers that we are tested and measured against, in virtual environments of their own."""
import subprocess
import sys

import packages
from building import ROOT


def python(requirements="requirements.txt"):
    """The Python of an environment that has what the file in tests/interop lists, made when it is
    missing or out of date."""
    packages.need("interop")
    wanted = ROOT / "tests/interop" / requirements
    folder = ROOT / "build" / wanted.stem.replace("requirements", "interop-venv")
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", "-r", str(wanted)], check=True)
        stamp.write_text(wanted.read_text())
    return str(folder / "bin/python")
