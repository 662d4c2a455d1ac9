"""23 connects on loopback: IPv4, IPv6, v4-mapped, refused, and two of a process with a hostile name; and one that cannot be."""

import errno
import os
import socket
import sys

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, rename, scope, shown, variant

BASE = int(sys.argv[2]) if len(sys.argv) > 2 else 21000
V4, V6, CLOSED = BASE, BASE + 1, BASE + 2
source = BASE + 100


def listener(family, address, port):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(64)
    return sock


def connect(family, address, port, shown_as, comm):
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, source))
    outcome = "established"
    try:
        sock.connect((address, port))
    except ConnectionRefusedError:
        outcome = "refused"
    sock.close()
    expect(
        pid=os.getpid(),
        tid=os.getpid(),
        uid=os.getuid(),
        comm=comm,
        netns=os.stat("/proc/self/ns/net").st_ino,
        family=6 if ":" in shown_as else 4,
        laddr=shown_as,
        lport=source,
        raddr=shown_as,
        rport=port,
        result={"code": 0, "name": "OK"},
        outcome={"any": [outcome, None]},
    )


def unreachable():
    """TCP reaches no broadcast address, and says so before the socket has any address but the one it is bound to."""
    sock = socket.socket()
    sock.bind(("127.0.0.2", 0))
    port = sock.getsockname()[1]
    try:
        sock.connect(("127.255.255.255", V4))
    except OSError as error:
        result = {"code": -error.errno, "name": errno.errorcode[error.errno]}
    sock.close()
    expect(laddr="127.0.0.2", lport=port, raddr="127.255.255.255", rport=V4, pid=os.getpid(), result=result)


def hostile():
    global source
    source += 50
    rename(HOSTILE)
    for _ in range(2):
        connect(socket.AF_INET, "127.0.0.1", V4, "127.0.0.1", shown(HOSTILE, 15))


servers = [listener(socket.AF_INET, "127.0.0.1", V4), listener(socket.AF_INET6, "::1", V6)]
scope(("rport", [V4, V6, CLOSED]))
me = open("/proc/self/comm").read().strip()
for _ in range(7):
    connect(socket.AF_INET, "127.0.0.1", V4, "127.0.0.1", me)
for _ in range(5):
    connect(socket.AF_INET6, "::1", V6, "::1", me)
for _ in range(3):
    connect(socket.AF_INET6, "::ffff:127.0.0.1", V4, "127.0.0.1", me)
for _ in range(4):
    connect(socket.AF_INET, "127.0.0.1", CLOSED, "127.0.0.1", me)
for _ in range(2):
    connect(socket.AF_INET6, "::1", CLOSED, "::1", me)
# The tracepoints see no connect() that fails so early.
if variant() in ("fexit", "kprobe", "bcc"):
    unreachable()
child(hostile)
