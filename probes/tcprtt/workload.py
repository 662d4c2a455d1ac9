"""23 segments for connections of the kernel's side, answered after different delays; it tells its own RTT before each comes."""

import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from peer import ACK, FAR, NEAR, Cable, Connection, tcp_info, until
from workload import HOSTILE, child, expect, own_network, rename, scope, shown

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 31000
netns = own_network()
cable = Cable()
me = open("/proc/self/comm").read().strip()
source = PORT + 100


def end(family):
    """The kernel's side of a connection, bound to a port of its own."""
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((NEAR[6] if family == socket.AF_INET6 else NEAR[4], source))
    return sock


def answered(link, sock, delays, owner):
    """One byte from the kernel's side for each delay, acknowledged after it."""
    for delay in delays:
        sock.send(b"x")
        link.data()
        time.sleep(delay)
        rtt = tcp_info(sock)["rtt"]
        link.send(ACK)
        until(lambda: tcp_info(sock)["unacked"] == 0, "an acknowledgement")
        # The kernel tells whole microseconds and keeps eighths.
        expect(netns=netns, family=link.family, laddr=NEAR[link.family], lport=link.near_port, raddr=FAR[link.family],
               rport=link.far_port, srtt_ns={"between": [rtt * 1000, rtt * 1000 + 999]}, **owner)


def connected(kind, delays, comm, near=None):
    """The port from which the kernel's side connects is chosen by bind(), except that of a v4-mapped address."""
    sock = end(kind)
    link = Connection(cable, 6 if kind == socket.AF_INET6 else 4, source, PORT)
    link.answer(sock, delays[0], near=near)
    answered(link, sock, delays, {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": "socket"})
    link.reset(sock)


def mapped(delays, comm):
    global source
    source += 1
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.bind(("::", source))
    link = Connection(cable, 4, source, PORT)
    link.answer(sock, delays[0], near="::ffff:" + FAR[4])
    answered(link, sock, delays, {"pid": os.getpid(), "comm": comm, "owner_from": "socket"})
    link.reset(sock)


def accepted(delays):
    """A connection from the far side. Who accepted is known or null, never somebody else."""
    server = socket.socket()
    server.bind((NEAR[4], PORT + 1))
    server.listen()
    link = Connection(cable, 4, PORT + 1, PORT + 2)
    link.open()
    time.sleep(delays[0])
    link.send(ACK)
    sock, _ = server.accept()
    answered(link, sock, delays, {"pid": {"any": [os.getpid(), None]}})
    link.reset(sock)


def hostile():
    global source
    source += 20
    rename(HOSTILE)
    connected(socket.AF_INET, [0.002, 0.03, 0.001], shown(HOSTILE, 15))


scope(("netns", [netns]))
connected(socket.AF_INET, [0.001, 0.004, 0.016, 0.064, 0.128, 0.002, 0.001], me)
connected(socket.AF_INET6, [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002], me)
mapped([0.003, 0.009, 0.027], me)
accepted([0.015, 0.03, 0.06])
child(hostile)
