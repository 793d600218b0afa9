"""A wire with a server at one end and clients at the other.

        this namespace                    namespace of the clients
    kea-dhcp4/6 --- vs ======= veth ======= vc --- dhcpcd, perfdhcp, packets of our own making
"""

import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
from pathlib import Path

from .wait import wait_until

CLONE_NEWNET = 0x40000000
RTF_LOCAL = 0x80000000    # linux/ipv6_route.h
libc = ctypes.CDLL(None, use_errno=True)
counter = itertools.count(1)


def ip(commands, namespace=None):
    """Runs several `ip` commands, one a line."""
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input=commands, text=True, check=True)


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def no_address_detection():
    """Interfaces made from now on, in this namespace, have their IPv6 addresses at once, and stay silent."""
    conf = Path("/proc/sys/net/ipv6/conf/default")
    for name in ("accept_dad", "dad_transmits", "router_solicitations", "accept_ra"):
        (conf / name).write_text("0")


def wait_for_address(interface, start="fe80"):
    """Waits until an IPv6 address that starts so, in hexadecimal, is in use: the kernel shows an address some time before it has
    made the route to it, and drops what is sent there meanwhile."""
    def in_use():
        rows = (row.split() for row in Path("/proc/thread-self/net/ipv6_route").read_text().splitlines())
        return any(row[9] == interface and row[0].startswith(start) and int(row[8], 16) & RTF_LOCAL for row in rows)
    wait_until(in_use, f"an address {start}... of {interface}")


@contextlib.contextmanager
def inside(namespace):
    """This thread is in the network namespace of this name."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    away = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        setns(away)
        yield
    finally:
        setns(home)
        os.close(home)
        os.close(away)


class Link:
    """The two ends of the wire, up and with link-local addresses; `close` removes both."""

    def __init__(self, server="vs", client="vc", index=None, server4="192.0.2.1/24", client4="192.0.2.2/24",
                 server6="2001:db8::1/64", client6="2001:db8::2/64"):
        self.server, self.client = server, client
        self.server4 = server4.partition("/")[0]
        self.server_mac, self.client_mac = "02:00:5e:00:00:01", "02:00:5e:00:00:02"
        self.namespace = f"clients-{next(counter)}"
        self.wire4 = None    # what all DHCPv4 clients of this link share

        no_address_detection()
        ip(f"netns add {self.namespace}")
        with self.inside():
            no_address_detection()
        number = f"index {index}" if index else ""
        ip(f"link add {server} address {self.server_mac} {number} type veth"
           f" peer name {client} address {self.client_mac} netns {self.namespace}\n"
           f"addr add {server4} dev {server}\n"
           f"addr add {server6} dev {server} nodad\n"
           f"link set {server} up\n")
        ip("link set lo up\n"
           f"addr add {client4} dev {client}\n"
           f"addr add {client6} dev {client} nodad\n"
           f"link set {client} up\n", self.namespace)
        wait_for_address(server)
        with self.inside():
            wait_for_address(client)

    def close(self):
        if self.wire4:
            self.wire4.close()
        ip(f"link del {self.server}\nnetns del {self.namespace}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def inside(self):
        """This thread is among the clients: sockets opened here stay there."""
        return inside(self.namespace)

    def command(self, *argv):
        """The command line that runs a program among the clients."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, argv)]

    def raw_socket(self):
        """A socket that sends and sees whole IPv4 frames on the clients' interface."""
        ETH_P_IP = 0x0800
        with self.inside():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
            raw.bind((self.client, ETH_P_IP))
        return raw

    def udp6_socket(self, address, port):
        """A socket that sends from this link-local address, which the clients' interface is given."""
        ip(f"addr replace {address}/64 dev {self.client} nodad", self.namespace)
        with self.inside():
            wait_for_address(self.client, socket.inet_pton(socket.AF_INET6, address).hex())
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            scope = socket.if_nametoindex(self.client)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
            udp.bind((address, port, 0, scope))
        return udp
