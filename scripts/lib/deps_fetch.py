"""Where scripts/deps gets archives from: upstream sites, apt's source packages, a carried folder.

Each way returns {name: (record, path of the archive)} and has checked every archive's hash."""

import os
import re
import shutil
import subprocess
import threading
import time

from deps_lock import (ARCHIVE_ENDINGS, DepsError, Lock, check_hash, ending_of, record_of, say,
                       version_key, version_text)

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
DOWNLOAD_LIMIT_S = 600
ARCHIVE_LIMIT_BYTES = 100 << 20
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


# ---- fetching: upstream ------------------------------------------------------------------------


def host_of(url):
    from urllib.parse import urlsplit

    return urlsplit(url).hostname


def download(url, path):
    """Downloads an address into a file. Raises OSError (URLError is one) if it can't be had."""
    from urllib.request import Request, urlopen

    deadline = time.monotonic() + DOWNLOAD_LIMIT_S
    request = Request(url, headers={"User-Agent": "mlrt-deps"})
    with urlopen(request, timeout=READ_TIMEOUT_S) as answer, open(path, "wb") as file:
        size = 0
        for block in iter(lambda: answer.read(1 << 16), b""):
            size += len(block)
            if size > ARCHIVE_LIMIT_BYTES:
                raise OSError("it is larger than %d bytes" % ARCHIVE_LIMIT_BYTES)
            if time.monotonic() > deadline:
                raise OSError("it took longer than %d s" % DOWNLOAD_LIMIT_S)
            file.write(block)


def unreachable_hosts(hosts):
    """Asks all hosts at once, so that a machine with no network waits for one timeout only."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    reasons = {host: "no answer within %d s" % CONNECT_TIMEOUT_S for host in hosts}

    def ask(host):
        try:
            urlopen(Request("https://%s/" % host, method="HEAD"), timeout=CONNECT_TIMEOUT_S).close()
            reasons.pop(host, None)
        except HTTPError:
            reasons.pop(host, None)
        except OSError as error:
            reasons[host] = str(getattr(error, "reason", error))

    # Threads, because looking up a host's name has no timeout of its own; daemons, because one that
    # still hangs in it must not hold up the end of this program.
    threads = [threading.Thread(target=ask, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return dict(reasons)


def fetch_upstream(dependencies, folder):
    """The records and files of what the upstream sites gave; a wrong hash is an error."""
    wanted = [dependency for dependency in dependencies if dependency.upstream]
    reasons = unreachable_hosts({host_of(dependency.upstream) for dependency in wanted})
    got = {}
    for dependency in wanted:
        host = host_of(dependency.upstream)
        if host in reasons:
            continue
        path = os.path.join(folder, "upstream-" + dependency.name)
        try:
            download(dependency.upstream, path)
        except OSError as error:
            reasons[host] = str(getattr(error, "reason", error))
            continue
        check_hash(path, dependency.upstream_sha256, dependency.upstream)
        ending = ending_of(dependency.upstream)
        got[dependency.name] = (
            record_of(dependency, dependency.version, "upstream", ending,
                      dependency.upstream_sha256), path)
    for host, reason in sorted(reasons.items()):
        say("%s can't be reached (%s): the distribution's source packages serve instead"
            % (host, reason))
    return got


# ---- fetching: the distribution's source packages ----------------------------------------------


class Apt:
    """apt with lists, cache and sources of its own: it needs no root and changes nothing."""

    def __init__(self, suites, folder):
        for tool in ("apt-get", "apt-cache"):
            if not shutil.which(tool):
                raise DepsError("no %s here to get source packages with: carry the archives over "
                                "with scripts/deps --to DIR and --from DIR" % tool)
        self.folder = folder
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, name))
        lines = ["Types: deb-src", "URIs: " + self.mirror(), "Suites: " + " ".join(suites),
                 "Components: main"]
        if os.path.exists(KEYRING):
            lines.append("Signed-By: " + KEYRING)
        with open(os.path.join(folder, "parts/mlrt.sources"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        # The machine's own hooks are cleared: they act on the system's package cache.
        settings = """
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb;
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{0}/parts";
Dir::State::Lists "{0}/lists";
Dir::Cache "{0}/cache";
APT::Sandbox::User "{1}";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
""".format(folder, "root" if os.geteuid() == 0 else "")
        self.config = os.path.join(folder, "apt.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(settings)
        result = self.run("apt-get", "update", "-q")
        # One suite that fails (not signed by a key known here, say) leaves the others to look in.
        self.update_failure = self.complaint(result) if result.returncode != 0 else None

    @staticmethod
    def mirror():
        """The address of the Debian archive that this machine uses, from apt's own settings."""
        listed = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            universal_newlines=True, check=False).stdout
        for line in listed.splitlines():
            origin, label, site = (line.split("|") + ["", ""])[:3]
            if origin == "Debian" and label == "Debian" and site:
                return site
        # A machine that never ran apt-get update has no release data yet: read the source lists.
        folder = "/etc/apt/sources.list.d"
        files = ["/etc/apt/sources.list"]
        if os.path.isdir(folder):
            files += sorted(os.path.join(folder, name) for name in os.listdir(folder))
        for path in files:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = re.sub(r"(?m)^\s*#.*$", "", file.read())
            except OSError:
                continue
            match = re.search(r"(?<!\S)(https?://[^\s\]]+/debian)/?(?!\S)", text)
            if match:
                return match.group(1)
        raise DepsError("apt knows no Debian archive on this machine: carry the archives over with "
                        "scripts/deps --to DIR and --from DIR")

    def run(self, tool, *arguments):
        environment = dict(os.environ, LC_ALL="C")
        return subprocess.run([tool, "-c", self.config, *arguments], cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, env=environment,
                              check=False)

    @staticmethod
    def complaint(result):
        lines = [line for line in result.stdout.splitlines() if line.startswith(("E:", "W:"))]
        return (lines or ["no message"])[0]

    def versions(self, package):
        """(Debian version, file name, SHA-256) of each version's main archive in the suites."""
        found = []
        text = self.run("apt-cache", "showsrc", "--only-source", package).stdout
        for stanza in text.split("\n\n"):
            version = re.search(r"(?m)^Version: (\S+)$", stanza)
            sums = re.search(r"(?m)^Checksums-Sha256:\n((?: .*\n?)+)", stanza)
            if not version or not sums:
                continue
            for line in sums.group(1).splitlines():
                words = line.split()
                if len(words) == 3 and re.fullmatch(
                        re.escape(package) + r"_[^_]+\.orig\.tar\.(gz|xz|bz2)", words[2]):
                    found.append((version.group(1), words[2], words[0]))
        return sorted(set(found), key=lambda item: version_key(item[0]), reverse=True)

    def get(self, package, version, file_name):
        """Downloads one version's archive; apt checks it. Its path, or None if it is gone."""
        self.run("apt-get", "-q", "source", "--download-only", "--tar-only", "--only-source",
                 "%s=%s" % (package, version))
        path = os.path.join(self.folder, file_name)
        return path if os.path.isfile(path) else None


