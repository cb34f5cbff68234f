"""Tests of scripts/embed: its output is compiled and must hold the very bytes of the files."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "scripts", "embed")

PRINTER = """
#include <cstdio>
#include "lua/embedded.hpp"
int main() {
  for (std::size_t i = 0; i < mlrt::kEmbeddedFileCount; ++i) {
    const mlrt::EmbeddedFile& file = mlrt::kEmbeddedFiles[i];
    std::printf("%s %zu:", file.name, file.size_bytes);
    std::fwrite(file.data, 1, file.size_bytes, stdout);
  }
}
"""


class EmbedTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="mlrt embed t\u00e9st ")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.stdlib = os.path.join(self.folder, "stdlib")
        os.mkdir(self.stdlib)
        self.out = os.path.join(self.folder, "made", "embedded.cpp")

    def write(self, name, data):
        path = os.path.join(self.stdlib, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def embed(self):
        subprocess.run([sys.executable, SCRIPT, "--from", self.stdlib, "--out", self.out],
                       check=True)
        with open(self.out, "rb") as file:
            return file.read()

    def compile_and_print(self):
        compiler = os.environ.get("CXX") or "c++"
        if not shutil.which(compiler):
            self.skipTest("no C++ compiler")
        main = os.path.join(self.folder, "main.cpp")
        with open(main, "w", encoding="utf-8") as file:
            file.write(PRINTER)
        program = os.path.join(self.folder, "program")
        subprocess.run([compiler, "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-I", os.path.join(ROOT, "runtime"), main, self.out, "-o", program],
                       check=True)
        return subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout

    def test_every_byte_survives_in_order_of_the_names(self):
        every = bytes(range(256)) * 3
        tricky = b'??=//"\\\r\n\t\x001\x017%s?\\?' + "caf\u00e9".encode("utf-8")
        self.write("mlrt/every.lua", every)
        self.write("b.lua", tricky)
        self.write("a.lua", b"")
        self.write("readme.txt", b"not embedded")
        self.write("types/a.lua", b"not embedded either: a stub for editors")
        self.embed()
        self.assertEqual(self.compile_and_print(),
                         b"a.lua 0:" + b"b.lua %d:" % len(tricky) + tricky
                         + b"mlrt/every.lua %d:" % len(every) + every)

    def test_types_makes_the_table_of_stubs(self):
        self.write("mlrt.lua", b"---@meta\n")
        subprocess.run([sys.executable, SCRIPT, "--types", "--from", self.stdlib, "--out", self.out],
                       check=True)
        with open(self.out, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('#include "cli/type_stubs.hpp"', text)
        self.assertIn("kTypeStubs[]", text)
        self.assertIn("kTypeStubCount = 1;", text)
        self.assertIn('"mlrt.lua"', text)

    def test_no_files_make_an_empty_table(self):
        self.embed()
        self.assertEqual(self.compile_and_print(), b"")

    def test_the_same_files_give_the_same_bytes_and_leave_the_output_alone(self):
        self.write("a.lua", b"return 1\n")
        first = self.embed()
        os.utime(self.out, (1, 1))
        self.assertEqual(self.embed(), first)
        self.assertEqual(os.stat(self.out).st_mtime, 1)
        self.write("a.lua", b"return 2\n")
        self.assertNotEqual(self.embed(), first)


if __name__ == "__main__":
    unittest.main()
