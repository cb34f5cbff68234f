"""The test suites: each builds what it needs, runs, and counts what passed and failed."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import packages
import peers
from building import ROOT, Build

WORKERS = os.cpu_count() or 2
LONGEST_TEST_S = 1200  # a program that runs longer hangs
LONGEST_LONG_TEST_S = 6 * 3600
LONG = False  # scripts/dev test --long


class UnknownSuite(Exception):
    pass


class Tally:
    """Counts of one suite; prints a line for each thing that ran."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, passed, failed, skipped=0, seconds=None, output=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            print(output.rstrip())
        counts = f"{passed} passed" + (f", {failed} failed" if failed else "")
        counts += f", {skipped} skipped" if skipped else ""
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        print(f"  {'ok  ' if not failed else 'FAIL'} {name}: {counts}{took}", flush=True)


def run_program(tally, name, command, environment=None, folder=None):
    """Runs a test program and adds its own count: doctest's, unittest's, scripts/check's, or one by
    its exit code. Returns what it printed."""
    started = time.monotonic()
    longest = LONGEST_LONG_TEST_S if LONG else LONGEST_TEST_S
    try:
        done = subprocess.run(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, errors="replace", check=False, cwd=folder or ROOT,
            env=dict(os.environ, **(environment or {})), timeout=longest)
        output, exit_code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        output, exit_code = f"{name} still ran after {longest} s", 1
    passed, failed, skipped = count(output, exit_code)
    tally.add(name, passed, failed, skipped, time.monotonic() - started, output)
    return output


def count(output, exit_code):
    doctest = re.search(r"\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed \| +(\d+) skipped", output)
    unittest = re.search(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    plain = re.search(r"^(\d+) passed, (\d+) failed$", output, re.MULTILINE)
    if doctest:
        passed, failed, skipped = int(doctest.group(1)), int(doctest.group(2)), 0
    elif unittest:
        numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", unittest.group(2) or "")}
        failed = numbers.get("failures", 0) + numbers.get("errors", 0)
        skipped = numbers.get("skipped", 0)
        passed = max(int(unittest.group(1)) - failed - skipped, 0)  # a failed subtest counts itself
    elif plain:
        passed, failed, skipped = int(plain.group(1)), int(plain.group(2)), 0
    else:
        passed, failed, skipped = 1, 0, 0
    if exit_code != 0 and failed == 0:  # it crashed, or a sanitizer stopped it, after its count or before
        passed, failed = max(passed - 1, 0), 1
    return passed, failed, skipped


def run_built_tests(tally, build, only=None, environment=None):
    """What ctest lists for the build folder; `only` are names of tests."""
    listed = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build.folder, check=True,
                            capture_output=True, text=True).stdout
    tests = [t for t in json.loads(listed)["tests"] if "command" in t]
    chosen = [t for t in tests if only is None or t["name"] in only]
    if not chosen:
        tally.add(build.folder.name, 0, 1, output="no test is built")
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(run_program, tally, t["name"], t["command"], environment, build.folder)
                for t in chosen]
        for job in jobs:
            job.result()


def run_unittests(tally, folder, python=sys.executable, environment=None):
    for path in sorted((ROOT / folder).glob("*_test.py")):
        run_program(tally, path.relative_to(ROOT).as_posix(), [python, "-B", path], environment)


def formatted_files():
    return sorted(p.relative_to(ROOT).as_posix()
                  for top in ("runtime", "tests", "examples") for p in (ROOT / top).rglob("*")
                  if p.suffix in (".hpp", ".cpp"))


def checks(tally):
    """Layers, third-party includes, formatting, leftovers, the stored single header."""
    packages.need("lint")
    run_program(tally, "scripts/check", [sys.executable, ROOT / "scripts/check"])
    run_program(tally, "clang-format", ["clang-format-14", "--dry-run", "--Werror", *formatted_files()])


def unit(tally):
    """The unit tests, fuzz corpora and command line tests of the plain build."""
    packages.need("tools")
    build = Build()
    build.make("mlrt", "mlrt_tests", quiet=True)
    run_built_tests(tally, build)


def examples(tally):
    """The examples and the README's transcript; the executable's size and what it links."""
    packages.need("tools")
    build = Build()
    build.make("mlrt", quiet=True)
    run_unittests(tally, "tests/examples", environment={"MLRT": str(build.folder / "mlrt")})


def header(tally):
    """The single header: the unit tests against it, two users and one implementer, examples/embed_app."""
    packages.need("header")
    build = Build()
    build.make("mlrt", quiet=True)  # what packs the bundle that embed_app scores
    run_unittests(tally, "tests/single_header", environment={"MLRT": str(build.folder / "mlrt")})
    build = Build(header=True)
    build.make("mlrt_tests", quiet=True)
    run_built_tests(tally, build)


