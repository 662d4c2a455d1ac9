"""13 connections over IPv4 and 3 over IPv6 on loopback from SYN to the last close, 10 changes each; one over IPv6 that is reset, 9; and 2 of each of 6 listeners."""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import expect, own_ports, scope, variant

PORT = own_ports(22000, 200, 5)
FIN_WAIT2 = 5
me = os.getpid()
# Without BTF nobody knows whose a socket is.
blind = variant() == "addresses"
owner = None if blind else me

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


PORT6 = PORT + 1 + len(OTHERS)
scope(("lport", list(range(PORT, PORT6 + 1))), ("rport", [PORT, PORT6]))
server = listen(socket.AF_INET, "127.0.0.1", PORT)
server6 = listen(socket.AF_INET6, "::1", PORT6)
nobody = {"raddr": None, "rport": None, "family": None}
for port, address in ((PORT, "127.0.0.1"), (PORT6, "::1")):
    expect(lport=port, laddr=address, old_state="CLOSE", new_state="LISTEN", pid=owner, owner_from=None if blind else "task", duration_ns=None, **nobody)

# The address that a listener is bound to, and null where it is anyone's.
for at, (family, address, shown_as) in enumerate(OTHERS, PORT + 1):
    listen(family, address, at).close()
    expect(lport=at, laddr=shown_as, old_state="CLOSE", new_state="LISTEN", pid=owner, owner_from=None if blind else "task", **nobody)
    expect(lport=at, laddr=shown_as, old_state="LISTEN", new_state="CLOSE", pid=owner, **nobody)

# Who a socket belongs to is known or null, never somebody else.
mine = {"any": [owner, None]}


def connection(server, address, port, source, is_reset=False):
    client = socket.socket(server.family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((address, source))
    client.connect((address, port))
    peer, _ = server.accept()
    if is_reset:
        # Not before the FIN was acknowledged, which the kernel may put off for a moment.
        client.shutdown(socket.SHUT_WR)
        while client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != FIN_WAIT2:
            time.sleep(0.01)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        client.close()
    peer.recv(1)
    peer.close()
    client.close()
    side = {"laddr": address, "raddr": address, "family": 6 if ":" in address else 4}
    expect(rport=port, old_state="CLOSE", new_state="SYN_SENT", pid=owner, owner_from=None if blind else "task", **side)
    expect(rport=port, lport=source, old_state="SYN_SENT", new_state="ESTABLISHED", pid=owner, **side)
    expect(rport=port, lport=source, old_state="ESTABLISHED", new_state="FIN_WAIT1", pid=owner, **side)
    expect(rport=port, lport=source, old_state="FIN_WAIT1", new_state="FIN_WAIT2", pid=owner, **side)
    expect(rport=port, lport=source, old_state="FIN_WAIT2", new_state="CLOSE", pid=owner, **side)
    # 5.10 changes the state of the new socket before it has its remote address; the local one is the listener's.
    early = {"laddr": address, "raddr": {"any": [address, None]}}
    expect(lport=port, rport={"any": [source, None]}, old_state="LISTEN", new_state="SYN_RECV", pid=None, **early)
    expect(lport=port, rport=source, old_state="SYN_RECV", new_state="ESTABLISHED", pid=None, **side)
    expect(lport=port, rport=source, old_state="ESTABLISHED", new_state="CLOSE_WAIT", pid=mine, **side)
    if is_reset:
        expect(lport=port, rport=source, old_state="CLOSE_WAIT", new_state="CLOSE", pid=mine, **side)
    else:
        expect(lport=port, rport=source, old_state="CLOSE_WAIT", new_state="LAST_ACK", pid=mine, **side)
        expect(lport=port, rport=source, old_state="LAST_ACK", new_state="CLOSE", pid=mine, **side)


for number in range(13):
    connection(server, "127.0.0.1", PORT, PORT + 100 + number)
for number in range(3):
    connection(server6, "::1", PORT6, PORT + 120 + number)
connection(server6, "::1", PORT6, PORT + 123, is_reset=True)
time.sleep(0.2)
for each, port, address in ((server, PORT, "127.0.0.1"), (server6, PORT6, "::1")):
    each.close()
    expect(lport=port, laddr=address, old_state="LISTEN", new_state="CLOSE", pid=owner, **nobody)
