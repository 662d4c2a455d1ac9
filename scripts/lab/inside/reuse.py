"""Sockets whose addresses are used again: six processes in two network namespaces, all on one CPU, make 240 short connections to
two servers, each from a source address of its own, so the address tells whose connection an event is of.

Usage: reuse.py INSIDE.
"""

import os
import socket
import struct
import sys

sys.path.insert(0, sys.argv[1])
from workload import at_least, enter, linked_networks, others, rename, rule, scope, sh, unlink_networks

NAME = "eu%d" % os.getpid()
PORT = 26500
EACH = 40
ENDS = {"a": "10.97.0.1", "b": "10.97.0.2"}
# Where a process is, and from which address it connects.
CLIENTS = [("a", "10.97.0.11"), ("a", "10.97.0.12"), ("a", "10.97.0.13"), ("a", "10.97.0.14"), ("b", "10.97.0.21"), ("b", "10.97.0.22")]


def start(place, name, task):
    """A child in a namespace, which waits for a byte, and its end of the line."""
    mine, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        mine.close()
        try:
            enter(NAME + place)
            rename(name)
            task(its)
            os._exit(0)
        finally:
            os._exit(1)
    its.close()
    return mine, pid


def server(place):
    def run(line):
        listening = socket.socket()
        listening.bind((ENDS[place], PORT))
        listening.listen(64)
        line.sendall(b"!")
        listening.settimeout(1)
        while True:
            try:
                accepted = listening.accept()[0]
            # Python 3.9's is not TimeoutError yet.
            except socket.timeout:
                line.setblocking(False)
                try:
                    if line.recv(1) == b"":
                        return
                except BlockingIOError:
                    pass
                continue
            accepted.settimeout(5)
            try:
                accepted.recv(1)
            except OSError:
                pass
            accepted.close()

    return run


def client(place, address):
    there = ENDS["b" if place == "a" else "a"]

    def run(line):
        line.sendall(b"!")
        line.recv(1)
        for number in range(EACH):
            sock = socket.socket()
            sock.bind((address, 0))
            sock.connect((there, PORT))
            # Every other one ends with a reset, and its memory is free at once.
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    return run


def main():
    os.sched_setaffinity(0, {0})
    here = linked_networks(NAME, (ENDS["a"], ENDS["b"]))
    netns = {"a": here, "b": os.stat("/run/netns/" + NAME + "b").st_ino}
    for place, address in CLIENTS:
        sh("ip", "-n", NAME + place, "addr", "add", address + "/24", "dev", NAME + ("v" if place == "a" else "w"))
    scope(("netns", list(netns.values())))
    servers = [(place, *start(place, b"reuse-server-%s" % place.encode(), server(place))) for place in ENDS]
    clients = [(place, address, *start(place, b"reuse-%d" % at, client(place, address))) for at, (place, address) in enumerate(CLIENTS)]
    for *_, line, _ in [*servers, *clients]:
        line.recv(1)
    for *_, line, _ in clients:
        line.sendall(b"!")
    for at, (place, address, _, pid) in enumerate(clients):
        os.waitpid(pid, 0)
        mine = {"pid": pid, "comm": "reuse-%d" % at, "owner_from": "socket"}
        rule({"netns": netns[place], "laddr": address, "rport": PORT}, **mine)
        at_least(netns=netns[place], laddr=address, rport=PORT, **mine)
    for place, line, pid in servers:
        # What was started later has a copy of this end, so to close it is not enough.
        line.shutdown(socket.SHUT_RDWR)
        os.waitpid(pid, 0)
        # One that has ended before accept() is nobody's; connections of clients have this address on the other side.
        rule({"netns": netns[place], "laddr": ENDS[place], "lport": PORT}, pid={"any": [pid, None]})
        at_least(netns=netns[place], laddr=ENDS[place], lport=PORT, pid=pid)
    others()


try:
    main()
finally:
    unlink_networks(NAME)
