"""Tracking: metrics, runs, search and history against MLflow on SQLite, and plain SQLite."""
import contextlib
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import harness

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts/lib"))

import peers  # noqa: E402

BURST = 1_000_000
SUSTAINED = 10_000_000
RUNS = 2_000
SEARCHED_RUNS = 100_000
HISTORY = 1_000_000


class Worker:
    """A program that answers commands."""

    def __init__(self, *command, store=None):
        environment = dict(os.environ, PYTHONWARNINGS="ignore", MLFLOW_DISABLE_TELEMETRY="true")
        if store:
            environment["MLRT_STORE"] = str(store)
        self.process = subprocess.Popen([str(part) for part in command], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench tracking: {self.process.args} failed")
        return line

    def tell(self, *command):
        self.process.stdin.write(" ".join(str(part) for part in command) + "\n")
        self.process.stdin.flush()

    def ask(self, *command):
        """The numbers of the answer."""
        self.tell(*command)
        return [float(word) for word in self.line().split()]

    def take_time(self, *command):
        """Seconds from the answer's first line to its second."""
        self.tell(*command)
        self.line()
        started = time.perf_counter()
        self.line()
        return time.perf_counter() - started

    def end(self):
        """Ends it; returns the largest memory that it had, in megabytes."""
        self.process.stdin.close()
        self.process.stdout.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = status
        if status != 0:
            sys.exit(f"bench tracking: {self.process.args} failed")
        return usage.ru_maxrss / 1024


class Programs:
    """Makes workers on stores in a folder of their own; ends those that are kept at the end."""

    def __init__(self, stack, mlrt):
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlrt-bench-")))
        self.stack = stack
        self.mlrt = mlrt
        build = os.path.dirname(os.path.abspath(mlrt))
        subprocess.run(["cmake", "--build", build, "--target", "bench_tracking"],
                       stdout=subprocess.DEVNULL, check=True)
        self.rates = os.path.join(build, "bench_tracking")
        self.python = peers.python()
        self.count = 0

    def store(self):
        self.count += 1
        return self.folder / f"{self.count}.db"

    def keep(self, worker):
        self.stack.callback(worker.end)
        return worker

    def cpp(self, store=None):
        return Worker(self.rates, store or self.store())

    def lua(self, store=None):
        return Worker(self.mlrt, HERE / "tracking_log.lua", store=store or self.store())

    def mlflow(self, store=None):
        return Worker(self.python, HERE / "tracking_mlflow.py", store or self.store())


def remove(path):
    pathlib.Path(path).unlink(missing_ok=True)


def log_cases(programs):
    lua, cpp = programs.keep(programs.lua()), programs.keep(programs.cpp())
    mlflow = programs.keep(programs.mlflow())

    def from_lua():
        lua.take_time("settle")
        return BURST / lua.take_time("log", BURST) / 1e6

    def from_cpp():
        cpp.ask("settle")
        return BURST / cpp.ask("log", BURST)[0] / 1e6

    def from_mlflow():
        return 100 / mlflow.ask("log", 100)[0] / 1e6

    return [
        harness.Case("log_metric from Lua", "M/s", from_lua, goal=harness.at_least(3, "M/s"), samples=20),
        harness.Case("log_metric from Lua", "M/s", from_lua, from_mlflow, "MLflow's fluent log_metric",
                     harness.times_more(3000), samples=10),
        harness.Case("log_metric from C++", "M/s", from_cpp, goal=harness.at_least(6, "M/s"), samples=20),
    ]


def fold_cases(programs):
    cpp, plain = programs.keep(programs.cpp()), programs.keep(programs.cpp())
    plain_name = "SQLite, a row each"

    def rows(which):
        answer = plain.ask("rows", BURST)
        return BURST / answer[0] / 1e6 if which == 0 else answer[1] / BURST

    def sustained(make, which):
        store = programs.store()
        worker = make(store)
        try:
            if make == programs.lua:
                started = time.perf_counter()
                worker.take_time("log", SUSTAINED)
                memory = worker.end()
                seconds = time.perf_counter() - started
            else:
                seconds = worker.ask("log", SUSTAINED)[0] + worker.ask("close")[0]
                memory = worker.end()
            return {"rate": SUSTAINED / seconds / 1e6, "memory": memory,
                    "bytes": os.path.getsize(store) / SUSTAINED}[which]
        finally:
            remove(store)

    return [
        harness.Case("folding into SQLite", "M/s", lambda: BURST / cpp.ask("fold", BURST)[0] / 1e6,
                     lambda: rows(0), plain_name, harness.at_least(0.8, "M/s"), samples=5),
        harness.Case("10 million from C++, and close", "M/s", lambda: sustained(programs.cpp, "rate"),
                     goal=harness.at_least(0.8, "M/s"), samples=3),
        harness.Case("10 million from Lua, and exit", "M/s", lambda: sustained(programs.lua, "rate"),
                     goal=harness.at_least(0.8, "M/s"), samples=3),
        harness.Case("size in the database", "B/metric", lambda: sustained(programs.cpp, "bytes"),
                     lambda: rows(1), plain_name, harness.at_most(40, "B"), samples=1),
        harness.Case("memory, 10 million from Lua", "MB", lambda: sustained(programs.lua, "memory"),
                     goal=harness.at_most(32, "MB"), samples=2),
    ]


def run_cases(programs):
    lua, cpp = programs.keep(programs.lua()), programs.keep(programs.cpp())
    plain, mlflow = programs.keep(programs.cpp()), programs.keep(programs.mlflow())

    def from_cpp():
        return RUNS / cpp.ask("runs", RUNS)[0]

    def from_lua():
        return RUNS / lua.take_time("runs", RUNS)

    what = "a run, 10 params, 10 metrics"
    return [
        harness.Case(f"{what}, C++", "1/s", from_cpp, lambda: RUNS / plain.ask("bare", RUNS)[0],
                     "SQLite, 4 transactions a run", harness.at_least(5000, "1/s"), samples=10),
        harness.Case(f"{what}, Lua", "1/s", from_lua, lambda: 10 / mlflow.ask("runs", 10)[0], "MLflow",
                     harness.at_least(5000, "1/s"), samples=10),
    ]


def search_cases(programs):
    store, exported = programs.store(), programs.store()
    filler = programs.cpp(store)
    filler.ask("fill", SEARCHED_RUNS)
    filler.ask("close")
    filler.end()
    subprocess.run([programs.mlrt, "--store", str(store), "export", str(exported)],
                   stdout=subprocess.DEVNULL, check=True)
    subprocess.run([programs.python, "-m", "mlflow", "db", "upgrade", f"sqlite:///{exported}"],
                   capture_output=True, check=True)
    cpp, lua = programs.keep(programs.cpp(store)), programs.keep(programs.lua(store))
    mlflow = programs.keep(programs.mlflow(exported))

    def warm():
        return cpp.ask("search")[0] * 1000

    @functools.lru_cache
    def from_mlflow():  # once: it takes half a minute
        return mlflow.ask("search")[0] * 1000

    def cold():
        started = time.perf_counter()
        worker = programs.lua(store)
        worker.take_time("search")
        worker.end()
        return (time.perf_counter() - started) * 1000

    what = f"search, {SEARCHED_RUNS:,} runs"
    return [
        harness.Case(what, "ms", warm, goal=harness.at_most(10, "ms"), samples=30),
        harness.Case(what, "ms", warm, from_mlflow, "MLflow on the same data",
                     harness.times_less(100), samples=5),
        harness.Case(f"{what}, Lua", "ms", lambda: lua.take_time("search") * 1000, samples=10),
        harness.Case(f"{what}, a new process", "ms", cold, samples=10),
    ]


def history_cases(programs):
    cpp = programs.keep(programs.cpp())
    cpp.ask("history", HISTORY)
    return [harness.Case("history of a million points, 2,000 of them", "ms", lambda: cpp.ask("sample")[0] * 1000,
                         goal=harness.at_most(50, "ms"), samples=10)]


def main():
    options = harness.options(__doc__)
    with contextlib.ExitStack() as stack:
        programs = Programs(stack, options.mlrt)
        cases = [case for part in (log_cases, fold_cases, run_cases, search_cases, history_cases)
                 for case in part(programs)]
        harness.run("tracking", cases, options.json)


if __name__ == "__main__":
    main()
