"""Tests of scripts/deps with locks and archives of their own, a few bytes each: no network."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))

import deps_fetch  # noqa: E402
import deps_lock  # noqa: E402

SCRIPT = os.path.join(ROOT, "scripts", "deps")

SECTION = """[{name}]
version = {version}
package = {name}
package_version = {version}-1
package_sha256 = {sha256}
accept = 1 2
needs = {needs}

"""


def make_archive(path, files, links=()):
    """Writes a .tar.gz of {name: bytes}; links are (name, target) pairs."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type = tarfile.SYMTYPE
            info.linkname = target
            archive.addfile(info)
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class DepsTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="mlrt deps t\u00e9st ")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.carried = os.path.join(self.folder, "carried")
        os.mkdir(self.carried)
        self.lock = os.path.join(self.folder, "deps.lock")
        self.files = {"alpha-1.5/alpha.h": b"// alpha\n", "alpha-1.5/src/alpha.c": b"int alpha;\n"}
        self.sha256 = make_archive(self.archive("alpha"), self.files)
        beta = make_archive(self.archive("beta"), {"top/beta.h": b"// beta\n"})
        self.write_lock(SECTION.format(name="alpha", version="1.5", sha256=self.sha256,
                                       needs="alpha.h")
                        + SECTION.format(name="beta", version="1.5", sha256=beta, needs="beta.h"))

    def archive(self, name, version="1.5"):
        return os.path.join(self.carried, "%s-%s.debian.tar.gz" % (name, version))

    def write_lock(self, text):
        with open(self.lock, "w", encoding="utf-8") as file:
            file.write(text)

    def write_alpha(self, files, links=()):
        """Puts another archive in alpha's place, and its hash into the lock."""
        sha256 = make_archive(self.archive("alpha"), files, links)
        self.write_lock(SECTION.format(name="alpha", version="1.5", sha256=sha256,
                                       needs="alpha.h"))

    def start(self, *arguments, cache="cache"):
        environment = dict(os.environ, MLRT_DEPS_DIR=os.path.join(self.folder, cache))
        if os.path.isdir(os.path.join(self.folder, "bin")):
            environment["PATH"] = os.path.join(self.folder, "bin") + os.pathsep + os.environ["PATH"]
        return subprocess.Popen([sys.executable, SCRIPT, "--lock", self.lock, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                universal_newlines=True, env=environment)

    def run_deps(self, *arguments, cache="cache"):
        process = self.start(*arguments, cache=cache)
        process.out, process.err = process.communicate(timeout=60)
        return process

    def succeed(self, *arguments, cache="cache"):
        process = self.run_deps(*arguments, cache=cache)
        self.assertEqual(process.returncode, 0, process.err)
        return process

    def fail_with(self, *arguments, cache="cache"):
        """The message of a run that must fail, in one line and without a traceback."""
        process = self.run_deps(*arguments, cache=cache)
        self.assertEqual(process.returncode, 1, process.err)
        self.assertNotIn("Traceback", process.err)
        self.assertEqual(len(process.err.splitlines()), 1, process.err)
        return process.err

    def tree(self, cache):
        """The unpacked files of a cache, with their bytes."""
        found = {}
        base = os.path.join(self.folder, cache)
        for path, _, names in os.walk(base):
            for name in names:
                full = os.path.join(path, name)
                inner = os.path.relpath(full, base)
                if inner.startswith(("alpha", "beta")) and not name.startswith("."):
                    with open(full, "rb") as file:
                        found[inner] = file.read()
        return found

    def test_a_folder_made_by_to_fills_another_cache_by_from(self):
        self.succeed("--from", self.carried)
        other = os.path.join(self.folder, "other")
        self.succeed("--to", other)
        self.assertEqual(sorted(os.listdir(other)), [
            "alpha-1.5.debian.tar.gz", "beta-1.5.debian.tar.gz", "deps.lock"])
        self.succeed("--from", other, cache="second")
        self.assertEqual(self.tree("cache"), self.tree("second"))
        self.assertEqual(self.tree("second")["alpha-1.5/src/alpha.c"], b"int alpha;\n")

    def test_a_tampered_archive_is_refused_by_name_and_nothing_is_unpacked(self):
        with open(self.archive("alpha"), "ab") as file:
            file.write(b"x")
        message = self.fail_with("--from", self.carried)
        self.assertIn(self.archive("alpha"), message)
        self.assertIn("the lock says " + self.sha256, message)
        self.assertEqual(self.tree("cache"), {})

    def test_a_tampered_archive_is_refused_even_if_the_cache_is_full(self):
        self.succeed("--from", self.carried)
        with open(self.archive("beta"), "ab") as file:
            file.write(b"x")
        self.assertIn(self.archive("beta"), self.fail_with("--from", self.carried))

    def test_a_missing_archive_is_named(self):
        os.remove(self.archive("beta"))
        message = self.fail_with("--from", self.carried)
        self.assertIn(os.path.join(self.carried, "beta-1.5"), message)
        self.assertIn("is missing", message)

    def test_a_missing_folder_is_named(self):
        self.assertIn("nowhere is not a folder", self.fail_with("--from", "nowhere"))

    def test_a_second_run_needs_no_archive_and_says_nothing(self):
        self.succeed("--from", self.carried)
        os.remove(self.archive("alpha"))
        process = self.succeed("--cmake")
        self.assertEqual(process.err, "")
        with open(process.out.strip(), encoding="utf-8") as file:
            text = file.read()
        self.assertIn('set(MLRT_DEP_ALPHA_DIR "${CMAKE_CURRENT_LIST_DIR}/alpha-1.5")', text)
        self.assertIn('set(MLRT_DEP_BETA_VERSION "1.5")', text)

    def test_print_gives_the_source_folder(self):
        self.succeed("--from", self.carried)
        shown = self.succeed("--print", "alpha").out.strip()
        self.assertEqual(shown, os.path.join(self.folder, "cache", "alpha-1.5"))
        self.assertIn("there are alpha, beta", self.fail_with("--print", "gamma"))

    def test_a_damaged_source_folder_is_made_again(self):
        self.succeed("--from", self.carried)
        os.remove(os.path.join(self.folder, "cache", "alpha-1.5", ".mlrt-deps.json"))
        os.remove(os.path.join(self.folder, "cache", "alpha-1.5", "alpha.h"))
        self.succeed("--from", self.carried)
        self.assertEqual(self.tree("cache")["alpha-1.5/alpha.h"], b"// alpha\n")

    def test_a_path_that_leads_outside_is_refused(self):
        self.write_alpha(dict(self.files, **{"alpha-1.5/../../../evil.h": b"evil"}))
        self.assertIn("leads outside", self.fail_with("--from", self.carried))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "evil.h")))
        self.assertEqual(self.tree("cache"), {})

    def test_links_are_left_out(self):
        self.write_alpha(self.files, [("alpha-1.5/link", "/etc/passwd")])
        self.succeed("--from", self.carried)
        self.assertFalse(os.path.lexists(os.path.join(self.folder, "cache/alpha-1.5/link")))

    def test_an_archive_of_something_else_is_refused(self):
        self.write_alpha({"alpha-1.5/other.h": b""})
        self.assertIn("holds no alpha.h", self.fail_with("--from", self.carried))

    def test_a_broken_archive_with_the_right_hash_is_a_clean_error(self):
        data = os.urandom(100)
        with open(self.archive("alpha"), "wb") as file:
            file.write(data)
        self.write_lock(SECTION.format(name="alpha", version="1.5", needs="alpha.h",
                                       sha256=hashlib.sha256(data).hexdigest()))
        self.assertIn("alpha-1.5.debian.tar.gz can't be unpacked",
                      self.fail_with("--from", self.carried))

    def test_only_the_wanted_parts_are_unpacked(self):
        with open(self.lock, encoding="utf-8") as file:
            text = file.read()
        self.write_lock(text.replace("needs = alpha.h", "keep = alpha.h\nneeds = alpha.h"))
        self.succeed("--from", self.carried)
        self.assertEqual(sorted(self.tree("cache")), ["alpha-1.5/alpha.h", "beta-1.5/beta.h"])

    def test_a_version_that_only_the_carried_lock_vouches_for_needs_unlocked(self):
        with open(self.lock, encoding="utf-8") as file:
            text = file.read()
        os.remove(self.archive("alpha"))
        newer = make_archive(self.archive("alpha", "1.6"), {"alpha-1.6/alpha.h": b"// newer\n"})
        with open(os.path.join(self.carried, "deps.lock"), "w", encoding="utf-8") as file:
            file.write(SECTION.format(name="alpha", version="1.6", sha256=newer, needs="alpha.h")
                       + text[text.index("[beta]"):])
        self.assertIn("--unlocked", self.fail_with("--from", self.carried))
        process = self.succeed("--from", self.carried, "--unlocked")
        self.assertIn("alpha 1.6 is taken instead of the locked 1.5", process.err)
        self.assertEqual(self.tree("cache")["alpha-1.6/alpha.h"], b"// newer\n")
        # What was really taken can be carried on, again only by those who accept it.
        other = os.path.join(self.folder, "other")
        self.succeed("--to", other)
        self.assertIn("--unlocked", self.fail_with("--from", other, cache="second"))
        self.succeed("--from", other, "--unlocked", cache="second")
        self.assertEqual(self.tree("cache"), self.tree("second"))

    def test_runs_at_the_same_time_do_not_disturb_each_other(self):
        processes = [self.start("--from", self.carried) for _ in range(6)]
        for process in processes:
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(len(self.tree("cache")), 3)
        left = [name for name in os.listdir(os.path.join(self.folder, "cache"))
                if name.startswith((".fetch-", ".unpack-"))]
        self.assertEqual(left, [])

    def test_a_malformed_lock_is_a_clean_error(self):
        for text, expected in [
                ("version = 1\n", "no section headers"),
                (SECTION.format(name="alpha", version="one", sha256=self.sha256, needs="a"),
                 "version = 'one' is not valid"),
                (SECTION.format(name="alpha", version="1", sha256="abc", needs="a"),
                 "package_sha256 = 'abc' is not valid"),
                (SECTION.format(name="alpha", version="1", sha256=self.sha256,
                                needs="a").replace("accept = 1 2", ""), "accept = ''")]:
            with self.subTest(expected):
                self.write_lock(text)
                self.assertIn(expected, self.fail_with("--from", self.carried))

    def offer(self, *offers):
        """Makes an apt on the PATH that offers these (name, Debian version, bytes): None as bytes
        is a version that is listed but can't be downloaded."""
        folder = os.path.join(self.folder, "bin")
        os.mkdir(folder)
        stanzas = {}
        for name, version, data in offers:
            file_name = "%s_%s.orig.tar.gz" % (name, version.rsplit("-", 1)[0])
            shown = data if data is not None else b"gone"
            stanzas.setdefault(name, []).append(
                "Package: %s\nVersion: %s\nChecksums-Sha256:\n %s 9 %s_%s.dsc\n %s 9 %s\n"
                "Directory: x\n" % (name, version, "0" * 64, name, version,
                                    hashlib.sha256(shown).hexdigest(), file_name))
            if data is not None:
                with open(os.path.join(folder, "%s=%s" % (name, version)), "wb") as file:
                    file.write(data)
        for name, texts in stanzas.items():
            with open(os.path.join(folder, name + ".stanzas"), "w", encoding="utf-8") as file:
                file.write("\n".join(texts))
        scripts = {
            "apt-cache": 'for last; do :; done\ncat "$0.dir/$last.stanzas" 2>/dev/null\n',
            "apt-get": 'for last; do :; done\ncase "$*" in\n'
                       '  *update*) cat "$0.dir/update-failure" 2>/dev/null && exit 100 ;;\n'
                       '  indextargets*) echo "Debian|Debian|http://mirror.invalid/debian" ;;\n'
                       '  *source*) name=${last%%=*}; version=${last#*=}\n'
                       '    cp "$0.dir/$last" "${name}_${version%-*}.orig.tar.gz" ;;\n'
                       'esac\n'}
        for name, text in scripts.items():
            path = os.path.join(folder, name)
            os.symlink(folder, path + ".dir")
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + text)
            os.chmod(path, 0o755)

    def alpha_bytes(self, version, text):
        path = os.path.join(self.folder, "made.tar.gz")
        make_archive(path, {"alpha-%s/alpha.h" % version: text})
        with open(path, "rb") as file:
            return file.read()

    def only_alpha(self):
        with open(self.lock, encoding="utf-8") as file:
            text = file.read()
        self.write_lock("[debian]\nsuites = now next\n\n" + text[:text.index("[beta]")])
        with open(self.archive("alpha"), "rb") as file:
            return file.read()

    def test_the_locked_source_package_is_taken_although_a_newer_one_is_there(self):
        locked = self.only_alpha()
        self.offer(("alpha", "1.7-1", self.alpha_bytes("1.7", b"newer")),
                   ("alpha", "1.5-1", locked))
        process = self.succeed()
        self.assertEqual(process.err, "deps: alpha 1.5 from the distribution's source package\n")
        self.assertEqual(self.tree("cache")["alpha-1.5/alpha.h"], b"// alpha\n")

    def test_another_revision_with_the_same_archive_is_the_locked_one(self):
        self.offer(("alpha", "1.5-4", self.only_alpha()))
        self.assertNotIn("gone", self.succeed().err)

    def test_the_newest_accepted_package_replaces_one_that_is_gone(self):
        self.only_alpha()
        self.offer(("alpha", "1.9-1", self.alpha_bytes("1.9", b"old")),
                   ("alpha", "1:1.2.really1.10+ds-1", self.alpha_bytes("1.10", b"newest")),
                   ("alpha", "2.0-1", self.alpha_bytes("2.0", b"not accepted")))
        process = self.succeed()
        self.assertIn("alpha 1.5-1 is gone from the suites: taking the newest there, "
                      "1:1.2.really1.10+ds-1", process.err)
        self.assertEqual(self.tree("cache"), {"alpha-1.10/alpha.h": b"newest"})

    def test_a_package_that_is_listed_but_gone_from_the_mirror_is_passed_over(self):
        self.only_alpha()
        self.offer(("alpha", "1.9-1", None), ("alpha", "1.8-1", self.alpha_bytes("1.8", b"there")))
        process = self.succeed()
        self.assertIn("alpha 1.9-1 is listed but can't be downloaded", process.err)
        self.assertEqual(self.tree("cache"), {"alpha-1.8/alpha.h": b"there"})

    def test_the_locked_package_with_another_hash_is_an_error(self):
        self.only_alpha()
        self.offer(("alpha", "1.5-1", self.alpha_bytes("1.5", b"changed")),
                   ("alpha", "1.8-1", self.alpha_bytes("1.8", b"fine")))
        self.assertIn("the lock says " + self.sha256, self.fail_with())
        self.assertEqual(self.tree("cache"), {})

    def test_a_suite_that_fails_leaves_the_others_and_is_named_if_they_do_not_help(self):
        locked = self.only_alpha()
        self.offer(("alpha", "1.5-1", locked))
        failure = os.path.join(self.folder, "bin", "update-failure")
        with open(failure, "w", encoding="utf-8") as file:
            file.write("E: The repository 'next' is not signed.\n")
        self.succeed()
        os.remove(os.path.join(self.folder, "bin", "alpha.stanzas"))
        self.assertIn("(apt: E: The repository 'next' is not signed.)",
                      self.fail_with(cache="second"))

    def test_no_package_at_all_is_a_clean_error(self):
        self.only_alpha()
        self.offer(("alpha", "2.0-1", b"not accepted"))
        self.assertIn("alpha 1.5 can't be had from upstream nor from the suites now, next",
                      self.fail_with())

    def test_the_stamp_says_where_the_sources_came_from(self):
        self.succeed("--from", self.carried)
        path = os.path.join(self.folder, "cache", "alpha-1.5", ".mlrt-deps.json")
        with open(path, encoding="utf-8") as file:
            stamp = json.load(file)
        self.assertEqual((stamp["version"], stamp["sha256"], stamp["origin"]),
                         ("1.5", self.sha256, "package"))

    def test_a_deleted_cmake_file_is_written_again(self):
        self.succeed("--from", self.carried)
        path = self.succeed("--cmake").out.strip()
        os.remove(path)
        self.assertEqual(self.succeed("--cmake").out.strip(), path)
        self.assertTrue(os.path.isfile(path))


