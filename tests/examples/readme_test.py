"""The README's console blocks are run, and their output compared where it is stable.

A line "$ command" is run by one shell for the whole file; the lines below it are what it must print.
What differs from run to run (ports, ids, times, made-up names) is masked on both sides.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MASKS = [
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\b[0-9a-f]{32,64}\b", "ID"),
    (r"\b[0-9a-f]{8}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?\b", "TIME"),
    (r"\b\d+(\.\d+)? m?s\b", "DURATION"),
    (r"\S*/mlrt-artifacts/", "mlrt-artifacts/"),
    (r" +", " "),  # columns move with what is in them
    (r" $", ""),
]
DONE = "@@done@@"


def mask(line):
    for pattern, word in MASKS:
        line = re.sub(pattern, word, line)
    return line


def code(text, language):
    """The code of each block of the language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(text):
    """(line number, command, expected lines) of each console block."""
    number, inside, found = 0, False, []
    for line in text.splitlines():
        number += 1
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and line.startswith("> "):
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line[2:], [])
        elif inside:
            found[-1][2].append(line)
    return found


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt-readme-"))
        self.addCleanup(shutil.rmtree, self.folder)
        program = pathlib.Path(os.environ.get("MLRT", ROOT / "build/mlrt")).resolve()
        (self.folder / "bin").mkdir()
        (self.folder / "bin/mlrt").symlink_to(program)
        (self.folder / "examples").symlink_to(ROOT / "examples")
        self.shell = subprocess.Popen(
            ["bash", "--norc"], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}", LOGNAME="ann"))
        self.addCleanup(self.close)

    def close(self):
        try:
            os.killpg(self.shell.pid, 15)
        except ProcessLookupError:
            pass
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.shell.wait()

    def run_step(self, command):
        self.shell.stdin.write(f"{command}\necho; echo {DONE}\n")
        self.shell.stdin.flush()
        lines = []
        while True:
            line = self.shell.stdout.readline()
            self.assertNotEqual(line, "", "the shell ended: " + "".join(lines))
            if line.strip() == DONE:
                break
            lines.append(line.rstrip("\n"))
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def test_the_console_blocks_print_what_the_readme_says(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        ran = 0
        for number, command, expected in steps(text):
            if command.startswith(("git ", "scripts/dev test", "scripts/dev bench", "scripts/dev build",
                                   "scripts/deps", "cmake ", "g++ ")):
                continue  # these are what runs this, or have tests of their own
            command = command.replace("scripts/dev run ", "mlrt ").replace("build/mlrt", "mlrt")
            command = command.replace("5001", port)
            with self.subTest(command):
                printed = self.run_step(command)
                while expected and not expected[-1]:
                    expected.pop()
                self.assertEqual([mask(line) for line in printed], [mask(line) for line in expected],
                                 f"README.md:{number}: $ {command}")
                ran += 1
        self.assertGreaterEqual(ran, 7)

    def test_the_lua_blocks_run(self):
        blocks = code((ROOT / "README.md").read_text(encoding="utf-8"), "lua")
        self.assertGreaterEqual(len(blocks), 1)
        for number, block in enumerate(blocks):
            script = self.folder / f"block{number}.lua"
            script.write_text(block)
            self.assertEqual(self.run_step(f"mlrt {script.name}"), [])


if __name__ == "__main__":
    unittest.main()
