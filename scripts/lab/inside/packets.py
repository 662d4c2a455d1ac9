"""Frames for the workloads of probes on network interfaces, and what such a probe must say of each."""

import json
import os
import socket
import struct
import subprocess
import sys

from workload import own_network

VLAN, QINQ, IPV4, IPV6, ARP, LLDP = 0x8100, 0x88A8, 0x0800, 0x86DD, 0x0806, 0x88CC
# What the kernel takes as a name: anything but a slash, a colon and white space.
HOSTILE_NAME = 'e"\\\x1b\x01é'


def place(*interfaces):
    """Says where the run must be attached, and waits until it is."""
    print(json.dumps({"place": place_words(*interfaces)}), flush=True)
    sys.stdin.readline()


def place_words(*interfaces):
    return ["--netns", "/proc/%d/ns/net" % os.getpid(), "--interface", ",".join(interfaces)]


def network(*pairs):
    """A network namespace of its own with pairs of connected interfaces, on which nobody but us says anything."""
    own_network()
    for name, peer in pairs:
        ip("link", "add", name, "type", "veth", "peer", "name", peer)
        for each in (name, peer):
            with open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % each, "w") as setting:
                setting.write("1")
            ip("link", "set", each, "up")


def ip(*words):
    subprocess.run(("ip",) + words, check=True)


def send(interface, frames):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((interface, 0))
        for frame in frames:
            out.send(frame)


def ethernet(kind, rest, tags=()):
    head = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01"
    return head + b"".join(struct.pack("!HH", tag, 7) for tag in tags) + struct.pack("!H", kind) + rest


def four(protocol, rest, source="192.0.2.1", fragment=0, options=b""):
    size = 20 + len(options) + len(rest)
    head = struct.pack("!BBHHHBBH", 0x40 | (5 + len(options) // 4), 0, size, 1, fragment, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton("192.0.2.2") + options + rest


def six(following, rest, source="2001:db8::1"):
    head = struct.pack("!IHBB", 6 << 28, len(rest), following, 64)
    addresses = [socket.inet_pton(socket.AF_INET6, each) for each in (source, "2001:db8::2")]
    return head + b"".join(addresses) + rest


def ports(source, destination):
    return struct.pack("!HHHH", source, destination, 8, 0) + bytes(16)


def extension(following, size=8):
    return struct.pack("!BB", following, size // 8 - 1) + bytes(size - 2)


def fragment(following, offset, more):
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 9)


def of_four(protocol, sport=None, dport=None, source="192.0.2.1"):
    return {"ethertype": "IPv4", "protocol": protocol, "family": 4, "saddr": source, "daddr": "192.0.2.2", "sport": sport, "dport": dport}


def of_six(protocol, sport=None, dport=None, source="2001:db8::1"):
    found = {"ethertype": "IPv6", "protocol": protocol, "saddr": source, "daddr": "2001:db8::2", "sport": sport, "dport": dport}
    return {**found, "family": None if source is None else 6}


def of_other(ethertype):
    nothing = dict.fromkeys(("protocol", "family", "saddr", "daddr", "sport", "dport"))
    return {"ethertype": ethertype, **nothing}


def frames():
    """20 frames, each with what must be said of it; `tagged` has a tag that the kernel takes off before tc."""
    udp, tcp = ports(1001, 53), ports(1002, 443)
    cut = four(17, udp)[:10]
    return [
        (ethernet(IPV4, four(17, udp)), of_four("UDP", 1001, 53), False),
        (ethernet(IPV4, four(6, tcp)), of_four("TCP", 1002, 443), False),
        (ethernet(IPV4, four(1, bytes(8))), of_four("ICMP"), False),
        (ethernet(IPV4, four(47, bytes(8), "198.51.100.7")), of_four("GRE", source="198.51.100.7"), False),
        (ethernet(IPV4, four(253, bytes(8))), of_four("UNKNOWN_253"), False),
        (ethernet(IPV4, four(6, tcp, options=b"\1" * 40)), of_four("TCP", 1002, 443), False),
        # The first fragment has the ports, a later one has bytes of the data in their place.
        (ethernet(IPV4, four(17, udp, fragment=0x2000)), of_four("UDP", 1001, 53), False),
        (ethernet(IPV4, four(17, udp, fragment=0x0003)), of_four("UDP"), False),
        (ethernet(IPV4, cut), {**of_other("IPv4")}, False),
        (ethernet(IPV4, four(17, b"\1")), of_four("UDP"), False),
        (ethernet(IPV4, four(17, udp), [VLAN]), of_four("UDP", 1001, 53), True),
        (ethernet(IPV4, four(17, udp), [QINQ, VLAN]), of_four("UDP", 1001, 53), True),
        (ethernet(IPV6, six(17, udp)), of_six("UDP", 1001, 53), False),
        (ethernet(IPV6, six(58, bytes(8), "::")), of_six("ICMPv6", source=None), False),
        (ethernet(IPV6, six(0, extension(60, 16) + extension(6) + tcp)), of_six("TCP", 1002, 443), False),
        (ethernet(IPV6, six(44, fragment(17, 0, 1) + udp)), of_six("UDP", 1001, 53), False),
        (ethernet(IPV6, six(44, fragment(17, 185, 0) + udp)), of_six("UDP"), False),
        (ethernet(IPV6, six(51, struct.pack("!BB", 17, 4) + bytes(22) + udp)), of_six("UDP", 1001, 53), False),
        (ethernet(ARP, bytes(28)), of_other("ARP"), False),
        (ethernet(0x9999, bytes(50)), of_other("UNKNOWN_39321"), False),
    ]
