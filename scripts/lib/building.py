"""One build folder: configured and built by CMake and Ninja."""
import os
import pathlib
import subprocess
import sys

import packages

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Build:
    """`target` "arm64" cross-builds; `sanitize` is what the compiler's -fsanitize takes; `header` builds
    the unit tests against the single header."""

    def __init__(self, target=None, sanitize=None, header=False):
        name = "build"
        self.settings = ["-DCMAKE_BUILD_TYPE=Release"]
        packages.need("build")
        if target == "arm64":
            packages.need("arm64")
            name += "-arm64"
            self.settings.append(f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'cmake/arm64.cmake'}")
        if sanitize:
            name += "-asan" if "address" in sanitize else "-tsan"
            self.settings.append(f"-DMLRT_SANITIZE={sanitize}")
        if header:
            name += "-header"
            self.settings.append("-DMLRT_SINGLE_HEADER=ON")
        # In the plain build only: sanitizers make the compiler see what is not there.
        if os.environ.get("CI") and name == "build":
            self.settings.append("-DMLRT_WERROR=ON")
        self.folder = ROOT / name

    def make(self, *targets, quiet=False):
        """Builds the targets. With `quiet`, prints only when there is something to wait for or to mend."""
        stamp = self.folder / "settings.txt"
        settings = "\n".join(self.settings) + "\n"
        # Ninja configures anew by itself when a CMake file has changed; this is for the first time only.
        if not (self.folder / "build.ninja").exists() or not stamp.exists() or stamp.read_text() != settings:
            print(f"configuring {self.folder.name}/ (the first time this fetches the libraries' sources)",
                  file=sys.stderr, flush=True)
            self._run(["cmake", "-S", ROOT, "-B", self.folder, "-G", "Ninja", *self.settings], quiet)
            stamp.write_text(settings)
        if quiet and self._pending(targets):
            print(f"building {self.folder.name}/", file=sys.stderr, flush=True)
        self._run(["ninja", "-C", self.folder, *targets], quiet)

    def _pending(self, targets):
        done = subprocess.run(["ninja", "-C", str(self.folder), "-n", *targets], capture_output=True,
                              text=True, check=False)
        return "no work to do" not in done.stdout

    @staticmethod
    def _run(command, quiet):
        command = [str(part) for part in command]
        if not quiet:
            subprocess.run(command, check=True)
            return
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False)
        if done.returncode != 0:
            sys.stderr.write(done.stdout)
            raise subprocess.CalledProcessError(done.returncode, command)
