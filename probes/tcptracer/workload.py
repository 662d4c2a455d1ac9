"""23 events of connections on loopback, 63 with sends and receives: IPv4 and IPv6, refused, reset, a hostile name, cookies that are asked for."""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import alone, HOSTILE, child, expect, own_network, rename, scope, shown, switches, variant

PORT, CLOSED = 36000, 36001
SOME_TIME = {"between": [1, 60_000_000_000]}
OK = {"code": 0, "name": "OK"}
source = PORT + 100
data = "data" in switches()


def mine(comm, by):
    return {"pid": os.getpid(), "uid": os.getuid(), "comm": comm, "owner_from": by}


def ask_cookie(sock):
    """SO_COOKIE: the kernel draws the socket's cookie now, if nobody has asked before. None where the variant tells none."""
    cookie = str(struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, 57, 8))[0])
    return None if variant().startswith("narrow") else cookie


def told(cookie):
    """What is expected of the cookie. Where others trace the kernel too, a socket may have one that this workload has not asked for: a tracepoint such as tcp:tcp_rcv_space_adjust asks (tcp_event_sk in include/trace/events/tcp.h)."""
    may_have_one = cookie is None and not variant().startswith("narrow") and not alone()
    return {} if may_have_one else {"cookie": cookie}


def bound(family, address):
    """A socket with the next source port."""
    global source
    source += 1
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, source))
    return sock


def refused(sock, comm, cookie=None):
    family, (address, port) = sock.family, sock.getsockname()[:2]
    try:
        sock.connect((address, CLOSED))
    except ConnectionRefusedError:
        pass
    expect(event="connect", connection={"same": "refused %d" % port}, netns=netns, **told(cookie),
           family=6 if family == socket.AF_INET6 else 4, laddr=address, lport=port, raddr=address, rport=CLOSED,
           result={"code": -111, "name": "ECONNREFUSED"}, duration_ns=SOME_TIME, **mine(comm, "socket"))


class Connection:
    """Both ends of one, and what is expected of them."""

    def __init__(self, server, client, comm, cookie=None):
        self.address, self.port = client.getsockname()[:2]
        self.comm, self.client = comm, client
        self.moved = {}
        self.cookies = {"client": cookie, "server": None}
        self.client.connect((self.address, PORT))
        self.event("client", "connect", "socket", result=OK, duration_ns=SOME_TIME)
        time.sleep(0.01)
        self.server, _ = server.accept()
        self.event("server", "accept", "task", duration_ns=SOME_TIME)

    def event(self, end, event, by, **more):
        ports = (self.port, PORT) if end == "client" else (PORT, self.port)
        expect(event=event, connection={"same": "%s %d" % (end, self.port)}, netns=netns, **told(self.cookies[end]), family=6 if ":" in self.address else 4,
               laddr=self.address, lport=ports[0], raddr=self.address, rport=ports[1], **mine(self.comm, by), **more)

    def ask_cookies(self):
        """From now on both ends have one."""
        self.cookies = {"client": ask_cookie(self.client), "server": ask_cookie(self.server)}

    def transfer(self, end, event, size, result=OK):
        if not data:
            return
        is_first = size > 0 and (end, event) not in self.moved
        if is_first:
            self.moved[end, event] = SOME_TIME
        self.event(end, event, "task", bytes=str(size), result=result, first_ns=SOME_TIME if is_first else None)

    def talk(self):
        self.client.send(b"x" * 1000)
        self.transfer("client", "send", 1000)
        # A look takes nothing.
        self.server.recv(1000, socket.MSG_PEEK | socket.MSG_WAITALL)
        for size in (300, 700):
            self.server.recv(size, socket.MSG_WAITALL)
            self.transfer("server", "receive", size)
        self.server.send(b"y" * 10)
        self.transfer("server", "send", 10)
        self.client.recv(10, socket.MSG_WAITALL)
        self.transfer("client", "receive", 10)

    def nothing_there(self):
        try:
            self.client.recv(10, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        self.transfer("client", "receive", 0, {"code": -11, "name": "EAGAIN"})

    def closes(self, end, result):
        self.event(end, "close", "socket", result=result, duration_ns=SOME_TIME,
                   first_sent_ns=self.moved.get((end, "send")), first_received_ns=self.moved.get((end, "receive")))

    def close(self):
        self.client.close()
        self.server.recv(10)
        self.transfer("server", "receive", 0)
        self.server.close()
        time.sleep(0.02)
        self.closes("client", OK)
        self.closes("server", OK)

    def reset(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        time.sleep(0.02)
        self.server.close()
        self.closes("client", OK)
        self.closes("server", {"code": -104, "name": "ECONNRESET"})


def listener(family, address):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, PORT))
    server.listen(8)
    return server


def hostile():
    global source
    source += 20
    rename(HOSTILE)
    comm = shown(HOSTILE, 15)
    connection = Connection(four, bound(socket.AF_INET, "127.0.0.1"), comm)
    connection.talk()
    connection.reset()
    with bound(socket.AF_INET, "127.0.0.1") as sock:
        refused(sock, comm)


netns = own_network()
scope(("netns", [netns]))
four, six = listener(socket.AF_INET, "127.0.0.1"), listener(socket.AF_INET6, "::1")
me = open("/proc/self/comm").read().strip()
with bound(socket.AF_INET, "127.0.0.1") as sock:
    refused(sock, me)
# One socket, two connections: the cookie is the socket's and stays, the number is the connection's.
again = bound(socket.AF_INET6, "::1")
cookie = ask_cookie(again)
refused(again, me, cookie)
last = Connection(six, again, me, cookie)
last.talk()
last.ask_cookies()
assert last.cookies["client"] == cookie
last.close()
# The cookie of a socket that listens is not that of what it accepts.
ask_cookie(four)
# Two at the same time; of one the cookies are asked for between its events.
pair = [Connection(four, bound(socket.AF_INET, "127.0.0.1"), me) for _ in range(2)]
for each in pair:
    each.talk()
    each.nothing_there()
pair[0].ask_cookies()
for each in pair:
    each.talk()
    each.close()
aborted = Connection(four, bound(socket.AF_INET, "127.0.0.1"), me)
aborted.talk()
aborted.reset()
child(hostile)
