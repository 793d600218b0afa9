"""Scripts in C, for what a shell would be too slow to do thousands of times, and a hook library; the sources are in tests/programs."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "programs"


def compiled(name, directory):
    """Compiles tests/programs/<name>.c; returns the program's path."""
    flags = "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"
    return Path(shutil.copy(made(name, f"{name}.c", "gcc", *flags), directory))


def library(name, directory, *flags):
    """Compiles the hook library tests/programs/<name>.cc; returns its path."""
    kea = os.environ.get("KEA_INCLUDE", "/usr/include/kea")
    return Path(shutil.copy(made(f"{name}.so", f"{name}.cc", "c++", "-std=c++17", f"-isystem{kea}", "-shared", "-fPIC", *flags),
                            directory))


@functools.cache
def made(name, source, *compiler):
    """In the /run that is ours; each test has a copy."""
    subprocess.run([*compiler, "-o", f"/run/{name}", SOURCES / source], check=True)
    return f"/run/{name}"
