"""21 dropped segments, 19 where TCP's own refusals are not told of: closed ports, a socket's filter, bad checksums, a
neighbour that does not answer, segments out of any window. In a network namespace of its own."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, own_network, own_ports, rename, scope, shown, switches, tracepoint_fields, variant

# Ports of this run's own: another one's namespace may get the inode that this one's has.
BASE = own_ports(14000, size=100)
PORT, CLOSED, FILTERED, FORGED = BASE, BASE + 1, BASE + 2, BASE + 3
SYN, PSH_ACK = 2, 24
OUT_OF_WINDOW = ["TCP_INVALID_SEQUENCE", "TCP_OVERWINDOW", "TCP_OLD_SEQUENCE", "TCP_OLD_DATA", "TCP_INVALID_ACK_SEQUENCE",
                 "TCP_TOO_OLD_ACK", "TCP_ACK_UNSENT_DATA", "TCP_INVALID_END_SEQUENCE"]
fields = tracepoint_fields("skb:kfree_skb")
has_reason = "reason" in fields
has_socket = "rx_sk" in fields
source = BASE + 10


def drop(reasons, state, owner, **more):
    """One drop; a received one tells its socket from 6.11 on."""
    named = has_reason and variant() not in ("noreason", "narrow")
    where = {"netns": netns, "reason": {"any": reasons} if named else None}
    where["stack"] = {"contains": ["kfree_skb", "sk_skb_reason_drop"]} if "stack" in switches() else None
    expect(**more, **where, state=state, **owner)


nobody = {"pid": None, "comm": None, "uid": None, "owner_from": None}


def mine(comm):
    return {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": "socket"}


def known(comm):
    return mine(comm) if has_socket else nobody


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(lport, rport, flags, payload=b"", seq=1, good=True):
    """A TCP segment from rport to lport on 127.0.0.1, with or without a right checksum."""
    head = struct.pack("!HHIIBBHHH", rport, lport, seq, 1, 5 << 4, flags, 512, 0, 0)
    here = socket.inet_aton("127.0.0.1")
    pseudo = here + here + struct.pack("!BBH", 0, 6, len(head) + len(payload))
    total = checksum(pseudo + head + payload)
    if not good:
        total ^= 0x5555
    return head[:16] + struct.pack("!H", total) + head[18:] + payload


def send(data):
    # A socket of this protocol sends alone: no copy of anything waits for it.
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    here = socket.inet_aton("127.0.0.1")
    raw.sendto(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, 6, 0) + here + here + data, ("127.0.0.1", 0))
    raw.close()


def client(family, address):
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, source))
    return sock


# Options that say nothing: the kind of the next header, which the kernel fills in, the length, and six bytes to be skipped.
NO_OPTIONS = bytes([0, 0, 1, 4, 0, 0, 0, 0])


def refused(family, address, *extensions):
    sock = client(family, address)
    for each in extensions:
        sock.setsockopt(socket.IPPROTO_IPV6, each, NO_OPTIONS)
    try:
        sock.connect((address, CLOSED))
    except ConnectionRefusedError:
        pass
    sock.close()
    drop(["NO_SOCKET"], None, nobody, direction="received", family=6 if ":" in address else 4, laddr=address, raddr=address,
         lport=CLOSED, rport=source, tcp_flags="SYN")


def filtered(server):
    """A filter of the listening socket that takes nothing."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    server.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 1, ctypes.addressof(program)))
    sock = client(socket.AF_INET, "127.0.0.1")
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", FILTERED))
    time.sleep(0.1)
    sock.close()
    drop(["SOCKET_FILTER"], "LISTEN" if has_socket else None, known(me), direction="received", family=4, laddr="127.0.0.1",
         raddr="127.0.0.1", lport=FILTERED, rport=source, tcp_flags="SYN")


def unanswered(count, comm):
    """No such neighbour: what waits for its address is dropped."""
    socks = []
    for _ in range(count):
        sock = client(socket.AF_INET, "10.98.0.1")
        sock.setblocking(False)
        sock.connect_ex(("10.98.0.2", PORT))
        socks.append(sock)
        drop(["NEIGH_FAILED"], "SYN_SENT", mine(comm), direction="sent", family=4, laddr="10.98.0.1", raddr="10.98.0.2",
             lport=source, rport=PORT, tcp_flags="SYN")
    time.sleep(0.6)
    for sock in socks:
        sock.close()


def hostile():
    global source
    source += 20
    rename(HOSTILE)
    unanswered(2, shown(HOSTILE, 15))


def listener(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(8)
    return server


def sh(*words):
    subprocess.run(words, check=True)


netns = own_network()
ports = list(range(BASE, BASE + 100))
scope(("lport", ports), ("rport", ports))
sh("ip", "link", "add", "erv", "type", "veth", "peer", "name", "erw")
sh("ip", "addr", "add", "10.98.0.1/24", "dev", "erv")
for link in ("erv", "erw"):
    sh("ip", "link", "set", link, "up")
for name, value in (("retrans_time_ms", 100), ("mcast_solicit", 1)):
    with open("/proc/sys/net/ipv4/neigh/erv/" + name, "w") as file:
        file.write(str(value))
me = open("/proc/self/comm").read().strip()
server, deaf = listener(PORT), listener(FILTERED)
for _ in range(5):
    refused(socket.AF_INET, "127.0.0.1")
for _ in range(3):
    refused(socket.AF_INET6, "::1")
refused(socket.AF_INET6, "::1", socket.IPV6_DSTOPTS)
refused(socket.AF_INET6, "::1", socket.IPV6_HOPOPTS, socket.IPV6_DSTOPTS)
for _ in range(2):
    filtered(deaf)
for _ in range(3):
    send(segment(PORT, FORGED, SYN, good=False))
    drop(["TCP_CSUM"], None, nobody, direction="received", family=4, laddr="127.0.0.1", raddr="127.0.0.1", lport=PORT,
         rport=FORGED, tcp_flags="SYN")
time.sleep(0.3)
unanswered(2, me)
child(hostile)
stream = client(socket.AF_INET, "127.0.0.1")
stream.connect(("127.0.0.1", PORT))
peer, _ = server.accept()
for _ in range(2):
    send(segment(source, PORT, PSH_ACK, b"data", seq=12345))
    if has_reason:
        drop(OUT_OF_WINDOW, "ESTABLISHED" if has_socket else None, known(me), direction="received", family=4,
             laddr="127.0.0.1", raddr="127.0.0.1", lport=source, rport=PORT, tcp_flags="PSH|ACK")
time.sleep(0.3)
# A reset ends the connection: its last segments in TIME_WAIT would be told of as well.
stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
stream.close()
peer.close()
