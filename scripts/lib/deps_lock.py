"""The lock of scripts/deps: what it says, and what all parts of scripts/deps share."""

import configparser
import hashlib
import os
import re
import sys
import tempfile

# Part of every stamp: raise it when what is made from an archive changes.
RECIPE = "1"
STAMP = ".mlrt-deps.json"
ARCHIVE_ENDINGS = (".tar.gz", ".tar.xz", ".tar.bz2", ".zip")


class DepsError(Exception):
    """What went wrong, for the user, in one line."""


def say(text):
    print("deps: " + text, file=sys.stderr, flush=True)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path, text):
    """Writes a file so that a reader sees the old text or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".tmp-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def version_key(version):
    """An upstream version as numbers: "1:1.3.dfsg+really1.3.2-4" is (1, 3, 2)."""
    text = version.split(":", 1)[-1]
    if "-" in text:
        text = text.rsplit("-", 1)[0]
    text = text.split("really")[-1].lstrip(".").split("+")[0]
    numbers = []
    for part in text.split("."):
        match = re.match(r"\d+", part)
        if not match:
            break
        numbers.append(int(match.group()))
    return tuple(numbers)


def version_text(version):
    return ".".join(str(number) for number in version_key(version))


def ending_of(name):
    for ending in ARCHIVE_ENDINGS:
        if name.endswith(ending):
            return ending
    raise DepsError("%s: the archive is none of %s" % (name, ", ".join(ARCHIVE_ENDINGS)))


class Dependency:
    """One section of the lock."""

    def __init__(self, name, section, path):
        def need(key, pattern):
            value = section.get(key, "").strip()
            if not re.fullmatch(pattern, value):
                raise DepsError("%s: [%s] %s = '%s' is not valid" % (path, name, key, value))
            return value

        self.name = name
        self.version = need("version", r"\d+(\.\d+)*")
        self.package = need("package", r"[a-z0-9][a-z0-9.+-]+")
        self.package_version = need("package_version", r"[0-9][A-Za-z0-9.+:~-]*")
        self.package_sha256 = need("package_sha256", r"[0-9a-f]{64}")
        self.upstream = self.upstream_sha256 = None
        if "upstream" in section:
            self.upstream = need("upstream", r"https://\S+")
            self.upstream_sha256 = need("upstream_sha256", r"[0-9a-f]{64}")
        bounds = need("accept", r"[\d.]+\s+[\d.]+").split()
        self.accept_from, self.accept_below = version_key(bounds[0]), version_key(bounds[1])
        self.keep = section.get("keep", "").split()
        self.needs = need("needs", r"[\w./+-]+")

    def accepts(self, version):
        return self.accept_from <= version_key(version) < self.accept_below

    def variable(self):
        return re.sub(r"[^A-Z0-9]", "_", self.name.upper())


class Lock:
    def __init__(self, path):
        self.path = path
        parser = configparser.ConfigParser(interpolation=None)
        try:
            with open(path, "rb") as file:
                self.text = file.read()
            parser.read_string(self.text.decode("utf-8"), path)
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise DepsError("cannot read the lock %s: %s" % (path, str(error).replace("\n", " ")))
        self.suites = parser.get("debian", "suites", fallback="").split()
        self.dependencies = [
            Dependency(name, parser[name], path) for name in parser.sections() if name != "debian"
        ]

    def key(self):
        return hashlib.sha256(self.text + RECIPE.encode()).hexdigest()[:16]


def record_of(dependency, version, origin, ending, sha256):
    """What was taken: kept in the stamp of the source folder and in the cache's state."""
    mark = "" if origin == "upstream" else ".debian"
    return {
        "name": dependency.name,
        "version": version,
        "origin": origin,
        "archive": "%s-%s%s%s" % (dependency.name, version, mark, ending),
        "sha256": sha256,
        "dir": "%s-%s" % (dependency.name, version),
        "recipe": RECIPE,
    }


def check_hash(path, expected, shown):
    actual = sha256_of(path)
    if actual != expected:
        raise DepsError("%s: its SHA-256 is %s, the lock says %s" % (shown, actual, expected))
