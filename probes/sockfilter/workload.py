"""
19 events between two network namespaces, seen where they leave and arrive on one interface: 11 DNS queries, of names that are
hostile or none, and 4 connections, each with its SYN and SYN-ACK. Answers, other packets and other ports are none of them.
"""

import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, sys.argv[1])
from packets import ip, place
from workload import expect, own_network, scope, shown

HERE, THERE = ("10.99.7.1", "fd99::1"), ("10.99.7.2", "fd99::2")
PORT = 29000


def query(name, kind, flags=0x0100, questions=1):
    return struct.pack("!6H", 4660, flags, questions, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


def labels(*parts):
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def peer():
    """A process in a namespace of its own, until this one ends: the other end of the interface."""
    text = "import socket,sys\nkept=[]\n"
    for family, address in zip(("AF_INET", "AF_INET6"), THERE):
        text += "s=socket.socket(socket.%s);s.bind(('%s',%d));s.listen(9);kept.append(s);print(1,flush=True)\n" % (family, address, PORT)
    held = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while os.stat("/proc/%d/ns/net" % held.pid).st_ino == os.stat("/proc/self/ns/net").st_ino:
        pass
    ip("link", "add", "er0", "type", "veth", "peer", "name", "er1", "netns", str(held.pid))
    inside = ["nsenter", "--net=/proc/%d/ns/net" % held.pid]
    for words, addresses, name in (([], HERE, "er0"), (inside, THERE, "er1")):
        for address, bits, more in ((addresses[0], 24, []), (addresses[1], 64, ["nodad"])):
            subprocess.run(words + ["ip", "addr", "add", "%s/%d" % (address, bits), "dev", name] + more, check=True)
        subprocess.run(words + ["ip", "link", "set", name, "up"], check=True)
    listening = subprocess.Popen(inside + [sys.executable, "-c", text + "sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in THERE:
        listening.stdout.readline()
    return held, listening


def ask(out, data, name, kind):
    out.sendto(data, (THERE[out.family == socket.AF_INET6], 53))
    of = socket.AF_INET6 == out.family
    expect(
        event="dns",
        interface="er0",
        direction="egress",
        family=6 if of else 4,
        saddr=HERE[of],
        daddr=THERE[of],
        sport=out.getsockname()[1],
        dport=53,
        id=4660,
        name=name,
        type=kind,
    )


def main():
    own_network()
    ends = peer()
    place("er0")
    scope(("interface", ["er0"]))
    four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    four.bind((HERE[0], PORT))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.bind((HERE[1], PORT))
    hostile = b'a\n1\t2"\\\x1f\xff\x01z'
    longest = [b"x" * 63, b"y" * 63, b"z" * 63, b"w" * 61]
    ask(four, query(labels(b"www", b"example", b"com"), 1), "www.example.com", "A")
    ask(six, query(labels(b"www", b"example", b"com"), 28), "www.example.com", "AAAA")
    ask(four, query(labels(), 2), ".", "NS")
    ask(four, query(labels(hostile, b"com"), 16), shown(hostile + b".com", 253), "TXT")
    ask(six, query(labels(*longest), 65), b".".join(longest).decode(), "HTTPS")
    ask(four, query(labels(b"one"), 4000), "one", "UNKNOWN_4000")
    # A dot within a label would look like two labels, a NUL like the end.
    ask(four, query(labels(b"evil.com", b"org"), 1), None, "A")
    ask(four, query(labels(b"a\0b", b"org"), 1), None, "A")
    # Compressed, without an end, longer than the packet says.
    ask(four, query(b"\xc0\x0c", 1), None, None)
    ask(four, query(b"\x3f" * 300, 1), None, None)
    ask(four, query(b"\x05ab", 1), None, None)
    # An answer, a status request, no question, another port, too short: no queries.
    for data, port in ((query(labels(b"no"), 1, 0x8180), 53), (query(labels(b"no"), 1, 0x1000), 53), (query(b"", 1, questions=0), 53), (query(labels(b"no"), 1), 54), (b"12345", 53)):
        four.sendto(data, (THERE[0], port))
    for number, (family, at) in enumerate(((socket.AF_INET, 0), (socket.AF_INET6, 1)) * 2):
        stream = socket.socket(family, socket.SOCK_STREAM)
        stream.bind((HERE[at], PORT + 1 + number))
        stream.connect((THERE[at], PORT))
        mine, other = (HERE[at], PORT + 1 + number), (THERE[at], PORT)
        for kind, way, source, target in (("syn", "egress", mine, other), ("syn-ack", "ingress", other, mine)):
            expect(
                event="handshake",
                interface="er0",
                direction=way,
                family=6 if at else 4,
                saddr=source[0],
                sport=source[1],
                daddr=target[0],
                dport=target[1],
                kind=kind,
            )
        stream.send(b"x")
        stream.close()
    for end in ends:
        end.stdin.close()
        end.wait(timeout=20)


main()
