"""`mlrt server` against a stock `mlflow server`: the same requests, from the same client, in the same run.

The client is one thread that keeps one request under way on each of its connections; it shares the machine
with both servers. Searches meet the same 100,000 runs: ours are exported as the database that MLflow opens.
What a stock server needs for an order by a metric grows with the square of the runs that a filter leaves: for
all of them more than ten minutes, so that is measured of ours alone.
"""
import json
import os
import pathlib
import random
import select
import socket
import subprocess
import sys
import time
import urllib.parse

import harness

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "tests/interop")]
import peers  # noqa: E402
import server_support  # noqa: E402

RUNS = int(os.environ.get("MLRT_BENCH_RUNS", "100000"))
API = "/api/2.0/mlflow"


def at_least(limit, unit, times):
    return harness.Goal(f">= {limit:,} {unit}, >= {times:g}x peer", lambda ours, ratio: ours >= limit and ratio >= times)


def within(limit, unit, times):
    return harness.Goal(f"<= {limit:g} {unit}, peer >= {times:g}x",
                        lambda ours, ratio: ours <= limit and ratio * times <= 1)


def request(method, path, body=None):
    body = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {API}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connections:
    """A few kept-alive connections to a server, for one call of `send`."""

    def __init__(self, url, count):
        parts = urllib.parse.urlsplit(url)
        self.sockets = [socket.create_connection((parts.hostname, parts.port)) for _ in range(count)]
        for one in self.sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, requests, keep=None):
        """Sends all of them and waits for their answers, which are handed to `keep`. Seconds that it took."""
        left = iter(requests)
        waiting = select.epoll()
        partial = {}
        started = time.perf_counter()

        def next_on(one):
            data = next(left, None)
            if data is None:
                waiting.unregister(one.fileno())
                del partial[one.fileno()]
            else:
                one.sendall(data)

        for one in self.sockets:
            partial[one.fileno()] = (one, b"")
            waiting.register(one.fileno(), select.EPOLLIN)
            next_on(one)
        while partial:
            for number, _ in waiting.poll():
                one, data = partial[number]
                received = one.recv(1 << 20)
                if not received:
                    sys.exit("bench server: the server closed the connection")
                data += received
                end = data.find(b"\r\n\r\n")
                head = data[:end].lower()
                if end < 0 or len(data) < end + 4 + int(head.split(b"content-length:")[1].split(b"\r")[0]):
                    partial[number] = (one, data)
                    continue
                if not data.startswith(b"HTTP/1.1 200"):
                    sys.exit(f"bench server: {data[:600].decode(errors='replace')}")
                if keep:
                    keep(data[end + 4:])
                partial[number] = (one, b"")
                next_on(one)
        elapsed = time.perf_counter() - started
        waiting.close()
        for one in self.sockets:
            one.close()
        return elapsed


def one_run(url):
    runs = []
    Connections(url, 1).send([request("POST", "/runs/create", {"experiment_id": "0", "start_time": 1700000000000})],
                             lambda text: runs.append(json.loads(text)["run"]["info"]["run_id"]))
    return runs[0]


def a_second(url, count, make):
    """Requests of `make(i)` a second, on 8 connections."""
    made = [0]

    def sample():
        requests = [make(i) for i in range(made[0], made[0] + count)]
        made[0] += count
        return count / Connections(url, 8).send(requests)  # new ones: servers close those that were idle
    return sample


def latency_ms(url, make):
    made = [0]

    def sample():
        made[0] += 1
        return Connections(url, 1).send([make(made[0])]) * 1000
    return sample


