"""The system's packages that building and testing need, installed when missing."""
import functools
import os
import shutil
import subprocess

# Debian's names. A machine with a C++ compiler, CMake and Python 3 has nothing else to begin with.
GROUPS = {
    "build": ["g++", "cmake", "ninja-build", "ccache", "ca-certificates", "xz-utils", "bzip2"],
    "lint": ["clang-format-14", "clang-tidy-14", "git"],
    "arm64": ["g++-aarch64-linux-gnu", "qemu-user"],
    # What a program that uses the single header needs, as README says.
    "header": ["liblua5.4-dev", "libsqlite3-dev", "zlib1g-dev", "libyaml-dev", "nlohmann-json3-dev", "libmbedtls-dev"],
    "tools": ["unzip", "zip", "sqlite3", "curl", "binutils", "zsh", "fish"],
    "interop": ["python3-venv"],
    "bench": ["lua5.4"],
}


class Missing(Exception):
    pass


def installed(package):
    answer = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package],
                            capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == "installed"


@functools.lru_cache
def update_lists(prefix):
    subprocess.run([*prefix, "apt-get", "update", "-qq"], check=True)


def need(*groups):
    """Installs what is missing of the groups. Throws Missing where that cannot be done."""
    if shutil.which("dpkg-query") is None:
        return  # not Debian: the build says what it lacks
    missing = [p for group in groups for p in GROUPS[group] if not installed(p)]
    if not missing:
        return
    prefix = () if os.geteuid() == 0 else ("sudo",)
    if prefix and shutil.which("sudo") is None:
        raise Missing("these packages are missing, and there is neither root nor sudo to install them: "
                      + " ".join(missing))
    print("installing " + " ".join(missing), flush=True)
    update_lists(prefix)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run([*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
