"""23 transfers on loopback: 11 messages sent, and received in 12 pieces; half of them by a process with a hostile name."""

import os
import socket
import sys

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, rename, scope, shown

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 28000
SIZE = 1000
source = PORT + 100


def moved(end, comm, bytes_sent, bytes_received):
    local, remote = end.getsockname(), end.getpeername()
    expect(
        pid=os.getpid(),
        tid=os.getpid(),
        uid=os.getuid(),
        comm=comm,
        netns=os.stat("/proc/self/ns/net").st_ino,
        family=6 if ":" in local[0] and "." not in local[0] else 4,
        laddr=local[0].replace("::ffff:", ""),
        lport=local[1],
        raddr=remote[0].replace("::ffff:", ""),
        rport=remote[1],
        sent=str(bytes_sent) if bytes_sent else None,
        received=str(bytes_received) if bytes_received else None,
    )


def talk(family, address, messages, comm, pieces):
    global source
    source += 1
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, PORT))
    server.listen()
    client = socket.socket(family, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((address, source))
    client.connect((address, PORT))
    taker, _ = server.accept()
    for number in range(messages):
        client.send(b"x" * SIZE)
        moved(client, comm, SIZE, 0)
        # A look takes nothing.
        taker.recv(SIZE, socket.MSG_PEEK | socket.MSG_WAITALL)
        for size in pieces if number == 0 else [SIZE]:
            taker.recv(size, socket.MSG_WAITALL)
            moved(taker, comm, 0, size)
    for end in (client, taker, server):
        end.close()


def hostile():
    rename(HOSTILE)
    talk(socket.AF_INET6, "::1", 5, shown(HOSTILE, 15), [SIZE])


scope(("rport", [PORT]), ("lport", [PORT]))
me = open("/proc/self/comm").read().strip()
talk(socket.AF_INET, "127.0.0.1", 6, me, [300, 700])
child(hostile)
