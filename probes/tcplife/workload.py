"""41 ends of 20 connections on loopback, and of one with itself: by either side, by resets and time-outs, after losses; 3 sockets that
were never connected must not be seen."""

import ctypes
import errno
import os
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, own_network, own_ports, rename, scope, shown, variant

# Not all variants tell the network namespace, so other runs of this have other ports.
BASE = own_ports(int(sys.argv[2]) if len(sys.argv) > 2 else 10000, size=200)
V4, V6, CLOSED, FULL, SELF = BASE, BASE + 1, BASE + 2, BASE + 3, BASE + 4
source = BASE + 100
MS = 1_000_000
# include/net/tcp_states.h
FIN_WAIT2 = 5


def told(value, blind):
    """A value that all variants tell but this one. Beside bcc's tool the variant is the plan's choice."""
    if variant() == blind:
        return None
    return value if variant() != "" else {"any": [value, None]}


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
    return sock


# Where nothing is lost: a slow machine probes for a lost tail that is only late.
FEW = {"between": [0, 2]}


class Connection:
    """Both ends of a connection: the one that connected, and the one that was accepted."""

    def __init__(self, active, passive, asked):
        self.active, self.passive = active, passive
        # It was established between these two moments.
        self.asked, self.stood = asked, time.monotonic_ns()
        self.used = self.stood
        self.ports = (active.getsockname()[1], active.getpeername()[1])
        self.address = active.getsockname()[0].replace("::ffff:", "")

    def talk(self, there, back):
        """Sends as many bytes there and back, and reads them."""
        for one, other, count in ((self.active, self.passive, there), (self.passive, self.active, back)):
            if count > 0:
                one.sendall(b"x" * count)
            while count > 0:
                count -= len(other.recv(count))
        self.used = time.monotonic_ns()

    def ended(self, end, state, outcome, sent, received, retransmits=FEW):
        lport, rport = self.ports if end == "active" else self.ports[::-1]
        now = time.monotonic_ns()
        with open("/proc/self/comm", "rb") as name:
            comm = shown(name.read()[:-1], 15)
        # Who accepted is known or null, never somebody else.
        who = {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": told("socket", "narrow")}
        # Without BTF nobody knows whose a socket is.
        who = {name: told(value, "addresses") for name, value in who.items()}
        if end == "passive":
            who = {name: {"any": [value, None]} for name, value in who.items()}
        expect(
            direction=end,
            netns=told(netns, "addresses"),
            family=6 if ":" in self.address else 4,
            laddr=self.address,
            lport=lport,
            raddr=self.address,
            rport=rport,
            state=told(state, "narrow"),
            outcome=told(outcome, "addresses"),
            duration_ns={"between": [max(1, self.used - self.stood), now - self.asked + 100 * MS]},
            sent=told(str(sent), "addresses"),
            received=told(str(received), "addresses"),
            retransmits=told(retransmits, "addresses"),
            srtt_us=told({"any": [{"between": [0, 5_000_000]}, None]}, "addresses"),
            **who,
        )


def connected(family, address, server):
    sock = client(family, address)
    asked = time.monotonic_ns()
    sock.connect((address, server.getsockname()[1]))
    return Connection(sock, server.accept()[0], asked)


def wait():
    time.sleep(0.05)


def retransmitted(sock):
    """What the kernel itself says: tcpi_total_retrans of TCP_INFO."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0]


def deaf(sock):
    """Nothing arrives any more: a classic BPF program that returns 0 drops each packet."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))


def hears_again(sock):
    sock.setsockopt(socket.SOL_SOCKET, 27, 0)


def closed(family, address, server, first, there=1000, back=50_000, pause=0.0):
    connection = connected(family, address, server)
    connection.talk(there, back)
    if pause > 0:
        time.sleep(pause)
        connection.used = time.monotonic_ns()
    last = "passive" if first == "active" else "active"
    getattr(connection, first).close()
    # Its other end goes on when it has seen the end.
    assert getattr(connection, last).recv(1) == b""
    getattr(connection, last).close()
    wait()
    sizes = {"active": (there, back), "passive": (back, there)}
    connection.ended(first, "FIN_WAIT2", "closed", *sizes[first])
    connection.ended(last, "LAST_ACK", "closed", *sizes[last])


def half_closed():
    """Data comes after this side has shut down."""
    connection = connected(socket.AF_INET, "127.0.0.1", servers[0])
    connection.talk(10, 0)
    connection.active.shutdown(socket.SHUT_WR)
    assert connection.passive.recv(1) == b""
    connection.talk(0, 7000)
    connection.passive.close()
    assert connection.active.recv(1) == b""
    connection.active.close()
    wait()
    connection.ended("active", "FIN_WAIT2", "closed", 10, 7000)
    connection.ended("passive", "LAST_ACK", "closed", 7000, 10)


def aborted(by, how):
    connection = connected(socket.AF_INET, "127.0.0.1", servers[0])
    connection.talk(100, 200)
    one = getattr(connection, by)
    other = "passive" if by == "active" else "active"
    unread = 0
    if how == "linger":
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        unread = 5
        getattr(connection, other).sendall(b"never")
        wait()
    one.close()
    wait()
    getattr(connection, other).close()
    sent, received = (100, 200) if by == "active" else (200, 100)
    connection.ended(by, "ESTABLISHED", "aborted", sent, received + unread)
    connection.ended(other, "ESTABLISHED", "reset", received + unread, sent)


def aborted_after_shutdown():
    """FIN_WAIT2, and then a reset all the same."""
    connection = connected(socket.AF_INET, "127.0.0.1", servers[0])
    connection.talk(30, 40)
    connection.active.shutdown(socket.SHUT_WR)
    # tcpi_state: until the other side has acknowledged it.
    while connection.active.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != FIN_WAIT2:
        time.sleep(0.01)
    connection.active.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.active.close()
    wait()
    connection.passive.close()
    connection.ended("active", "FIN_WAIT2", "aborted", 30, 40)
    connection.ended("passive", "CLOSE_WAIT", "reset", 40, 30)


def given_up():
    """The other end does not hear: data is sent again, in vain, until the user's time-out. What it sends later is answered by a reset."""
    connection = connected(socket.AF_INET, "127.0.0.1", servers[0])
    connection.talk(50, 60)
    deaf(connection.passive)
    connection.active.setsockopt(socket.IPPROTO_TCP, 18, 1000)
    connection.active.sendall(b"lost")
    try:
        connection.active.recv(1)
    except TimeoutError:
        pass
    connection.ended("active", "ESTABLISHED", "timed-out", 50, 60, retransmits={"between": [1, 9]})
    hears_again(connection.passive)
    connection.passive.close()
    wait()
    connection.ended("passive", "FIN_WAIT1", "reset", 60, 50)
    connection.active.close()


def sent_again():
    connection = connected(socket.AF_INET, "127.0.0.1", servers[0])
    connection.talk(500, 600)
    deaf(connection.passive)
    connection.active.sendall(b"x" * 1000)
    for _ in range(100):
        time.sleep(0.1)
        if retransmitted(connection.active) > 0:
            break
    hears_again(connection.passive)
    got = 0
    while got < 1000:
        got += len(connection.passive.recv(1000))
    wait()
    times = retransmitted(connection.active)
    if times == 0:
        raise SystemExit("nothing was sent again")
    close_in_turn(connection, 1500, 600, retransmits=times)


def late():
    """A full queue drops the first SYN; the second, a second later, finds room. The handshake is no part of the duration."""
    filler = client(socket.AF_INET, "127.0.0.1")
    begun = time.monotonic_ns()
    filler.connect(("127.0.0.1", FULL))
    sock = client(socket.AF_INET, "127.0.0.1")
    sock.setblocking(False)
    assert sock.connect_ex(("127.0.0.1", FULL)) == errno.EINPROGRESS
    time.sleep(0.3)
    asked = time.monotonic_ns()
    first = Connection(filler, full.accept()[0], begun)
    peer = full.accept()[0]
    sock.setblocking(True)
    connection = Connection(sock, peer, asked)
    connection.talk(3, 4)
    close_in_turn(connection, 3, 4, retransmits=1)
    close_in_turn(first, 0, 0)


def close_in_turn(connection, there, back, retransmits=FEW):
    connection.active.close()
    assert connection.passive.recv(1) == b""
    connection.passive.close()
    wait()
    connection.ended("active", "FIN_WAIT2", "closed", there, back, retransmits=retransmits)
    connection.ended("passive", "LAST_ACK", "closed", back, there)


def with_itself():
    """The port that it is bound to: both sides open, and close, at the same time."""
    sock = client(socket.AF_INET, "127.0.0.1", SELF)
    asked = time.monotonic_ns()
    sock.connect(("127.0.0.1", SELF))
    connection = Connection(sock, sock, asked)
    connection.talk(400, 300)
    sock.close()
    wait()
    connection.ended("active", "CLOSING", "closed", 700, 700)


def hostile():
    global source
    source += 50
    rename(HOSTILE)
    closed(socket.AF_INET, "127.0.0.1", servers[0], "active")


def never_were():
    """Refused, given up before an answer, and a listener that ends."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        sock = client(family, address)
        try:
            sock.connect((address, CLOSED))
        except ConnectionRefusedError:
            sock.close()
    listener(socket.AF_INET, "127.0.0.1", CLOSED).close()


netns = own_network()
ports = [V4, V6, CLOSED, FULL, SELF]
scope(("rport", ports), ("lport", ports))
servers = [listener(socket.AF_INET, "127.0.0.1", V4), listener(socket.AF_INET6, "::1", V6)]
full = listener(socket.AF_INET, "127.0.0.1", FULL, room=0)
for _ in range(4):
    closed(socket.AF_INET, "127.0.0.1", servers[0], "active")
for _ in range(2):
    closed(socket.AF_INET, "127.0.0.1", servers[0], "passive", there=0, back=100_000)
closed(socket.AF_INET6, "::1", servers[1], "active", pause=0.7)
closed(socket.AF_INET6, "::1", servers[1], "passive", back=0)
closed(socket.AF_INET6, "::ffff:127.0.0.1", servers[0], "active")
half_closed()
for by in ("active", "passive"):
    aborted(by, "linger")
    aborted(by, "unread")
aborted_after_shutdown()
never_were()
given_up()
sent_again()
late()
with_itself()
child(hostile)
