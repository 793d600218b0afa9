"""Roots of the releases that package a Kea, each with this tree built in it: for tests/matrix and tests/vm.

They are made once, by debootstrap, below MATRIX_ROOTS (/var/cache/kea-hook-runscript unless set), and hold what was built there;
with them there, a second run installs and compiles nothing anew. Needs root.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = Path(os.environ.get("MATRIX_ROOTS", "/var/cache/kea-hook-runscript"))
SCRIPTS = Path("/usr/share/debootstrap/scripts")

# A mount namespace of its own, in which the root becomes /; all of it is gone when this program ends, kill -9 included.
ENTER = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", """
    root=$1 rust=$2 vendor=$3; shift 3
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount --bind "$rust" "$root/opt/rust"
    mount --bind "$vendor" "$root/opt/vendor"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    exec chroot "$root" "$@"
""", "enter"]


@dataclass
class Release:
    name: str
    is_ubuntu: bool = False
    # The release's own compiler of Rust if it is new enough (Cargo.toml, rust-version), else the one of this machine.
    own_rust: bool = False
    # Only compiled: its headers are worth a look, and its Kea behaves like a neighbour's.
    compile_only: bool = False
    cells: dict = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    skipped: set = field(default_factory=set)
    seconds: float = 0
    ok: bool = False

    @property
    def root(self):
        return ROOTS / self.name

    @property
    def log(self):
        return ROOTS / f"{self.name}.log"

    def run(self, *command, check=True):
        """Runs a command in the root, in the project's directory there."""
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path if self.own_rust else f"/opt/rust/bin:{path}", "HOME": "/root", "LANG": "C.UTF-8",
                       "CARGO_HOME": "/opt/cargo", "DEBIAN_FRONTEND": "noninteractive"}
        passed_on = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        inside = ["sh", "-c", 'cd /opt/project; exec "$@"', "sh", *map(str, command)]
        with open(self.log, "ab") as log:
            log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            return subprocess.run([*ENTER, self.root, rust(), ROOTS / "vendor", *inside], check=check, stdout=log,
                                  stderr=log, stdin=subprocess.DEVNULL, env={**passed_on, **environment}).returncode


BOOKWORM, TRIXIE, FORKY = Release("bookworm"), Release("trixie", own_rust=True), Release("forky", own_rust=True)
NOBLE = Release("noble", is_ubuntu=True, compile_only=True)
RELEASES = [BOOKWORM, TRIXIE, FORKY, NOBLE]


@cache
def rust():
    """Where this machine has its compiler."""
    return output("rustc", "--print", "sysroot").strip()


@cache
def mirror():
    """Debian's, as this machine's apt is configured."""
    targets = output("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    return next(target for target in targets if "security" not in target)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bootstrap(release):
    """Makes the root if it is not there yet."""
    if release.root.exists():
        return
    half = ROOTS / f"{release.name}.half"
    shutil.rmtree(half, ignore_errors=True)
    # A release newer than this machine's debootstrap is made like unstable. Ubuntu's mirror is debootstrap's own choice.
    script = next(name for name in [release.name, "gutsy" if release.is_ubuntu else "sid"] if (SCRIPTS / name).exists())
    components = "main,universe" if release.is_ubuntu else "main"
    keys = [f"--keyring={ubuntus_keys()}"] if release.is_ubuntu else []
    with open(release.log, "wb") as log:
        subprocess.run(["debootstrap", "--variant=minbase", f"--components={components}", *keys, release.name, half,
                        "" if release.is_ubuntu else mirror(), SCRIPTS / script], check=True, stdout=log, stderr=log)
    # How this machine reaches the archive is how the root does.
    settings = re.findall(r"^Acquire::(?:https?::|Check-).*$", output("apt-config", "dump"), re.M)
    (half / "etc/apt/apt.conf.d/80matrix").write_text("\n".join([*settings, ""]))
    for directory in ("rust", "vendor", "cargo", "project"):
        (half / "opt" / directory).mkdir()
    half.rename(release.root)


def ubuntus_keys():
    """As Debian packages them, from 13 on."""
    bootstrap(TRIXIE)
    keys = TRIXIE.root / "usr/share/keyrings/ubuntu-archive-keyring.gpg"
    if not keys.exists():
        TRIXIE.run("sh", "-c", "apt-get update -q; apt-get install -q -y --no-install-recommends ubuntu-archive-keyring")
    return keys


def vendor():
    """All crates in one directory: each cargo, old or new, finds them there, without a network."""
    directory = ROOTS / "vendor"
    directory.mkdir(exist_ok=True)
    subprocess.run(["cargo", "vendor", "--locked", "--quiet", directory], check=True, stdout=subprocess.DEVNULL,
                   cwd=REPOSITORY)


def copy_tree(release):
    """This tree as it is, without what was built. What has not changed keeps its time, so cargo does not build it anew."""
    project = release.root / "opt/project"
    for old in project.iterdir():
        if old.name != "target":
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    left_out = shutil.ignore_patterns("target", "build", ".git", "__pycache__")
    shutil.copytree(REPOSITORY, project, symlinks=True, ignore=left_out, dirs_exist_ok=True)
    (release.root / "opt/cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "vendor"\n[source.vendor]\ndirectory = "/opt/vendor"\n')


def build(release):
    """Installs what is missing, builds, and runs the tests that need no Kea."""
    say(f"{release.name}: log in {release.log}")
    started = time.monotonic()
    try:
        copy_tree(release)
        release.run("sh", "-c", "command -v make > /dev/null || { apt-get update -q; apt-get install -q -y "
                                f"--no-install-recommends make {'cargo rustc' if release.own_rust else ''}; }}")
        release.run("tests/setup", *(["build"] if release.compile_only else []))
        release.cells["Kea"] = version(release, "dpkg-query -W -f '${Version}' kea-dev")
        release.cells["Rust"] = version(release, "rustc --version | cut -d' ' -f2")
        release.run("make", "build")
        if not release.compile_only:
            release.run("make", "omapi")
            release.run("make", "unit", "deb")
        release.cells["build"] = f"{time.monotonic() - started:.0f} s"
        release.ok = True
    except (subprocess.CalledProcessError, OSError) as error:
        release.cells["build"] = "FAILED"
        reason = f"a command ended with {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else error
        say(f"{release.name}: {reason}; the end of {release.log}:\n{tail(release.log)}")


def version(release, command):
    release.run("sh", "-c", f"{command} > /tmp/version")
    return (release.root / "tmp/version").read_text().strip()


def chosen(names):
    """The releases of these names, or all, which nobody else is at work in until this program ends."""
    known = {release.name: release for release in RELEASES}
    if unknown := set(names) - set(known):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; the releases are: {', '.join(known)}")
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]} makes roots and mounts: run it as root")
    ROOTS.mkdir(parents=True, exist_ok=True)
    lock = open(ROOTS / "lock", "w")
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another program is at work in {ROOTS}: wait for it, or name another place with MATRIX_ROOTS=")
    # Held until the end.
    LOCKS.append(lock)
    return [known[name] for name in names] or RELEASES


LOCKS = []


def tail(file, size=6000):
    return file.read_bytes()[-size:].decode(errors="replace")


def say(text):
    print(text, flush=True)