def fetch_packages(dependencies, suites, folder):
    """The records and files of the source packages of all these dependencies."""
    apt = Apt(suites, folder)
    got = {}
    for dependency in dependencies:
        listed = apt.versions(dependency.package)
        for version, file_name, sha256 in listed:
            if version == dependency.package_version and sha256 != dependency.package_sha256:
                raise DepsError("%s of %s %s: the suites give the SHA-256 %s, the lock says %s"
                                % (file_name, dependency.package, version, sha256,
                                   dependency.package_sha256))
        same = [item for item in listed if item[2] == dependency.package_sha256]
        other = [item for item in listed if item not in same and dependency.accepts(item[0])]
        for version, file_name, sha256 in same + other:
            path = apt.get(dependency.package, version, file_name)
            if not path:
                say("%s %s is listed but can't be downloaded" % (dependency.package, version))
                continue
            check_hash(path, sha256, file_name)
            locked = sha256 == dependency.package_sha256
            if not locked:
                say("%s %s is gone from the suites: taking the newest there, %s"
                    % (dependency.package, dependency.package_version, version))
            shown = dependency.version if locked else version_text(version)
            got[dependency.name] = (
                record_of(dependency, shown, "package" if locked else "unlocked package",
                          ending_of(file_name), sha256), path)
            break
        else:
            why = " (apt: %s)" % apt.update_failure if apt.update_failure else ""
            raise DepsError("%s %s can't be had from upstream nor from the suites %s%s"
                            % (dependency.name, dependency.version, ", ".join(suites), why))
    return got


# ---- fetching: a folder carried over -----------------------------------------------------------


def fetch_folder(dependencies, source, unlocked):
    """The records and files of a folder that --to made; everything is checked against a lock."""
    carried = {}
    carried_path = os.path.join(source, "deps.lock")
    if not os.path.isdir(source):
        raise DepsError("%s is not a folder" % source)
    if os.path.exists(carried_path):
        carried = {dependency.name: dependency for dependency in Lock(carried_path).dependencies}
    got = {}
    for dependency in dependencies:
        choices = []
        if dependency.upstream:
            choices.append(record_of(dependency, dependency.version, "upstream",
                                     ending_of(dependency.upstream), dependency.upstream_sha256))
        for ending in ARCHIVE_ENDINGS:
            choices.append(record_of(dependency, dependency.version, "package", ending,
                                     dependency.package_sha256))
        foreign = carried.get(dependency.name)
        if foreign and foreign.package_sha256 != dependency.package_sha256:
            for ending in ARCHIVE_ENDINGS:
                choices.append(record_of(dependency, foreign.version, "unlocked package", ending,
                                         foreign.package_sha256))
        present = [choice for choice in choices
                   if os.path.isfile(os.path.join(source, choice["archive"]))]
        if not present:
            raise DepsError("%s is missing: scripts/deps --to DIR makes such a folder where there "
                            "is a network" % os.path.join(source, choices[0]["archive"]))
        record = present[0]
        path = os.path.join(source, record["archive"])
        check_hash(path, record["sha256"], path)
        if record["origin"] == "unlocked package":
            if not unlocked:
                raise DepsError("%s: only the lock in %s vouches for this version, not %s; "
                                "--unlocked takes it all the same" % (path, source, "this tree's"))
            say("%s %s is taken instead of the locked %s"
                % (dependency.name, record["version"], dependency.version))
        got[dependency.name] = (record, path)
    return got
