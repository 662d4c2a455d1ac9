"""19 accepts on loopback, 4 more where the kernel has MPTCP: IPv4, IPv6, IPv4 on an IPv6 socket, a hostile name, a plain accept()."""

import ctypes
import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, own_network, rename, scope, shown

BASE = int(sys.argv[2]) if len(sys.argv) > 2 else 24000
V4, V6, DUAL, MPTCP = BASE, BASE + 1, BASE + 2, BASE + 3
IPPROTO_MPTCP = 262
ROOM = 11
source = BASE + 100


def listener(family, address, port, protocol=0):
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((address, port))
    sock.listen(ROOM)
    return sock


def plain_accept(server):
    descriptor = ctypes.CDLL(None, use_errno=True).accept(server.fileno(), None, None)
    assert descriptor >= 0
    return socket.socket(fileno=descriptor)


def by_accept4(server):
    return server.accept()[0]


def accept(server, count, family, address, comm, protocol=0, take=by_accept4, queue=True):
    """So many connections wait, then each is accepted."""
    global source
    port = server.getsockname()[1]
    clients, kept = [], []
    for _ in range(count):
        source += 1
        sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, source))
        sock.connect((address, port))
        clients.append(sock)
    time.sleep(0.2)
    for left in reversed(range(count)):
        # The queue's order is that in which the last ACKs were taken in, not that of the connects.
        peer = take(server)
        expect(
            pid=os.getpid(),
            tid=os.getpid(),
            uid=os.getuid(),
            comm=comm,
            netns=netns,
            family=6 if ":" in address else 4,
            laddr=address,
            lport=port,
            raddr=address,
            rport=peer.getpeername()[1],
            backlog=left if queue else {"any": [left, None]},
            backlog_max=ROOM if queue else {"any": [ROOM, None]},
            result={"code": 0, "name": "OK"},
        )
        kept.append(peer)
    for sock in clients + kept:
        sock.close()


def not_tcp():
    """What must not be seen: other families, and an accept that fails."""
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0er%d" % os.getpid())
    server.listen(1)
    client = socket.socket(socket.AF_UNIX)
    client.connect(server.getsockname())
    server.accept()
    socket.socketpair()
    servers[0].setblocking(False)
    try:
        servers[0].accept()
    except BlockingIOError:
        pass
    servers[0].setblocking(True)


def hostile():
    global source
    source += 50
    rename(HOSTILE)
    accept(servers[0], 2, socket.AF_INET, "127.0.0.1", shown(HOSTILE, 15))


netns = own_network()
scope(("netns", [netns]))
servers = [
    listener(socket.AF_INET, "127.0.0.1", V4),
    listener(socket.AF_INET6, "::1", V6),
    listener(socket.AF_INET6, "::", DUAL),
]
me = open("/proc/self/comm").read().strip()
not_tcp()
accept(servers[0], 7, socket.AF_INET, "127.0.0.1", me)
accept(servers[1], 5, socket.AF_INET6, "::1", me)
accept(servers[2], 3, socket.AF_INET, "127.0.0.1", me)
accept(servers[1], 2, socket.AF_INET6, "::1", me, take=plain_accept)
not_tcp()
child(hostile)
try:
    servers.append(listener(socket.AF_INET, "127.0.0.1", MPTCP, IPPROTO_MPTCP))
except OSError:
    pass
else:
    accept(servers[3], 4, socket.AF_INET, "127.0.0.1", me, protocol=IPPROTO_MPTCP, queue=False)