def log_metric(url):
    run = one_run(url)
    return lambda i: request("POST", "/runs/log-metric", {
        "run_id": run, "key": f"m{i % 8}", "value": i / 7, "step": i // 8, "timestamp": 1700000000000 + i})


def log_batch(url):
    run = one_run(url)
    return lambda i: request("POST", "/runs/log-batch", {"run_id": run, "metrics": [
        {"key": f"m{j % 10}", "value": j / 7, "step": i * 100 + j // 10, "timestamp": 1700000000000 + i}
        for j in range(1000)]})


def create_run(_):
    return lambda i: request("POST", "/runs/create", {
        "experiment_id": "0", "run_name": f"run {i}", "start_time": 1700000000000 + i,
        "tags": [{"key": "mlflow.user", "value": "ann"}, {"key": "mlflow.source.name", "value": "train.py"}]})


def search(text, *order):
    return lambda _: request("POST", "/runs/search", {
        "experiment_ids": ["1"], "filter": text, "order_by": order, "max_results": 100})


def fill(url):
    """Experiment 1 with RUNS runs of two parameters and three metrics."""
    numbers = random.Random(7)
    Connections(url, 1).send([request("POST", "/experiments/create", {"name": "many"})])
    runs = []
    started = time.monotonic()
    Connections(url, 8).send((request("POST", "/runs/create", {"experiment_id": "1", "start_time": 1700000000000 + i})
                      for i in range(RUNS)), lambda text: runs.append(json.loads(text)["run"]["info"]["run_id"]))
    Connections(url, 8).send(request("POST", "/runs/log-batch", {
        "run_id": run, "params": [{"key": "model", "value": numbers.choice(["tree", "forest", "linear"])},
                                  {"key": "depth", "value": str(i % 12)}],
        "metrics": [{"key": key, "value": numbers.random(), "step": 1, "timestamp": 1700000000000 + i}
                    for key in ("loss", "accuracy", "auc")]}) for i, run in enumerate(runs))
    print(f"{RUNS:,} runs made and filled in {time.monotonic() - started:.1f} s", flush=True)


def start_ms(start):
    def sample():
        started = time.perf_counter()
        server = start()
        connection = server_support.Connection(server.url)
        connection.send("GET", "/health")
        elapsed = (time.perf_counter() - started) * 1000
        connection.close()
        server.stop()
        return elapsed
    return sample


def idle_mb(start, group=False):
    """Resident megabytes after one answer; of all processes that the command started."""
    def sample():
        server = start()
        one_run(server.url)
        total = server.memory_mb() if not group else sum(
            resident_mb(path) for path in pathlib.Path("/proc").glob("[0-9]*") if session_of(path) == server.pid)
        server.stop()
        return total
    return sample


def session_of(path):
    try:
        return int((path / "stat").read_text().rsplit(")", 1)[1].split()[3])
    except OSError:
        return -1


def resident_mb(path):
    lines = [line for line in (path / "status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0


def main():
    options = harness.options(__doc__)
    python = os.environ.get("MLFLOW_PYTHON") or peers.python()
    mlrt = os.path.realpath(options.mlrt)
    started = []

    def ours(*words):
        return server_support.start_mlrt(*words, mlrt=mlrt)

    def stock(*words):
        return server_support.start_stock(python, *words)

    def kept(server):
        started.append(server)
        return server.url

    try:
        us, peer = kept(ours()), kept(stock())
        many = ours()
        kept(many)
        fill(many.url)
        copy = many.folder / "mlflow.db"
        subprocess.run([mlrt, "--store", many.folder / "mlrt.db", "export", copy], check=True,
                       stdout=subprocess.DEVNULL)
        many_stock = kept(server_support.start_stock(python, database=copy))
        name = "mlflow server"
        searches = [(f"search of {RUNS:,} runs, {what}", search(*words)) for what, words in (
            ("the newest 100", ("",)),
            ("by a metric and a parameter", ("metrics.loss < 0.5 AND params.model = 'tree'",)),
            ("the best 100 below a bound", ("metrics.loss < 0.1", "metrics.loss ASC")),
            ("by a parameter and a metric, best first",
             ("params.model = 'tree' AND metrics.loss < 0.1", "metrics.accuracy DESC")))]
        best_of_all = search("", "metrics.loss ASC")
        harness.run("server", [
            harness.Case("log-metric, 8 connections", "1/s", a_second(us, 4000, log_metric(us)),
                         a_second(peer, 48, log_metric(peer)), name, at_least(10000, "a second", 100), samples=5),
            harness.Case("log-batch of 1,000 metrics", "ms", latency_ms(us, log_batch(us)),
                         latency_ms(peer, log_batch(peer)), name, within(3, "ms", 80), samples=40),
            harness.Case("runs/create, 8 connections", "1/s", a_second(us, 2000, create_run(us)),
                         a_second(peer, 48, create_run(peer)), name,
                         harness.Goal(">= 5,000 a second", lambda ours, _: ours >= 5000), samples=5),
            *(harness.Case(what, "ms", latency_ms(many.url, make), latency_ms(many_stock, make), name,
                           harness.at_most(15, "ms"), samples=15) for what, make in searches),
            harness.Case(f"search of {RUNS:,} runs, the best 100 of all", "ms", latency_ms(many.url, best_of_all),
                         goal=harness.at_most(15, "ms"), samples=20),
            harness.Case("start to the first answer", "ms", start_ms(ours), goal=harness.at_most(30, "ms"), samples=20),
            harness.Case("start to the first answer", "ms", start_ms(ours), start_ms(stock), name, samples=2),
            harness.Case("idle memory", "MB", idle_mb(ours), idle_mb(stock, group=True), name,
                         harness.at_most(16, "MB"), samples=2),
        ], options.json)
    finally:
        for server in started:
            server.stop()


if __name__ == "__main__":
    main()