class UpstreamTest(unittest.TestCase):
    """fetch_upstream with the network replaced by a table of addresses."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.addresses = {"https://a.example/one-1.0.tar.gz": b"one",
                          "https://a.example/two-1.0.tar.gz": b"two",
                          "https://b.example/three-1.0.tar.gz": b"three"}
        self.asked = []

    def download(self, url, path):
        self.asked.append(url)
        if self.addresses[url] is None:
            raise OSError("connection reset")
        with open(path, "wb") as file:
            file.write(self.addresses[url])

    def fetch(self, sha256_of_one=hashlib.sha256(b"one").hexdigest(), unreachable=()):
        text = ""
        for name, host in (("one", "a"), ("two", "a"), ("three", "b")):
            sha256 = sha256_of_one if name == "one" else hashlib.sha256(name.encode()).hexdigest()
            text += SECTION.format(name=name, version="1.0", sha256="0" * 64, needs="x").replace(
                "package =", "upstream = https://%s.example/%s-1.0.tar.gz\n"
                "upstream_sha256 = %s\npackage =" % (host, name, sha256), 1)
        path = os.path.join(self.folder, "deps.lock")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        with mock.patch.object(deps_fetch, "download", self.download), \
                mock.patch.object(deps_fetch, "unreachable_hosts",
                                  lambda hosts: dict.fromkeys(hosts & set(unreachable),
                                                              "no answer")), \
                mock.patch.object(deps_fetch, "say", lambda text: self.said.append(text)):
            self.said = []
            return deps_fetch.fetch_upstream(deps_lock.Lock(path).dependencies, self.folder)

    def test_upstream_archives_are_taken_when_they_can_be_had(self):
        got = self.fetch()
        self.assertEqual(sorted(got), ["one", "three", "two"])
        self.assertEqual(got["one"][0]["origin"], "upstream")
        self.assertEqual(got["one"][0]["archive"], "one-1.0.tar.gz")
        self.assertEqual(self.said, [])

    def test_a_wrong_hash_is_an_error_and_never_a_reason_to_look_elsewhere(self):
        with self.assertRaisesRegex(deps_lock.DepsError,
                                    "https://a.example/one-1.0.tar.gz: its SHA-256 is"):
            self.fetch(sha256_of_one="1" * 64)

    def test_an_unreachable_host_is_not_asked(self):
        self.assertEqual(sorted(self.fetch(unreachable=["a.example"])), ["three"])
        self.assertEqual(self.asked, ["https://b.example/three-1.0.tar.gz"])
        self.assertEqual(len(self.said), 1)
        self.assertIn("a.example can't be reached (no answer)", self.said[0])

    def test_a_host_that_fails_in_a_download_is_not_asked_again(self):
        self.addresses["https://a.example/one-1.0.tar.gz"] = None
        self.assertEqual(sorted(self.fetch()), ["three"])
        self.assertNotIn("https://a.example/two-1.0.tar.gz", self.asked)
        self.assertIn("connection reset", self.said[0])


class VersionTest(unittest.TestCase):
    def test_a_package_version_is_read_as_its_upstream_version(self):
        for text, expected in [("5.4.9-2", (5, 4, 9)), ("1:1.3.dfsg+really1.3.2-4", (1, 3, 2)),
                               ("0.41.0+ds-3", (0, 41, 0)), ("3.6.6-0.1~deb13u1", (3, 6, 6)),
                               ("3.12.0.really.3.11.3-3", (3, 11, 3)), ("4", (4,))]:
            with self.subTest(text):
                self.assertEqual(deps_lock.version_key(text), expected)


if __name__ == "__main__":
    unittest.main()
