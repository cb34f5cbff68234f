"""Start-up, idle memory and size of the executable, against plain Lua and Python."""
import os
import shutil
import subprocess
import sys
import time

import harness


def start_ms(command):
    """Milliseconds from spawning the command until it has exited."""
    def sample():
        started = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ)
        _, status = os.waitpid(pid, 0)
        elapsed = (time.perf_counter() - started) * 1000
        if status != 0:
            sys.exit(f"bench start: {' '.join(command)} failed")
        return elapsed
    return sample


def idle_mb(command):
    """Resident megabytes of the command while it waits for its standard input."""
    def sample():
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.read(1)  # it says that it is ready
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        process.communicate(b"\n")
        return resident / 1024
    return sample


def main():
    options = harness.options(__doc__)
    mlrt = options.mlrt
    lua, python = shutil.which("lua5.4"), os.path.realpath(sys.executable)
    wait_lua = "io.write('r') io.flush() io.read()"
    wait_python = "import sys; sys.stdout.write('r'); sys.stdout.flush(); sys.stdin.readline()"
    ours = start_ms([mlrt, "-e", ""])
    harness.run("start", [
        harness.Case("start-up", "ms", ours, goal=harness.at_most(5, "ms"), samples=200),
        harness.Case("start-up", "ms", ours, start_ms([lua, "-e", ""]), "lua5.4 -e ''",
                     harness.at_most_times(3), samples=200),
        harness.Case("start-up", "ms", ours, start_ms([python, "-c", "pass"]), "python3 -c pass",
                     harness.times_less(5), samples=100),
        harness.Case("start-up with require 'mlrt'", "ms", start_ms([mlrt, "-e", "require 'mlrt'"]),
                     start_ms([python, "-c", "import json, sqlite3"]), "python3, json and sqlite3", samples=50),
        harness.Case("idle memory", "MB", idle_mb([mlrt, "-e", wait_lua]), idle_mb([lua, "-e", wait_lua]),
                     "lua5.4", samples=10),
        harness.Case("idle memory with require 'mlrt'", "MB", idle_mb([mlrt, "-e", "require 'mlrt' " + wait_lua]),
                     idle_mb([python, "-c", wait_python]), "python3", samples=10),
        harness.Case("size of the executable", "MB", lambda: os.path.getsize(mlrt) / 1e6,
                     goal=harness.at_most(4, "MB"), samples=1),
    ], options.json)


if __name__ == "__main__":
    main()
