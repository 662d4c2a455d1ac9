"""29 connects: 23 on loopback (IPv4, IPv6, v4-mapped, refused, and two of a process with a hostile name), and six into a network
that is silent or says that it does not go on there; and two that cannot be, which not every variant sees."""

import errno
import os
import select
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, enter, expect, linked_networks, own_ports, reach, rename, scope, setting, sh, shown, unlink_networks, variant

BASE = own_ports(21000, 300, 3)
V4, V6, CLOSED = BASE, BASE + 1, BASE + 2
source = BASE + 100
NAME = "ec%d" % os.getpid()


def told(outcome):
    """What an event says of it: only the tracepoints follow a connection, and where no variant is named, the plan takes one."""
    follows = {"tracepoint": True, "rawtracepoint": True, "": None}.get(variant(), False)
    return {"any": [outcome, None]} if follows is None else outcome if follows else None


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
        outcome=told(outcome),
    )


def never(family, here, there):
    """TCP reaches no broadcast or multicast address, and says so before the socket has any address but the one it is bound to."""
    sock = socket.socket(family)
    sock.bind((here, 0))
    port = sock.getsockname()[1]
    try:
        sock.connect((there, V4))
    except OSError as error:
        result = {"code": -error.errno, "name": errno.errorcode[error.errno]}
    sock.close()
    expect(laddr=here, lport=port, raddr=there, rport=V4, pid=os.getpid(), result=result)


def asking(here, port, there):
    sock = socket.socket(socket.AF_INET6 if ":" in here else socket.AF_INET)
    sock.bind((here, port))
    sock.setblocking(False)
    sock.connect_ex((there, V4))
    return sock


def distant():
    """From each of two addresses: one that is never answered, one that the router on the way sends back, and one given up."""
    here, router = ("10.97.0.1", "fd97::1"), ("10.97.0.2", "fd97::2")
    silent, beyond = ("10.97.0.3", "fd97::3"), ("10.96.0.1", "fd96::1")
    netns = linked_networks(NAME, *zip(here, router))
    setting("ipv4/tcp_syn_retries", 1)
    setting("ipv4/tcp_syn_linear_timeouts", 0)
    reach(router[1])
    for via, alone, there in zip(router, silent, beyond):
        sh("ip", "neigh", "add", alone, "lladdr", "02:00:00:00:00:03", "dev", NAME + "v", "nud", "permanent")
        sh("ip", "route", "add", there, "via", via)
        sh("ip", "-n", NAME + "b", "route", "add", "unreachable", there)

    def forward():
        enter(NAME + "b")
        setting("ipv4/ip_forward", 1)
        setting("ipv6/conf/all/forwarding", 1)

    child(forward)
    waiting = select.poll()
    kept = []
    for at, mine in enumerate(here):
        asks = {"timed-out": silent[at], "unreachable": beyond[at], "aborted": silent[at]}
        for number, (outcome, there) in enumerate(asks.items()):
            port = source + 100 + number
            sock = asking(mine, port, there)
            expect(pid=os.getpid(), tid=os.getpid(), netns={"any": [netns, None]}, family=6 if ":" in mine else 4, laddr=mine, lport=port, raddr=there, rport=V4, result={"code": 0, "name": "OK"}, outcome=told(outcome))
            if outcome == "aborted":
                sock.close()
            else:
                waiting.register(sock, 0)
                kept.append(sock)
    # The kernel gives up by itself three seconds after the first SYN. It tells of an error before that.
    for _ in range(300):
        if sum(what & select.POLLHUP != 0 for _, what in waiting.poll(0)) == len(kept):
            break
        time.sleep(0.1)
    for sock in kept:
        sock.close()


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
    never(socket.AF_INET, "127.0.0.2", "127.255.255.255")
    never(socket.AF_INET6, "::1", "ff0e::1")
child(hostile)
try:
    child(distant)
finally:
    unlink_networks(NAME)
