"""How scripts/deps turns an archive into a source folder of the cache."""

import gzip
import json
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib

from deps_lock import STAMP, DepsError, ending_of, say, write_whole

UNPACKED_LIMIT_BYTES = 1 << 30
UNPACKED_LIMIT_FILES = 100000


def members_of(path, ending):
    """Yields (name, is executable, a function that opens it) for each regular file.

    Links and devices are left out: none of the sources needs them, and they are how an archive
    reaches outside of its folder."""
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                mode = info.external_attr >> 16
                if not info.is_dir() and (mode == 0 or stat.S_IFMT(mode) in (0, stat.S_IFREG)):
                    yield info.filename, bool(mode & 0o100), lambda i=info: archive.open(i)
    else:
        with tarfile.open(path, "r|*") as archive:
            for info in archive:
                if info.isreg():
                    yield info.name, bool(info.mode & 0o100), lambda i=info: archive.extractfile(i)


def unpack(path, ending, keep, target):
    """Unpacks the wanted parts of an archive, without its top folder, into an empty folder."""
    total = count = 0
    for name, executable, open_member in members_of(path, ending):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or "\\" in name or ".." in parts:
            raise DepsError("%s: the path '%s' in it leads outside" % (path, name))
        parts = parts[1:]
        inner = "/".join(parts)
        if not parts or (keep and not any(inner == k or inner.startswith(k + "/") for k in keep)):
            continue
        out_path = os.path.join(target, *parts)
        os.makedirs(os.path.dirname(out_path), exist_ok=True)
        with open_member() as source, open(out_path, "wb") as out:
            for block in iter(lambda: source.read(1 << 20), b""):
                total += len(block)
                if total > UNPACKED_LIMIT_BYTES:
                    raise DepsError("%s unpacks to more than %d bytes"
                                    % (path, UNPACKED_LIMIT_BYTES))
                out.write(block)
        os.chmod(out_path, 0o755 if executable else 0o644)
        count += 1
        if count > UNPACKED_LIMIT_FILES:
            raise DepsError("%s holds more than %d files" % (path, UNPACKED_LIMIT_FILES))


