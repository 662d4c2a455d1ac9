"""23 handshakes, of which 7 find a full accept queue: IPv4, IPv6, and IPv4 at an IPv6 listener, which the kernel hands on.

Four of them are at a listener that is older than the run: it stands when {"ready": true} is said, and a line on stdin goes on.
"""

import json
import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from peer import ACK, FAR, NEAR, Cable, Connection, setting, until
from workload import HOSTILE, child, expect, own_network, rename, scope, shown

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 32000
netns = own_network()
# Queues of two: the kernel neither answers SYNs by cookies nor refuses them early.
setting("ipv4/tcp_syncookies", 0)
cable = Cable()
source = PORT + 100
comm = open("/proc/self/comm").read().strip()


def listener(kind, address, port):
    server = socket.socket(kind, socket.SOCK_STREAM)
    if kind == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind((address, port))
    server.listen(2)
    return server


def queued(server):
    """How many wait, as the kernel tells of a listening socket."""
    raw = server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int.from_bytes(raw[24:28], "little")


def opened(family, port):
    global source
    source += 1
    link = Connection(cable, family, port, source)
    link.open()
    return link


def overflows():
    """How often this network namespace refused a handshake because an accept queue was full."""
    names, values = [line.split() for line in open("/proc/self/net/netstat") if line.startswith("TcpExt:")]
    return int(values[names.index("ListenOverflows")])


def completed(server, link, backlog, queue="room", whence="socket"):
    """The last segment of a handshake, and how many wait when it comes. The owner is who listens."""
    refused = overflows()
    link.send(ACK)
    if queue == "room":
        until(lambda: queued(server) == backlog + 1, "a connection in the queue")
    else:
        until(lambda: overflows() == refused + 1, "a refusal")
    expect(netns=netns, family=link.family, laddr=NEAR[link.family], lport=link.near_port, raddr=FAR[link.family],
           rport=link.far_port, backlog=backlog, backlog_max=2, queue=queue, pid=os.getpid(), comm=comm, uid=os.getuid(), owner_from=whence)


def fill(server, port, families):
    """A queue of two, whose limit lets a third in: the fourth is refused, again and again, until somebody accepts."""
    first, second, third, fourth = families
    completed(server, opened(first, port), 0)
    completed(server, opened(second, port), 1)
    third, fourth = opened(third, port), opened(fourth, port)
    completed(server, third, 2)
    completed(server, fourth, 3, "full")
    completed(server, fourth, 3, "full")
    server.accept()
    completed(server, fourth, 2)


def hostile():
    global comm, source
    source += 20
    rename(HOSTILE)
    comm = shown(HOSTILE, 15)
    fill(listener(socket.AF_INET6, NEAR[6], PORT + 1), PORT + 1, (6, 6, 6, 6))


def fill_older(server, port):
    """Who listened before the run is known by /proc, as long as it alone holds the socket."""
    for backlog in (0, 1):
        completed(server, opened(4, port), backlog, whence="proc")
    # Both SYNs come while there is room: a full queue takes none.
    third, fourth = opened(4, port), opened(4, port)
    completed(server, third, 2, whence="proc")
    completed(server, fourth, 3, "full", whence="proc")
    # Until all is read.
    time.sleep(4)
    server.close()


scope(("netns", [netns]))
older = listener(socket.AF_INET, NEAR[4], PORT + 3)
print(json.dumps({"ready": True}), flush=True)
sys.stdin.readline()
# The look at /proc after the run was attached takes its time in an emulated machine.
time.sleep(2)
fill_older(older, PORT + 3)
fill(listener(socket.AF_INET, NEAR[4], PORT), PORT, (4, 4, 4, 4))
child(hostile)
both = listener(socket.AF_INET6, "::", PORT + 2)
fill(both, PORT + 2, (4, 6, 6, 4))
both.accept()
completed(both, opened(4, PORT + 2), 2)
