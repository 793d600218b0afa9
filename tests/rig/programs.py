"""Scripts in C, for what a shell would be too slow to do thousands of times, and a hook library; the sources are in tests/programs."""

import os
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "programs"


def compiled(name, directory):
    """Compiles tests/programs/<name>.c; returns the program's path."""
    program = Path(directory) / name
    subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", program,
                    SOURCES / f"{name}.c"], check=True)
    return program


def library(name, directory):
    """Compiles the hook library tests/programs/<name>.cc; returns its path."""
    kea = os.environ.get("KEA_INCLUDE", "/usr/include/kea")
    target = Path(directory) / f"{name}.so"
    subprocess.run(["c++", "-std=c++17", f"-isystem{kea}", "-shared", "-fPIC", "-o", target,
                    SOURCES / f"{name}.cc"], check=True)
    return target
