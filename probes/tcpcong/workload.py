"""29 changes of congestion state, each provoked by what the far side answers: duplicates, silence, a congestion mark."""

import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from peer import ACK, ECE, FAR, NEAR, Cable, Connection, setting, tcp_info, until
from workload import HOSTILE, child, expect, own_network, rename, scope, shown

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 33000
STATES = ["Open", "Disorder", "CWR", "Recovery", "Loss"]
netns = own_network()
# What is lost is judged by what we answer alone: no spurious time-outs found out, congestion marks taken.
setting("ipv4/tcp_frto", 0)
setting("ipv4/tcp_ecn", 1)
cable = Cable()
me = open("/proc/self/comm").read().strip()
source = PORT + 100


class Watched:
    """A connection whose changes are expected, with bounds for how long each state lasted."""

    def __init__(self, link, sock, began, owner):
        self.link, self.sock, self.owner = link, sock, owner
        self.state = "Open"
        # The state began between these two.
        self.began = (began, time.monotonic_ns())
        # What was acknowledged, apart from what was taken.
        self.acked = link.ack
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The first segment after a handshake changes the window, and so duplicates nothing.
        self.write()
        self.acknowledge()

    def expect(self, new, since):
        link, now = self.link, time.monotonic_ns()
        expect(netns=netns, family=link.family, laddr=NEAR[link.family], lport=link.near_port, raddr=FAR[link.family],
               rport=link.far_port, old_state=self.state, new_state=new,
               duration_ns={"between": [max(0, since - self.began[1]), now - self.began[0]]}, **self.owner)
        self.began = (since, now)
        self.state = new

    def become(self, new, act):
        """What is done makes the state another one."""
        since = time.monotonic_ns()
        act()
        until(lambda: STATES[tcp_info(self.sock)["ca_state"]] == new, new)
        self.expect(new, since)

    def write(self, count=1):
        """Segments from the kernel's side, which are not acknowledged yet."""
        for _ in range(count):
            self.sock.send(b"x" * 100)
            self.link.data()

    def acknowledge(self, flags=0):
        self.acked = self.link.ack
        self.link.send(ACK | flags)

    def duplicate(self):
        self.link.send(ACK, ack=self.acked)

    def beyond(self):
        """Without SACK, Recovery and Loss last until something newer than what was out then is acknowledged."""
        self.acknowledge()
        until(lambda: tcp_info(self.sock)["unacked"] == 0, "an acknowledgement")
        self.write()
        self.become("Open", self.acknowledge)

    def disorder(self):
        self.write(5)
        self.become("Disorder", self.duplicate)
        self.become("Open", self.acknowledge)

    def recovery(self):
        self.write(5)
        self.become("Disorder", self.duplicate)
        self.duplicate()
        self.become("Recovery", self.duplicate)
        self.beyond()

    def loss(self):
        self.become("Loss", self.write)
        self.beyond()

    def cwr(self):
        self.write()
        self.become("CWR", lambda: self.acknowledge(ECE))
        self.write()
        self.become("Open", self.acknowledge)

    def end(self):
        since = time.monotonic_ns()
        self.link.reset(self.sock)
        # The reset is taken at once, or soon.
        time.sleep(0.2)
        self.expect(None, since)


def connected(family, comm):
    global source
    source += 1
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic" if family == 6 else b"reno")
    sock.bind((NEAR[family], source))
    link = Connection(cable, family, source, PORT)
    began = time.monotonic_ns()
    link.answer(sock, 0.02, flags=ECE)
    return Watched(link, sock, began, {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": "socket"})


def accepted():
    """A connection from the far side. Who accepted is known or null, never somebody else."""
    server = socket.socket()
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    server.bind((NEAR[4], PORT + 1))
    server.listen()
    link = Connection(cable, 4, PORT + 1, PORT + 2)
    began = time.monotonic_ns()
    link.open()
    link.send(ACK)
    sock, _ = server.accept()
    return Watched(link, sock, began, {"pid": {"any": [os.getpid(), None]}})


def everything(family, comm):
    one = connected(family, comm)
    for step in (one.disorder, one.recovery, one.loss, one.cwr, one.end):
        step()


def hostile():
    global source
    source += 20
    rename(HOSTILE)
    one = connected(4, shown(HOSTILE, 15))
    one.disorder()
    one.loss()
    one.end()


scope(("netns", [netns]))
everything(4, me)
everything(6, me)
child(hostile)
passive = accepted()
passive.recovery()
passive.end()
# Nothing changes here, and nothing is told.
calm = connected(4, me)
calm.write()
calm.acknowledge()
calm.link.reset(calm.sock)