def make_amalgamation(tree, work, target):
    """Makes sqlite3.c and its headers from SQLite's full source tree.

    These are the steps of its main.mk for the target sqlite3.c, with the same result to the byte.
    They are run here because they then need nothing but a C compiler: no make, and no Tcl (the tree
    brings a small one along)."""
    compiler = os.environ.get("MLRT_HOST_CC") or next(
        (name for name in ("cc", "gcc", "clang", "c99") if shutil.which(name)), None)
    if not compiler:
        raise DepsError("making SQLite's amalgamation needs a C compiler (cc): install gcc")

    def run(command, input_bytes=None):
        result = subprocess.run(command, cwd=work, input=input_bytes, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, check=False,
                                stdin=None if input_bytes is not None else subprocess.DEVNULL)
        if result.returncode != 0:
            text = result.stderr.decode("utf-8", "replace").strip().splitlines()
            raise DepsError("making SQLite's amalgamation: %s failed: %s"
                            % (os.path.basename(command[0]), (text or ["no message"])[-1]))
        return result.stdout

    def top(*parts):
        return os.path.join(tree, *parts)

    def put(name, data):
        with open(os.path.join(work, name), "wb") as file:
            file.write(data)

    def get(path):
        with open(path, "rb") as file:
            return file.read()

    def compile_tool(name, source, *flags):
        run([compiler, "-O1", "-w", *flags, "-o", os.path.join(work, name), source])
        return os.path.join(work, name)

    # mksourceid and src-verify are found in the working folder by the scripts that use them.
    jimsh = compile_tool("jimsh", top("autosetup/jimsh0.c"), "-DHAVE_REALPATH", "-DJIM_COMPAT")
    compile_tool("mksourceid", top("tool/mksourceid.c"))
    compile_tool("src-verify", top("tool/src-verify.c"))
    lemon = compile_tool("lemon", top("tool/lemon.c"))
    keywords = compile_tool("mkkeywordhash", top("tool/mkkeywordhash.c"))
    shutil.copy(top("tool/lempar.c"), work)
    shutil.copy(top("src/parse.y"), work)
    run([lemon, "-S", "parse.y"])
    shutil.copy(top("ext/fts5/fts5parse.y"), work)
    run([lemon, "-S", "fts5parse.y"])
    put("keywordhash.h", run([keywords]))
    put("opcodes.h", run([jimsh, top("tool/mkopcodeh.tcl")],
                         get(os.path.join(work, "parse.h")) + get(top("src/vdbe.c"))))
    put("opcodes.c", run([jimsh, top("tool/mkopcodec.tcl"), "opcodes.h"]))
    run([jimsh, top("ext/fts5/tool/mkfts5c.tcl")])
    run([jimsh, top("tool/mkctimec.tcl")])
    run([jimsh, top("tool/mkpragmatab.tcl")])
    run([jimsh, top("tool/mksqlite3h.tcl"), tree, "-o", "sqlite3.h"])

    # The amalgamation is assembled from a flat copy of all sources, made and given.
    flat = os.path.join(work, "tsrc")
    os.mkdir(flat)
    for folder in ("src", "ext/fts3", "ext/icu", "ext/rtree", "ext/session", "ext/rbu", "ext/misc",
                   "ext/fts5"):
        for name in sorted(os.listdir(top(folder))):
            if name.endswith((".c", ".h")):
                shutil.copy(top(folder, name), flat)
    for name in ("parse.c", "parse.h", "opcodes.c", "opcodes.h", "keywordhash.h", "ctime.c",
                 "pragma.h", "fts5.c", "sqlite3.h"):
        shutil.copy(os.path.join(work, name), flat)
    shutil.copy(top("ext/fts5/fts5.h"), flat)
    put("tsrc/vdbe.c", run([jimsh, top("tool/vdbe-compress.tcl")], get(top("src/vdbe.c"))))
    run([jimsh, top("tool/mksqlite3c.tcl")])
    for name in ("sqlite3.c", "sqlite3.h", "tsrc/sqlite3ext.h"):
        shutil.copy(os.path.join(work, name), target)
    shutil.copy(top("LICENSE.md"), target)


def install(dependency, record, path, cache):
    """Unpacks an archive into the cache: beside its place first, then in one rename."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=".unpack-") as work:
        new = os.path.join(work, "new")
        os.mkdir(new)
        ending = ending_of(record["archive"])
        try:
            unpack(path, ending, dependency.keep, new)
            if dependency.name == "sqlite" and not os.path.exists(os.path.join(new, "sqlite3.c")):
                say("making SQLite's amalgamation")
                tree, made = os.path.join(work, "tree"), os.path.join(work, "made")
                os.rename(new, tree)
                os.mkdir(new)
                os.mkdir(made)
                make_amalgamation(tree, made, new)
        except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError,
                gzip.BadGzipFile) as error:
            raise DepsError("%s can't be unpacked: %s" % (record["archive"], error))
        if not os.path.isfile(os.path.join(new, dependency.needs)):
            raise DepsError("%s holds no %s: it is not the source of %s"
                            % (record["archive"], dependency.needs, dependency.name))
        write_whole(os.path.join(new, STAMP), json.dumps(record, indent=1, sort_keys=True) + "\n")
        archives = os.path.join(cache, "archives")
        os.makedirs(archives, exist_ok=True)
        kept = os.path.join(archives, record["archive"])
        if not (os.path.exists(kept) and os.path.samefile(kept, path)):
            shutil.copyfile(path, kept + ".tmp")
            os.replace(kept + ".tmp", kept)
        final = os.path.join(cache, record["dir"])
        if os.path.exists(final):
            os.rename(final, os.path.join(work, "old"))
        os.rename(new, final)
    names = {"upstream": "upstream's archive", "package": "the distribution's source package"}
    say("%s %s from %s" % (record["name"], record["version"],
                           names.get(record["origin"], "another version's source package")))