def asan(tally):
    """The unit tests under the address and undefined behaviour sanitizers."""
    build = Build(sanitize="address,undefined")
    build.make("mlrt", "mlrt_tests", "crash_damage", "crash_fault", quiet=True)
    run_crash_program(tally, build, "damage", "--count", "100")
    run_crash_program(tally, build, "fault", "--count", "10")
    run_built_tests(tally, build, environment={
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1"})


def run_crash_program(tally, build, name, *arguments):
    """One of tests/crash, with the line that it prints for each of its loops."""
    command = [build.folder / "tests/crash" / f"crash_{name}", *arguments]
    output = run_program(tally, f"crash_{name}", command)
    for line in re.findall(r"^(?:count: |skipped ).*$", output, re.MULTILINE):
        print(f"       {line.removeprefix('count: ')}", flush=True)


def crash(tally):
    """kill -9, power cuts, faults, damage, a jumping clock: what is acknowledged stays. With --long, all of it."""
    packages.need("tools")
    build = Build()
    build.make("crash_tests", quiet=True)
    for name in ("kill", "power", "fault", "damage", "clock"):
        run_crash_program(tally, build, name, *(["--long"] if LONG else []))


def tsan(tally):
    """The tests of the layers that use threads, under the thread sanitizer."""
    # Not lua: its state has one thread, and this sanitizer holds back the signals that its tests send.
    names = ["core", "net", "store", "tracking", "api", "server"]
    build = Build(sanitize="thread")
    build.make(*[f"test_{name}" for name in names], quiet=True)
    run_built_tests(tally, build, only=names, environment={"TSAN_OPTIONS": "halt_on_error=1"})


def arm64(tally):
    """The cross-built unit tests and the quickstart, under qemu-user."""
    build = Build(target="arm64")
    build.make("mlrt", "mlrt_tests", quiet=True)
    run_built_tests(tally, build, environment={"MLRT_EMULATED": "1"})
    run_program(tally, "quickstart", [sys.executable, "-B", ROOT / "tests/examples/quickstart_test.py"],
                {"MLRT": str(build.folder / "mlrt"),
                 "MLRT_EMULATOR": "qemu-aarch64 -L /usr/aarch64-linux-gnu"})


def interop(tally):
    """The real peers, from PyPI in virtual environments of their own: MLflow 3, and MLflow 2 as a client."""
    build = Build()
    build.make("mlrt", quiet=True)
    environment = {"MLRT": str(build.folder / "mlrt")}
    run_unittests(tally, "tests/interop", peers.python(), environment)
    python = peers.python("requirements-mlflow2.txt")
    for name in ("server_client_test.py", "server_models_test.py"):
        run_program(tally, f"{name} with MLflow 2", [python, "-B", ROOT / "tests/interop" / name], environment)


def tidy(tally):
    """clang-tidy over runtime/."""
    packages.need("lint")
    build = Build()
    build.make("mlrt", quiet=True)
    files = sorted((ROOT / "runtime").rglob("*.cpp"))

    def one(path):
        # The database of commands is gcc's, whose options clang need not know.
        command = ["clang-tidy-14", "--quiet", "--extra-arg=-Wno-ignored-optimization-argument",
                   "-p", str(build.folder), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return path, done.returncode, done.stdout

    bad = 0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for path, code, output in pool.map(one, files):
            if code != 0:
                bad += 1
                print(output.rstrip() or f"clang-tidy failed on {path.relative_to(ROOT)}")
    tally.add("clang-tidy", len(files) - bad, bad, seconds=time.monotonic() - started)


ALL = {suite.__name__: suite for suite in (checks, unit, examples, header, crash, asan, tsan, arm64, interop, tidy)}


def run(names):
    """Runs the suites and prints the closing line. Returns the exit code."""
    for name in names:
        if name not in ALL:
            raise UnknownSuite(f"unknown suite '{name}'; there are: {', '.join(ALL)}")
    total = Tally()
    for name in names:
        print(f"{name}: {ALL[name].__doc__.splitlines()[0]}", flush=True)
        started = time.monotonic()
        tally = Tally()
        try:
            ALL[name](tally)
        except subprocess.CalledProcessError as error:
            tally.add(name, 0, 1, output=f"failed: {' '.join(str(part) for part in error.cmd)}")
        except packages.Missing as error:
            tally.add(name, 0, 1, output=str(error))
        print(f"  {name} took {time.monotonic() - started:.0f} s", flush=True)
        total.passed += tally.passed
        total.failed += tally.failed
        total.skipped += tally.skipped
    if total.skipped:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0
