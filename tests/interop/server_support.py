"""Servers for the tests of this folder: `mlrt server` and a stock `mlflow server`, each on an empty folder."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

START_S = 180  # a stock server takes five seconds, and many times that on a busy machine


class Server:
    """Has `url`, `folder`, `pid`; `stop()` ends it and takes its folder away."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name} server "))
        self.process = None
        self.url = None

    def spawn(self, command, **environment):
        self.log = open(self.folder / "log.txt", "w+b")
        self.process = subprocess.Popen(
            [str(word) for word in command], cwd=self.folder, stdout=self.log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env=dict(os.environ, **environment), start_new_session=True)
        self.pid = self.process.pid

    def wait_for(self, ready, what):
        until = time.monotonic() + START_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > until:
                text = self.log_text()
                self.stop()
                raise AssertionError(f"{what} did not start:\n{text}")
            time.sleep(0.005)

    def log_text(self):
        return (self.folder / "log.txt").read_text(errors="replace")

    def memory_mb(self, kind="VmRSS"):
        """Resident megabytes now, or at most so far (VmHWM)."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(kind + r":\s+(\d+)", text).group(1)) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)  # the workers of a stock server
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode


def start_mlrt(*words, mlrt=None):
    server = Server("mlrt")
    server.spawn([mlrt or os.environ["MLRT"], "server", "--port", "0", *words])
    address = re.compile(r"tracking server at (http://[\w.:]+) ")
    server.wait_for(lambda: address.search(server.log_text()), "mlrt server")
    server.url = address.search(server.log_text()).group(1)
    return server


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_stock(python=sys.executable, database=None):
    server = Server("stock")
    server.url = f"http://127.0.0.1:{free_port()}"
    server.spawn([python, "-m", "mlflow", "server", "--host", "127.0.0.1",
                  "--port", urllib.parse.urlsplit(server.url).port,
                  "--workers", 1,  # several keep each other from the database
                  "--backend-store-uri", f"sqlite:///{database or server.folder / 'mlflow.db'}",
                  "--artifacts-destination", server.folder / "artifacts"],
                 MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    server.wait_for(lambda: is_up(server.url), "mlflow server")
    return server


def is_up(url):
    connection = Connection(url)
    try:
        return connection.send("GET", "/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Connection:
    """One kept-alive connection that sends what it is given."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)

    def send(self, method, target, body=None, headers=None):
        """Status and text of the answer; a dict or list is sent as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        self.connection.request(method, urllib.parse.quote(target, safe="/?&=%:@+-._~!*',;()$[]`\""), body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def close(self):
        self.connection.close()


def for_all(functions):
    """Calls them at the same time; raises the first error."""
    errors = []

    def guarded(function):
        try:
            function()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
