"""Whose connection: three processes on the CPU where packets arrive, with connections older than the run and newer ones.

Usage: owners.py INSIDE PROBE. It says {"ready": true} when the older ones stand, and goes on when the run is attached, which a
line on stdin tells. Then 13 connections and three that were accepted lose data (retrans, tcpcong, tcpdrop), or are reset by the other
side (the other probes). Some were handed on or are shared, and only who sends on them tells whose they are, where the kernel lets us
see that.
"""

import json
import os
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, at_least, enter, expect, linked_networks, others, rename, retransmitted, rule, scope, sh, shown, total, unlink_networks, variant

probe = sys.argv[2]
NAME = "eo%d" % os.getpid()
HERE, THERE = "10.98.0.1", "10.98.0.2"
PORT = 26000
NOBODY = 65534
RESET = {"code": -104, "name": "ECONNRESET"}
LOSES = probe in ("retrans", "tcpcong", "tcpdrop")
# Every variant can hook a function where the kernel has kprobes.
SEES_SENDERS = os.path.exists("/sys/bus/event_source/devices/kprobe")
lines = []


def start(task):
    """A child that does what comes on its line. It holds none of the lines of the others."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        for line in [mine, *lines]:
            line.close()
        try:
            task(its)
        finally:
            os._exit(1)
    its.close()
    lines.append(mine)
    return mine, pid


def tell(line, *words, fds=()):
    """Gives an order and waits until it is done; returns what is handed over."""
    socket.send_fds(line, [json.dumps(words).encode()], fds)
    answer, received, _, _ = socket.recv_fds(line, 9, 1)
    if answer != b"done":
        raise SystemExit("a child of the workload is gone")
    return received


def worker(line, name=None, uid=0):
    held = {}
    if name is not None:
        rename(name)
    if uid != 0:
        os.setuid(uid)
    while True:
        message, received, _, _ = socket.recv_fds(line, 4096, 1)
        if message == b"":
            os._exit(0)
        word, port = json.loads(message)
        given = []
        if word == "connect":
            held[port] = socket.socket()
            held[port].bind((HERE, port))
            held[port].connect((THERE, PORT))
        elif word == "take":
            held[port] = socket.socket(fileno=received[0])
        elif word == "give":
            given = [held.pop(port)]
        elif word == "share":
            share(line, held, port)
        elif word == "listen":
            listening = socket.socket()
            listening.bind((HERE, port))
            listening.listen(1)
        elif word == "accept":
            held[port] = listening.accept()[0]
            listening.close()
        elif word == "send":
            for sock in held.values() if port == 0 else [held[port]]:
                sock.sendall(b"lost")
        socket.send_fds(line, [b"done"], [sock.fileno() for sock in given])
        for sock in given:
            sock.close()


def share(line, held, port):
    """A child holds this one connection too, as long as we are there."""
    me = os.getpid()
    if os.fork() == 0:
        line.close()
        for other, sock in held.items():
            if other != port:
                sock.close()
        while os.getppid() == me:
            time.sleep(0.1)
        os._exit(0)


def other_side(line):
    enter(NAME + "b")
    server = socket.socket()
    server.bind((THERE, PORT))
    server.listen(64)
    accepted, calling = [], []
    while True:
        message = line.recv(4096)
        if message == b"":
            os._exit(0)
        word, *port = json.loads(message)
        if word == "call":
            calling.append(socket.socket())
            calling[-1].bind((THERE, port[0]))
            calling[-1].connect((HERE, port[0]))
        if word == "reset":
            accepted = [server.accept()[0] for _ in range(13)]
            for sock in [*accepted, *calling]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
        line.sendall(b"done")


def hand_over(giver, port, taker):
    """Only the taker holds it after that."""
    (descriptor,) = tell(giver[0], "give", port)
    tell(taker[0], "take", port, fds=[descriptor])
    os.close(descriptor)


def or_none(value):
    return {"any": [*value["any"], None] if isinstance(value, dict) else [value, None]}


def told(port, whence, opener=None, rport=PORT, **owner):
    """What the events of this connection must say: those while its opener connects, if they are of this run, and all others."""
    # What /proc tells is asked for by the inode, which these records have no room for.
    if whence == "proc" and variant() == "narrow":
        whence, owner = None, dict.fromkeys(owner)
    owner["owner_from"] = whence
    if probe == "tcpstates" and opener is not None:
        expect(lport=port, old_state="CLOSE", new_state="SYN_SENT", **{**opener, "owner_from": "task"})
        expect(lport=port, old_state="SYN_SENT", new_state="ESTABLISHED", **{**opener, "owner_from": "socket"})
    elif probe == "tcptracer" and opener is not None:
        expect(event="connect", lport=port, **{**opener, "owner_from": "socket"})
    elif probe in sure:
        rule({"lport": port, **sure[probe]}, **owner)
        # On a slow machine the last ones come after close(), when no process holds the socket: never somebody else's.
        rule({"lport": port}, pid=or_none(owner["pid"]), comm=or_none(owner["comm"]))
    elif probe != "tcpstates" or rport == PORT:
        rule({"lport": port}, **owner)
    if probe in sure:
        at_least(lport=port, rport=rport, **sure[probe], **owner)
    else:
        more = {
            "tcplife": {"direction": None if opener is None else "active", "outcome": "reset"},
            "tcpreset": {"direction": "received"},
            "tcpstates": {"old_state": "ESTABLISHED", "new_state": "CLOSE"},
            "tcptracer": {"event": "close", "result": RESET},
        }
        if rport != PORT:
            more["tcplife"]["direction"] = "passive"
        expect(lport=port, rport=rport, laddr=HERE, raddr=THERE, **owner, **more[probe])


def told_accepted(port, owner):
    """The same of a connection that was accepted, and of the socket that listened."""
    if probe == "tcpstates":
        nobody = dict.fromkeys([*owner, "owner_from"])
        expect(lport=port, old_state="CLOSE", new_state="LISTEN", **owner, owner_from="task")
        expect(lport=port, old_state="LISTEN", new_state="SYN_RECV", **nobody)
        expect(lport=port, old_state="SYN_RECV", new_state="ESTABLISHED", **nobody)
        expect(lport=port, old_state="LISTEN", new_state="CLOSE", **owner, owner_from="socket")
    if probe == "tcptracer":
        expect(event="accept", lport=port, rport=port, **owner, owner_from="task")
        rule({"lport": port}, **owner)
        expect(event="close", lport=port, rport=port, result=RESET, **owner, owner_from="socket")
    else:
        told(port, "socket", rport=port, **owner)


# What comes while the processes hold their sockets, of probes that cannot say how many events there are.
sure = {
    "retrans": {"state": "ESTABLISHED"},
    "tcpcong": {"old_state": "Open", "new_state": "Loss"},
    "tcpdrop": {"direction": "sent"},
    "tcprtt": {},
}


def lose_data(workers):
    # Without its address the other side drops what comes for it, and says nothing.
    sh("ip", "-n", NAME + "b", "addr", "del", THERE + "/24", "dev", NAME + "w")
    if probe == "tcpdrop":
        # What waits for the address of its neighbour is dropped.
        sh("ip", "-n", NAME + "a", "neigh", "flush", "dev", NAME + "v")
    for each in workers:
        tell(each[0], "send", 0)
    time.sleep(5 if probe == "tcpdrop" else 2)
    sh("ip", "-n", NAME + "b", "addr", "add", THERE + "/24", "dev", NAME + "w")
    time.sleep(2.5)


def main():
    os.sched_setaffinity(0, {0})
    scope(("netns", [linked_networks(NAME, (HERE, THERE))]))
    me = open("/proc/self/comm").read().strip()
    far = start(other_side)
    tell(far[0], "listen")
    workers = [start(worker), start(lambda line: worker(line, name=HOSTILE)), start(lambda line: worker(line, uid=NOBODY))]
    owners = [
        {"pid": pid, "comm": comm, "uid": uid}
        for (_, pid), comm, uid in zip(workers, (me, shown(HOSTILE, 15), me), (0, 0, NOBODY))
    ]
    ports = iter(range(PORT + 100, PORT + 113))

    def connect(number):
        port = next(ports)
        tell(workers[number][0], "connect", port)
        return port

    older = [(connect(number), number) for number in (0, 1, 2, 0, 1, 2)]
    moved = connect(0)
    hand_over(workers[0], moved, workers[1])
    shared = connect(2)
    tell(workers[2][0], "share", shared)
    late = connect(1)
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()

    # The look at /proc after the run was attached takes its time in an emulated machine.
    time.sleep(2)
    before = retransmitted()
    hand_over(workers[1], late, workers[0])
    newer = [(connect(number), number) for number in (0, 1, 2)]
    passed = connect(0)
    hand_over(workers[0], passed, workers[2])
    called = [(PORT + 120 + number, number) for number in (0, 1, 2)]
    for port, number in called:
        tell(workers[number][0], "listen", port)
        tell(far[0], "call", port)
        tell(workers[number][0], "accept", port)
    if LOSES:
        lose_data(workers)
    else:
        # Of the older ones, those that only their sender can tell.
        for number, port in ((2, shared), (0, late), (2, passed)):
            tell(workers[number][0], "send", port)
        tell(far[0], "reset")
        # Until all is read: /proc tells nothing of a worker that is gone.
        time.sleep(4)
    for port, number in older:
        told(port, "socket" if LOSES and SEES_SENDERS else "proc", **owners[number])
    told(moved, "socket" if LOSES and SEES_SENDERS else "proc", **owners[1])
    for port, number in newer:
        told(port, "socket", opener=owners[number], **owners[number])
    for port, number in called:
        told_accepted(port, owners[number])
    if SEES_SENDERS:
        # Two processes hold it, and one of them has sent.
        told(shared, "socket", **owners[2])
        # Passed on after the look, and after connect() was seen.
        told(late, "socket", **owners[0])
        told(passed, "socket", opener=owners[0], **owners[2])
    else:
        told(shared, None, pid=None, comm=None, uid=None)
        # The new owner if somebody looked again, never the old one.
        told(late, {"any": ["proc", None]}, **{field: {"any": [value, None]} for field, value in owners[0].items()})
        # Who opened it.
        told(passed, "socket", opener=owners[0], **owners[0])
    for line, pid in [*workers, far]:
        line.close()
        os.waitpid(pid, 0)
        time.sleep(0.3)
    if probe == "retrans":
        total(retransmitted() - before)
    elif probe in sure:
        others()


try:
    main()
finally:
    unlink_networks(NAME)
