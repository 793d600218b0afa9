"""DHCPv4 over DHCPv6 (RFC 7341): kea-dhcp6 hands a client's DHCPv4 message to kea-dhcp4, and the answer back."""

from rig.configs import SUBNET6
from rig.dhcp4 import DISCOVER, OFFER, Message4, hex_bytes
from rig.dhcp6 import CLIENT_PORT, Message6, Port6, link_local
from rig.kea import Kea, hook
from rig.recorder import Recorder

DHCPV4_QUERY, DHCPV4_RESPONSE, DHCPV4_MESSAGE = 20, 21, 87
MAC = "02:00:00:00:00:46"
PORT = {"dhcp4o6-port": 6767}
SUBNET = {**PORT, "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10 - 192.0.2.20"}],
                               "4o6-interface": "vs", "4o6-subnet": "2001:db8::/64"}]}
POINTS = ["buffer4_receive", "pkt4_receive", "leases4_committed", "pkt4_send"]


def test_addresses_are_those_of_the_packet_around_it(link, tmp_path):
    recorder = Recorder(tmp_path)
    with Kea(6, {**SUBNET6, **PORT}, tmp_path / "6"), Kea(4, SUBNET, tmp_path / "4", [hook(recorder.script, hook_points=POINTS)]):
        port = Port6(link, link_local(MAC), CLIENT_PORT)
        discover = Message4(hex_bytes(MAC), [(53, bytes([DISCOVER]))])
        query = Message6(DHCPV4_QUERY, [(DHCPV4_MESSAGE, discover.pack())], transid=0)
        port.send(query)
        answer = port.receive(0)
        port.close()
        calls = recorder.wait(3)
    assert answer.type == DHCPV4_RESPONSE and Message4.unpack(answer.option(DHCPV4_MESSAGE)).type == OFFER
    assert [call.hook for call in calls] == ["buffer4_receive", "pkt4_receive", "pkt4_send"]
    for call in calls:
        assert call["KEA_QUERY4_REMOTE_ADDRESS"] == link_local(MAC)
        # kea-dhcp6 does not pass on to which address the packet came.
        assert call["KEA_QUERY4_LOCAL_ADDRESS"] == "::"
        assert call["KEA_QUERY4_REMOTE_PORT"] == str(CLIENT_PORT)
    assert calls[2]["KEA_RESPONSE4_REMOTE_ADDRESS"] == link_local(MAC)
