"""SYNs, SYN-ACKs and data over IPv4 and IPv6 that get lost between two network namespaces, and SYNs that a firewall does not let out.

How many events must come is decided by the namespace's own RetransSegs, which also counts what could not be sent.
"""

import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, at_least, enter, expect, linked_networks, not_retransmitted, reach, rename, retransmitted, scope, setting, sh, shown, total, tracepoint_fields, unlink_networks, variant

NAME = "er%d" % os.getpid()
V4 = ("10.99.0.1", "10.99.0.2")
V6 = ("fd99::1", "fd99::2")
# Servers with a connection that stands, one that gets no SYN, one that cannot be asked at all, and one of our own.
STANDING4, STANDING6, SILENT, FORBIDDEN, OWN = range(23000, 23005)
# kprobe sees attempts but no SYN-ACKs; the tracepoint has what could not be sent from 6.17 on.
SEES_SYN_ACKS = variant() != "kprobe"
SEES_FAILED = variant() == "kprobe" or "err" in tracepoint_fields("tcp:tcp_retransmit_skb")
# Only a program at the function that sends tail loss probes tells them from the rest.
KNOWS_PROBES = os.path.exists("/sys/kernel/tracing/kprobe_events") or os.path.exists("/sys/kernel/debug/tracing/kprobe_events")
LOST = "%d:%d" % (STANDING4, SILENT)
OK = {"code": 0, "name": "OK"}
FAILED = {"code": -1, "name": "EPERM"}

receiver = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
server.bind((host, port))
server.listen(1)
print(1, flush=True)
peer, _ = server.accept()
while peer.recv(9): pass
"""


def drop(space, action, chain, *match):
    for tool in ("iptables", "ip6tables"):
        sh("ip", "netns", "exec", NAME + space, tool, action, chain, "-p", "tcp", *match, "-j", "DROP")


def bound(host, port):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def attempt(host, port, other):
    """A connect() that nobody waits for."""
    sock = bound(host, port)
    sock.setblocking(False)
    sock.connect_ex(other)
    return sock


def standing(here, there, port):
    """A connection to a process of the other side."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", NAME + "b", sys.executable, "-c", receiver, there, str(port)],
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    stream = bound(here, port + 90)
    stream.connect((there, port))
    stream.sendall(b"seen")
    return stream, process


def asked_from_there(here, there, ports):
    """Requests to a server of ours from one that is gone before our SYN-ACK comes: it is sent again once."""
    server = bound(here, OWN)
    server.listen(16)
    pid = os.fork()
    if pid == 0:
        enter(NAME + "b")
        for port in ports:
            attempt(there, port, (here, OWN)).close()
        os._exit(0)
    os.waitpid(pid, 0)
    return server


def main():
    netns = linked_networks(NAME, V4, V6)
    scope(("netns", [netns]))
    reach(V6[1])
    # One retransmission a SYN and a SYN-ACK, one second after it; linear time-outs came with 6.5.
    setting("ipv4/tcp_syn_retries", 1)
    setting("ipv4/tcp_synack_retries", 1)
    setting("ipv4/tcp_syn_linear_timeouts", 0)
    before, before_failed = retransmitted(), not_retransmitted()
    me = open("/proc/self/comm").read().strip()

    # Data on connections that stand, lost on the way.
    streams = [standing(*V4, STANDING4), standing(*V6, STANDING6)]
    time.sleep(0.3)
    drop("b", "-A", "INPUT", "--dport", LOST)
    drop("b", "-A", "INPUT", "--sport", str(OWN))
    drop("a", "-A", "OUTPUT", "--dport", str(FORBIDDEN))
    for stream, _ in streams:
        stream.sendall(b"lost")

    servers = [asked_from_there(*V4, range(23300, 23303)), asked_from_there(*V6, range(23303, 23305))]
    attempts = [(V4, SILENT, 23100 + number, me) for number in range(5)]
    attempts += [(V6, SILENT, 23110 + number, me) for number in range(3)]
    attempts += [(V4, FORBIDDEN, 23200 + number, me) for number in range(3)]
    attempts += [(V6, FORBIDDEN, 23210 + number, me) for number in range(2)]
    socks = [attempt(pair[0], port, (pair[1], to)) for pair, to, port, _ in attempts]
    rename(HOSTILE)
    attempts += [(V4, SILENT, 23105 + number, shown(HOSTILE, 15)) for number in range(2)]
    socks += [attempt(pair[0], port, (pair[1], to)) for pair, to, port, _ in attempts[len(socks):]]
    time.sleep(3.6)
    drop("b", "-D", "INPUT", "--dport", LOST)
    time.sleep(1.5)
    for stream, process in streams:
        stream.close()
        process.wait(timeout=20)
    for sock in [*socks, *servers]:
        sock.close()
    time.sleep(0.2)

    for pair, to, port, comm in attempts:
        result = FAILED if to == FORBIDDEN else OK
        if result is FAILED and not SEES_FAILED:
            continue
        expect(
            pid=os.getpid(),
            comm=comm,
            owner_from="socket",
            netns=netns,
            family=6 if pair is V6 else 4,
            laddr=pair[0],
            lport=port,
            raddr=pair[1],
            rport=to,
            state="SYN_SENT",
            kind="retransmit",
            result=None if variant() == "kprobe" else result,
        )
    for pair, ports in ((V4, range(23300, 23303)), (V6, range(23303, 23305))) if SEES_SYN_ACKS else ():
        for port in ports:
            expect(
                pid=None,
                owner_from=None,
                inode=None,
                netns=netns,
                laddr=pair[0],
                lport=OWN,
                raddr=pair[1],
                rport=port,
                state="NEW_SYN_RECV",
                kind="syn-ack",
                result=OK,
            )
    for port in (STANDING4, STANDING6):
        # What was lost at the end of the data is probed for first, and then sent again until it comes.
        for kind in ("loss-probe", "retransmit") if KNOWS_PROBES else (None,):
            at_least(netns=netns, lport=port + 90, rport=port, state="ESTABLISHED", kind=kind)
    unseen = (0 if SEES_SYN_ACKS else 5) + (0 if SEES_FAILED else not_retransmitted() - before_failed)
    total(retransmitted() - before - unseen)


try:
    main()
finally:
    unlink_networks(NAME)
