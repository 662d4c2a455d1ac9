"""Resets on loopback: closed ports, zero linger, unread data, IPv4 and IPv6. 31 events, 37 where those without a socket are seen."""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, own_ports, rename, scope, shown, tracepoint_fields, variant

BASE = own_ports(int(sys.argv[2]) if len(sys.argv) > 2 else 25000)
V4, V6, CLOSED, HALF = BASE, BASE + 1, BASE + 2, BASE + 3
source = BASE + 10
# Before 6.10 the tracepoint tells neither a reason nor of resets without a socket; the functions below it do the latter.
has_reason = "reason" in tracepoint_fields("tcp:tcp_send_reset")
sees_all = has_reason or variant() in ("fentry", "kprobe", "bcc")
netns = os.stat("/proc/self/ns/net").st_ino
me = open("/proc/self/comm").read().strip()


def listener(family, address, port):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(64)
    return sock


def client(family, address):
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, source))
    return sock


def mine(comm):
    """The owner: who connected."""
    return {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": "socket"}


# Who accepted is known or null, never somebody else.
def accepted(pid):
    return {"pid": {"any": [pid, None]}}


def both(address):
    return {"netns": netns, "laddr": address, "raddr": address, "family": 6 if ":" in address else 4}


def because(*reasons):
    return {"reason": {"any": list(reasons)} if has_reason and variant() != "kprobe" else None}


def refused(family, address):
    sock = client(family, address)
    try:
        sock.connect((address, CLOSED))
    except ConnectionRefusedError:
        pass
    sock.close()
    expect(direction="received", lport=source, rport=CLOSED, state="SYN_SENT", reason=None, **mine(me), **both(address))
    if sees_all:
        expect(direction="sent", lport=CLOSED, rport=source, state=None, pid=None, comm=None, owner_from=None,
               **because("NO_SOCKET", "NOT_SPECIFIED"), **both(address))


def abort(server, family, address, comm, how, parent):
    sock = client(family, address)
    port = server.getsockname()[1]
    sock.connect((address, port))
    peer, _ = server.accept()
    if how == "linger":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        peer.sendall(b"never read")
        time.sleep(0.02)
    sock.close()
    time.sleep(0.02)
    peer.close()
    expect(direction="sent", lport=source, rport=port, state="CLOSE", **mine(comm), **both(address),
           **because("NOT_SPECIFIED", "TCP_ABORT_ON_CLOSE" if how == "unread" else "TCP_DISCONNECT_WITH_DATA", "TCP_ABORT_ON_LINGER", "TCP_STATE"))
    expect(direction="received", lport=port, rport=source, state="ESTABLISHED", reason=None, **accepted(parent), **both(address))


def hostile():
    global source
    source += 20
    rename(HOSTILE)
    for _ in range(2):
        abort(servers[0], socket.AF_INET, "127.0.0.1", shown(HOSTILE, 15), "linger", os.getpid())


def half_closed():
    """A reset is sent. The other end is in TIME_WAIT by now, and no socket gets it, or on a slow machine in FIN_WAIT2: only the sender is looked at."""
    server = listener(socket.AF_INET, "127.0.0.1", HALF)
    sock = client(socket.AF_INET, "127.0.0.1")
    sock.connect(("127.0.0.1", HALF))
    peer, _ = server.accept()
    peer.close()
    time.sleep(0.02)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    expect(direction="sent", lport=source, rport=HALF, state="CLOSE", **mine(me), **both("127.0.0.1"))


servers = [listener(socket.AF_INET, "127.0.0.1", V4), listener(socket.AF_INET6, "::1", V6)]
ports = [V4, V6, CLOSED]
scope(("rport", [*ports, HALF]), ("lport", ports if sees_all else [V4, V6]))
for _ in range(4):
    refused(socket.AF_INET, "127.0.0.1")
for _ in range(2):
    refused(socket.AF_INET6, "::1")
for _ in range(7):
    abort(servers[0], socket.AF_INET, "127.0.0.1", me, "linger", os.getpid())
for _ in range(3):
    abort(servers[1], socket.AF_INET6, "::1", me, "unread", os.getpid())
child(hostile)
half_closed()
