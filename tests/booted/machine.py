"""A booted Debian, as tests/vm makes it: its package, Kea's units and profiles, a client on a wire."""

import json
import re
import subprocess
import time
from pathlib import Path

from rig.net import Link

FILES = Path("/srv/vm")
PACKAGE = next(FILES.glob("build/kea-hook-runscript_*.deb"))
DOC = Path("/usr/share/doc/kea-hook-runscript")
ROUTES = DOC / "examples/ipv6-prefix-delegation"
SOCKET = "/run/kea-runscript/prefix-routes.sock"
SCRIPT = "/usr/share/kea/scripts/prefix-routes.sh"
LIBRARY = next(Path("/usr/lib").glob("*/kea/hooks/libdhcp_lease_cmds.so")).with_name("kea-hook-runscript.so")
EXEC = "include if exists <abstractions/kea-hook-runscript-exec>"
PATIENCE = 90    # seconds: the processor may be emulated


def sh(command, **how):
    """What a shell command prints; it has to succeed."""
    done = subprocess.run(command, shell=True, text=True, capture_output=True, **how)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def fails(command):
    return subprocess.run(command, shell=True, capture_output=True).returncode != 0


def wait_until(condition, what, patience=PATIENCE):
    until = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < until, f"{what() if callable(what) else what} did not come within {patience} s"
        time.sleep(0.1)
    return result


def unit(family):
    return f"kea-dhcp{family}-server"


def log(name):
    """Of a unit, since its last start."""
    invocation = sh(f"systemctl show -P InvocationID {name}").strip()
    return sh(f"journalctl -o cat --no-pager -u {name} _SYSTEMD_INVOCATION_ID={invocation}")


def said(family, message):
    return re.findall(rf" RUNSCRIPT_{message} (.*)", log(unit(family)))


def start(family, served=True):
    """Starts Kea, which has to serve then, or not to."""
    subprocess.run(["systemctl", "restart", unit(family)], capture_output=True)

    def decided():
        text = log(unit(family))
        if f"DHCP{family}_STARTED" in text:
            return "served"
        return "refused" if "RUNSCRIPT_LOAD_REFUSED" in text or f"DHCP{family}_INIT_FAIL" in text else None
    found = wait_until(decided, lambda: f"a start of Kea: {log(unit(family))[-3000:]}")
    assert (found == "served") == served, log(unit(family))[-3000:]


def configure(family=6, **parameters):
    """Kea's configuration: the example's, with other parameters of the library's if there are some."""
    config = json.loads(re.sub(r"^ *//.*$", "", (ROUTES / "kea-dhcp6.conf").read_text(), flags=re.M))["Dhcp6"]
    config["control-socket"] = {"socket-type": "unix", "socket-name": f"/run/kea/kea{family}-ctrl-socket"}
    if family == 4:
        config["subnet4"] = [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10 - 192.0.2.250"}]}]
        del config["subnet6"]
    if parameters:
        named = {name.replace("_", "-"): value for name, value in parameters.items()}
        config["hooks-libraries"] = [{"library": str(LIBRARY), "parameters": named}]
    Path(f"/etc/kea/kea-dhcp{family}.conf").write_text(json.dumps({f"Dhcp{family}": config}))


def service(name, script, **parameters):
    """A service of a program's own, by its name."""
    Path("/etc/kea-runscript").mkdir(exist_ok=True)
    Path(f"/etc/kea-runscript/{name}.json").write_text(json.dumps({"script": str(script), **parameters}))
    sh(f"systemctl enable --now kea-runscript@{name}.socket; systemctl try-restart kea-runscript@{name}.service")
    return f"/run/kea-runscript/{name}.sock"


def drop_in(name, text):
    """Of a service, until `undo`."""
    place = Path(f"/etc/systemd/system/{name}.service.d/vm.conf")
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_text(f"[Service]\n{text}\n")
    sh("systemctl daemon-reload")
    return place


def undo(place):
    place.unlink()
    sh("systemctl daemon-reload")


def status(family):
    """What runscript-status says of the one script."""
    text = sh(f"kea-runscript status --format json /run/kea/kea{family}-ctrl-socket")
    return json.loads(text)[0]["status"]["scripts"][0]


def score(name):
    """systemd's own: 0 is nothing, 10 all."""
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", sh(f"systemd-analyze security --no-pager {name}"))[1])


def rules(family):
    """Kea's profile as the kernel has it: its rules, without what is in the text alone."""
    text = sh(f"apparmor_parser --preprocess /etc/apparmor.d/usr.sbin.kea-dhcp{family}")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def has_locals():
    """Whether Kea's profiles include their local additions: not on Debian 12."""
    return "local/usr.sbin.kea-dhcp4" in Path("/etc/apparmor.d/usr.sbin.kea-dhcp4").read_text()


def add_rule(family, line):
    """To a profile, as README.Debian and the library's refusal say; the file and the line are theirs."""
    local = Path(f"/etc/apparmor.d/local/usr.sbin.kea-dhcp{family}")
    if has_locals():
        local.write_text(local.read_text() + line + "\n" if local.exists() else line + "\n")
    else:
        profile = Path(f"/etc/apparmor.d/usr.sbin.kea-dhcp{family}")
        head, end, tail = profile.read_text().rpartition("}")
        profile.write_text(f"{head}  {line}\n{end}{tail}")
    sh("systemctl reload apparmor")


def remove_rule(family, line):
    for place in [f"local/usr.sbin.kea-dhcp{family}", f"usr.sbin.kea-dhcp{family}"]:
        file = Path("/etc/apparmor.d") / place
        if file.exists():
            file.write_text("".join(one for one in file.read_text().splitlines(True) if one.strip() != line))
    sh("systemctl reload apparmor")


def denied():
    """What AppArmor has kept Kea from; it looks at its own control group where systemd runs it."""
    lines = sh("journalctl -k -o cat --no-pager").splitlines()
    return [line for line in lines if 'apparmor="DENIED"' in line and 'profile="kea-dhcp' in line and '/cgroup"' not in line]


def routes():
    rows = json.loads(sh("ip -json -6 route show protocol 67"))
    return {row["dst"]: row.get("gateway") for row in rows}


def forget_routes():
    sh("ip -6 route flush protocol 67")


def wire():
    """Kea listens at eth0."""
    sh("ip link del eth0 2>/dev/null || true")
    return Link(server="eth0")
