"""13 connections on loopback from SYN to the last close: 10 changes each, and 2 of each of 5 listeners."""

import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import expect, scope

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 22000
me = os.getpid()

OTHERS = (
    (socket.AF_INET, "127.0.0.2", "127.0.0.2"),
    (socket.AF_INET, "0.0.0.0", None),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET6, "::", None),
)


def listen(family, address, port):
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(16)
    return sock


scope(("lport", list(range(PORT, PORT + 1 + len(OTHERS)))), ("rport", [PORT]))
server = listen(socket.AF_INET, "127.0.0.1", PORT)
nobody = {"raddr": None, "rport": None, "family": None}
expect(lport=PORT, laddr="127.0.0.1", old_state="CLOSE", new_state="LISTEN", pid=me, owner_from="task", duration_ns=None, **nobody)

# The address that a listener is bound to, and null where it is anyone's.
for at, (family, address, shown_as) in enumerate(OTHERS, PORT + 1):
    listen(family, address, at).close()
    expect(lport=at, laddr=shown_as, old_state="CLOSE", new_state="LISTEN", pid=me, owner_from="task", **nobody)
    expect(lport=at, laddr=shown_as, old_state="LISTEN", new_state="CLOSE", pid=me, **nobody)

# Who a socket belongs to is known or null, never somebody else.
mine = {"any": [me, None]}
for number in range(13):
    source = PORT + 100 + number
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", source))
    client.connect(("127.0.0.1", PORT))
    peer, _ = server.accept()
    client.close()
    peer.recv(1)
    peer.close()
    side = {"laddr": "127.0.0.1", "raddr": "127.0.0.1", "family": 4}
    expect(rport=PORT, old_state="CLOSE", new_state="SYN_SENT", pid=me, owner_from="task", **side)
    expect(rport=PORT, lport=source, old_state="SYN_SENT", new_state="ESTABLISHED", pid=me, **side)
    expect(rport=PORT, lport=source, old_state="ESTABLISHED", new_state="FIN_WAIT1", pid=me, **side)
    expect(rport=PORT, lport=source, old_state="FIN_WAIT1", new_state="FIN_WAIT2", pid=me, **side)
    expect(rport=PORT, lport=source, old_state="FIN_WAIT2", new_state="CLOSE", pid=me, **side)
    # 5.10 changes the state of the new socket before it has its remote address; the local one is the listener's.
    early = {"laddr": "127.0.0.1", "raddr": {"any": ["127.0.0.1", None]}}
    expect(lport=PORT, rport={"any": [source, None]}, old_state="LISTEN", new_state="SYN_RECV", pid=None, **early)
    expect(lport=PORT, rport=source, old_state="SYN_RECV", new_state="ESTABLISHED", pid=None, **side)
    expect(lport=PORT, rport=source, old_state="ESTABLISHED", new_state="CLOSE_WAIT", pid=mine, **side)
    expect(lport=PORT, rport=source, old_state="CLOSE_WAIT", new_state="LAST_ACK", pid=mine, **side)
    expect(lport=PORT, rport=source, old_state="LAST_ACK", new_state="CLOSE", pid=mine, **side)
time.sleep(0.2)
server.close()
expect(lport=PORT, laddr="127.0.0.1", old_state="LISTEN", new_state="CLOSE", pid=me, **nobody)
