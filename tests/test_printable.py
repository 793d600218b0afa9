"""Text that a client chose: whatever it sends, the script reads one line of it, without what nobody sees or a terminal obeys."""

import subprocess
import unicodedata

import pytest

from rig.configs import SUBNET4, SUBNETS
from rig.dhcp4 import ACK, HOSTNAME, VENDOR_CLASS, Client4, NoAnswer, fqdn
from rig.dhcp6 import CLIENT_FQDN, REPLY, Client6
from rig.dhcp6 import VENDOR_CLASS as VENDOR_CLASS6
from rig.kea import Kea, hook
from rig.recorder import Recorder

# Separators of lines and paragraphs, marks that turn the direction of writing, what has no width, no character, private use.
HIDDEN = "\u2028\u2029\u202e\u061c\u2066\u200b\ufeff\uffff\ue000\U000e0001"
TEXT = f"a{HIDDEN}" + r"\x0a\b" + "é日"
SHOWN = r"\\x0a\\b" + "é日"    # its end, as a variable has it
PLAIN = "plain"

# Kea takes from a host name what is no letter, unless it is told not to.
NAMES = {"hostname-char-set": "", "ddns-send-updates": False}

UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
POINTS = {4: ["buffer4_receive", "pkt4_receive", "subnet4_select", "ddns4_update", "lease4_select", "leases4_committed"],
          6: ["pkt6_receive", "subnet6_select", "ddns6_update", "lease6_select", "leases6_committed"]}


def told(family, link, directory, options, served=True):
    """What a script is told of a client with these options, by hook point and variable."""
    directory.mkdir()
    recorder = Recorder(directory)
    config = {**SUBNETS[family], **NAMES}
    with Kea(family, config, directory, [hook(recorder.script, debug=True, hook_points=POINTS[family])]):
        if family == 6:
            with Client6(link, options=options) as client:
                assert client.sarr().type == REPLY
        elif served:
            assert Client4(link, options=options).dora().type == ACK
        else:
            with pytest.raises(NoAnswer):
                Client4(link, options=options).dora(timeout=0.5)
        calls = recorder.wait(1, f"leases{family}_committed" if served else None) and recorder.calls()
    return {(n, call.hook, name): value for n, call in enumerate(calls) for name, value in call.env.items()}


def hostname4(text):
    return [(VENDOR_CLASS, text.encode()), (HOSTNAME, text.encode())]


def fqdn4(text):
    return [(VENDOR_CLASS, text.encode()), fqdn(text)]


def options6(text):
    data = text.encode()
    tuple_of_it = len(data).to_bytes(2, "big") + data
    return [(VENDOR_CLASS6, b"\0\0\0\x09" + tuple_of_it), (CLIENT_FQDN, b"\0" + bytes([len(data)]) + data + b"\0")]


# Variables in which the text is.
QUOTING = {
    hostname4: {"KEA_QUERY4_OPTION60", "KEA_QUERY4_CLASSES", "KEA_LEASE4_HOSTNAME", "KEA_DDNS_HOSTNAME"},
    fqdn4: set(),
    options6: {"KEA_QUERY6_CLASSES"},
}


@pytest.mark.parametrize("family, options", [(4, hostname4), (4, fqdn4), (6, options6)], ids=["hostname4", "fqdn4", "v6"])
def test_hidden_text(link, tmp_path, family, options):
    plain = told(family, link, tmp_path / "plain", options(PLAIN))
    # Kea drops a packet whose option 81 is no domain name.
    seen = told(family, link, tmp_path / "hostile", options(TEXT), served=options is not fqdn4)
    for (n, point, name), value in seen.items():
        unseen = [c for c in value if unicodedata.category(c) in UNSEEN and c != "\n"]
        assert not unseen, f"{point} {name}: {value!r}"
        if (n, point, name) in plain:
            lines, usual = value.splitlines(), plain[n, point, name].splitlines()
            assert len(lines) <= max(len(usual), 1), f"{point} {name}: {value!r}"
    quoting = {name for (_, _, name), value in seen.items() if SHOWN in value}
    assert quoting >= QUOTING[options], quoting


def test_bash_gives_the_bytes_back(link, tmp_path):
    """As the docs say."""
    for n, text in enumerate([TEXT, PLAIN, r"\\", "\\", r"C:\new", "%s\\", "ends with \\x"]):
        [value] = {value for (*_, name), value in told(4, link, tmp_path / str(n), hostname4(text)).items()
                   if name == "KEA_QUERY4_OPTION60"}
        undone = subprocess.run(["bash", "-c", "printf %b \"$1\"", "bash", value], capture_output=True, check=True)
        assert undone.stdout == text.encode()


def test_json_stays_json(link, tmp_path):
    """Kea's own text of a lease's user context: a backslash is JSON's there."""
    recorder = Recorder(tmp_path)
    context = r'{ "said": "C:\\x0a" }'
    row = f"192.0.2.10,02:00:00:00:00:01,,3600,4000000000,1,0,0,,0,{context}"
    head = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context"
    kea = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=["lease4_renew"])])
    kea.lease_file.write_text(f"{head}\n{row}\n")
    with kea:
        assert Client4(link).dora().type == ACK
        [call, *_] = recorder.wait(1)
    assert call["KEA_LEASE4_USER_CONTEXT"] == context
