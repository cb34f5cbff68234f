"""The single header as a program uses it: an empty folder, the header, the documented packages."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADER = ROOT / "single_include/mlrt.hpp"
LIBRARIES = ["-lsqlite3", "-lz", "-lyaml", "-lmbedcrypto", "-pthread"]


def run(command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}:\n{done.stdout[-8000:]}")
    return done.stdout


class SingleHeader(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlrt header "))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copy(HEADER, self.folder)

    def compiler(self):
        return os.environ.get("CXX", "g++")

    def test_two_files_include_it_and_one_implements_it(self):
        (self.folder / "one.cpp").write_text(
            '#include "mlrt.hpp"\n#include "mlrt.hpp"\n'
            "double one() { mlrt::Table t; t.set(mlrt::Column::of_doubles(\"x\", {1, 2})); "
            "return t.column(\"x\").number(1); }\n")
        (self.folder / "two.cpp").write_text(
            '#include "mlrt.hpp"\ndouble one();\n'
            "int main() { return one() == 2 && mlrt::parse_csv(\"a\\n1\\n\", \"x\").row_count() == 1 ? 0 : 1; }\n")
        (self.folder / "implementation.cpp").write_text('#define MLRT_IMPLEMENTATION\n#include "mlrt.hpp"\n')
        flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
        for name in ("one", "two", "implementation"):
            run([self.compiler(), *flags, "-c", f"{name}.cpp"], cwd=self.folder)
        run([self.compiler(), "one.o", "two.o", "implementation.o", "-o", "program", *LIBRARIES],
            cwd=self.folder)
        run(["./program"], cwd=self.folder)

    def test_it_runs_scripts_with_a_lua_that_was_built_as_c(self):
        (self.folder / "main.cpp").write_text(
            "#define MLRT_IMPLEMENTATION\n#define MLRT_WITH_LUA\n#include \"mlrt.hpp\"\n"
            "#include <cstdio>\n"
            "int main() {\n"
            "  mlrt::Interpreter lua;\n"
            "  lua.run_string(\"assert(require('mlrt').table{{a = 1}}:column('a')[1] == 1)\", {});\n"
            "  try {\n"
            "    lua.run_string(\"require('mlrt').read_csv('absent.csv')\", {});\n"
            "  } catch (const mlrt::Error& error) {\n"
            "    std::printf(\"%s\\n\", error.what());\n"
            "    return 0;\n"
            "  }\n"
            "  return 1;\n"
            "}\n")
        httplib = run([sys.executable, ROOT / "scripts/deps", "--print", "cpp-httplib"]).strip()
        run([self.compiler(), "-std=c++17", "main.cpp", "-o", "program", f"-isystem{httplib}",
             "-isystem/usr/include/lua5.4", "-llua5.4", *LIBRARIES], cwd=self.folder)
        self.assertIn("absent.csv", run(["./program"], cwd=self.folder))

    def test_declarations_need_no_library(self):
        declarations = HEADER.read_text().split("#endif  // MLRT_HPP_")[0]
        for library in ("nlohmann", "sqlite", "httplib", "lua.h", "mbedtls", "yaml.h", "zlib", "unistd"):
            self.assertNotIn(f"<{library}", declarations)

    def test_the_readme_s_example_compiles_and_runs(self):
        blocks = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 1)
        (self.folder / "main.cpp").write_text("#define MLRT_IMPLEMENTATION\n" + blocks[0])
        run([os.environ["MLRT"], ROOT / "examples/quickstart.lua"], cwd=self.folder)
        run([self.compiler(), "-std=c++17", "main.cpp", "-o", "program", *LIBRARIES], cwd=self.folder)
        run(["./program"], cwd=self.folder)
        self.assertIn("one trip", run([os.environ["MLRT"], "runs", "list"], cwd=self.folder))

    def test_embed_app_builds_from_an_empty_folder_and_runs(self):
        for path in (ROOT / "examples/embed_app").iterdir():
            shutil.copy(path, self.folder)
        bundle_folder = self.folder / "bundle"
        bundle_folder.mkdir()
        run([os.environ["MLRT"], ROOT / "examples/quickstart.lua"], cwd=bundle_folder)
        run(["cmake", "-S", ".", "-B", "build"], cwd=self.folder)
        run(["cmake", "--build", "build"], cwd=self.folder)
        out = run(["build/embed_app", bundle_folder / "taxi-tips.mlrt", "app.db"], cwd=self.folder)
        self.assertRegex(out, r"^probability of a tip above 20%: 0\.\d{4}\nlogged run one trip to .*app\.db\n$")
        # The executable scores the same row to the same digits, and reads the store that the program wrote.
        script = self.folder / "same.lua"
        script.write_text(
            "local mlrt = require 'mlrt'\n"
            "local trip = mlrt.table{{trip_miles = 2.1, fare = 9.45, trip_seconds = 720, "
            "payment_type = 'Credit Card'}}\n"
            "local model = mlrt.load_model(arg[1])\n"
            "print(string.format('%.4f', model:predict(trip):column('prediction')[1]))\n")
        same = run([os.environ["MLRT"], script, bundle_folder / "taxi-tips.mlrt"], cwd=self.folder)
        self.assertIn(f"20%: {same.strip()}\n", out)
        runs = run([os.environ["MLRT"], "--store", "app.db", "runs", "list"], cwd=self.folder)
        self.assertIn("one trip", runs)
        failed = subprocess.run(["build/embed_app", "absent.mlrt"], cwd=self.folder, capture_output=True,
                                text=True, check=False)
        self.assertEqual(failed.returncode, 3)
        self.assertIn("absent.mlrt", failed.stderr)


if __name__ == "__main__":
    unittest.main()
