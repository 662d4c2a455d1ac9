"""31 connects in a network of their own, with every outcome; 3 more whose SYN never leaves, which must not be seen."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, own_network, rename, scope, shown

BASE = int(sys.argv[2]) if len(sys.argv) > 2 else 30000
V4, V6, CLOSED, FULL, SELF = BASE, BASE + 1, BASE + 2, BASE + 3, BASE + 4
source = BASE + 100
SECOND = 1_000_000_000
begun = {}


def listener(family, address, port, room=64):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(room)
    return sock


def client(family, address, port=None):
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port or source))
    begun[sock] = time.monotonic_ns()
    return sock


def took(sock, remote, port, outcome, least=1):
    """At least as long as it must, at most as long as the socket has been there, and the moment that closing it takes."""
    most = time.monotonic_ns() - begun[sock] + SECOND // 2
    local = sock.getsockname()
    with open("/proc/thread-self/comm", "rb") as name:
        comm = shown(name.read()[:-1], 15)
    expect(
        pid=os.getpid(),
        tid=threading.get_native_id(),
        uid=os.getuid(),
        comm=comm,
        netns=netns,
        family=6 if ":" in remote else 4,
        laddr=local[0].replace("::ffff:", ""),
        lport=local[1],
        raddr=remote,
        rport=port,
        outcome=outcome,
        duration_ns={"between": [least, most]},
    )


def connect(family, address, port, shown_as):
    sock = client(family, address)
    outcome = "established"
    try:
        sock.connect((address, port))
    except ConnectionRefusedError:
        outcome = "refused"
    took(sock, shown_as, port, outcome)
    sock.close()


def to_itself():
    """The port that it is bound to: both sides open at the same time."""
    sock = client(socket.AF_INET, "127.0.0.1", SELF)
    sock.connect(("127.0.0.1", SELF))
    took(sock, "127.0.0.1", SELF, "established")


def begin(port, tries=6):
    sock = client(socket.AF_INET, "127.0.0.1")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, tries)
    sock.setblocking(False)
    assert sock.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
    return sock


def fails_at_once(sock, address, port, number):
    try:
        sock.connect((address, port))
    except OSError as error:
        if error.errno == number:
            return
    raise SystemExit("a connect should have failed with %s" % errno.errorcode[number])


def not_sent():
    """connect() that fails before a SYN leaves: no route, and a connection that is there already."""
    fails_at_once(socket.socket(), "10.98.0.1", V4, errno.ENETUNREACH)
    for _ in range(2):
        one = client(socket.AF_INET, "127.0.0.1")
        one.connect(("127.0.0.1", V4))
        took(one, "127.0.0.1", V4, "established")
        other = client(socket.AF_INET, "127.0.0.1", one.getsockname()[1])
        fails_at_once(other, "127.0.0.1", V4, errno.EADDRNOTAVAIL)


def by_full_queue():
    """A queue that is full drops SYNs: one is sent again after a second, when there is room; one is given up; two are aborted."""
    filler = client(socket.AF_INET, "127.0.0.1")
    filler.connect(("127.0.0.1", FULL))
    took(filler, "127.0.0.1", FULL, "established")
    given_up = begin(FULL, tries=1)
    for _ in range(2):
        aborted = begin(FULL)
        time.sleep(0.2)
        took(aborted, "127.0.0.1", FULL, "aborted", least=SECOND // 5)
        aborted.close()
    # After 1 s and 2 s more; with linear time-outs (6.5 and newer) it is less.
    time.sleep(5)
    took(given_up, "127.0.0.1", FULL, "timed-out", least=2 * SECOND)
    late = begin(FULL)
    time.sleep(0.3)
    full.accept()
    time.sleep(1.5)
    late.getpeername()
    took(late, "127.0.0.1", FULL, "established", least=SECOND * 9 // 10)


def unreachable():
    """Nobody answers to ARP: the machine tells itself by ICMP."""
    subprocess.run(["ip", "link", "add", "er0", "type", "veth", "peer", "name", "er1"], check=True)
    subprocess.run(["ip", "addr", "add", "10.99.0.1/24", "dev", "er0"], check=True)
    for name in ("er0", "er1"):
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    sock = client(socket.AF_INET, "10.99.0.1")
    fails_at_once(sock, "10.99.0.9", V4, errno.EHOSTUNREACH)
    took(sock, "10.99.0.9", V4, "unreachable", least=SECOND)


def hostile():
    global source
    source += 50
    rename(HOSTILE)
    for _ in range(2):
        connect(socket.AF_INET, "127.0.0.1", V4, "127.0.0.1")


netns = own_network()
scope(("netns", [netns]))
servers = [listener(socket.AF_INET, "127.0.0.1", V4), listener(socket.AF_INET6, "::1", V6)]
full = listener(socket.AF_INET, "127.0.0.1", FULL, room=0)
for _ in range(8):
    connect(socket.AF_INET, "127.0.0.1", V4, "127.0.0.1")
for _ in range(3):
    connect(socket.AF_INET6, "::1", V6, "::1")
for _ in range(2):
    connect(socket.AF_INET6, "::ffff:127.0.0.1", V4, "127.0.0.1")
for _ in range(4):
    connect(socket.AF_INET, "127.0.0.1", CLOSED, "127.0.0.1")
for _ in range(2):
    connect(socket.AF_INET6, "::1", CLOSED, "::1")
thread = threading.Thread(target=connect, args=(socket.AF_INET, "127.0.0.1", V4, "127.0.0.1"))
thread.start()
thread.join()
to_itself()
not_sent()
by_full_queue()
unreachable()
child(hostile)
