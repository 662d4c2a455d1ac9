"""SYNs and data that get lost between two network namespaces; the expectation is the namespace's own RetransSegs."""

import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, expect, linked_networks, rename, retransmitted, scope, sh, shown, total, unlink_networks

NAME = "er%d" % os.getpid()
PORT = 23000


def setting(name, value):
    try:
        with open("/proc/sys/net/ipv4/" + name, "w") as file:
            file.write(str(value))
    except FileNotFoundError:
        pass


def main():
    netns = linked_networks(NAME, ("10.99.0.1", "10.99.0.2"))
    scope(("netns", [netns]))
    # One retransmission a SYN, one second after it; linear time-outs came with 6.5.
    setting("tcp_syn_retries", 1)
    setting("tcp_syn_linear_timeouts", 0)
    before = retransmitted()
    me = open("/proc/self/comm").read().strip()

    # Data on a connection that stands, lost on the way.
    receiver = subprocess.Popen(
        ["ip", "netns", "exec", NAME + "b", sys.executable, "-c",
         "import socket,sys\ns=socket.socket();s.bind(('10.99.0.2',%d));s.listen(1)\nprint(1,flush=True)\nc,_=s.accept()\nwhile c.recv(9):pass" % PORT],
        stdout=subprocess.PIPE,
    )
    receiver.stdout.readline()
    stream = socket.create_connection(("10.99.0.2", PORT))
    stream.sendall(b"seen")
    time.sleep(0.3)
    # Without its address the other side drops what comes for it, and says nothing.
    sh("ip", "-n", NAME + "b", "addr", "del", "10.99.0.2/24", "dev", NAME + "w")
    stream.sendall(b"lost")

    def attempt(number):
        sock = socket.socket()
        sock.bind(("10.99.0.1", PORT + 100 + number))
        sock.setblocking(False)
        sock.connect_ex(("10.99.0.2", PORT + 1))
        return sock

    socks = [attempt(number) for number in range(5)]
    rename(HOSTILE)
    socks += [attempt(number) for number in range(5, 7)]
    time.sleep(3.6)
    sh("ip", "-n", NAME + "b", "addr", "add", "10.99.0.2/24", "dev", NAME + "w")
    time.sleep(1.5)
    stream.close()
    receiver.wait(timeout=20)
    for sock in socks:
        sock.close()
    time.sleep(0.2)
    for number in range(7):
        comm = me if number < 5 else shown(HOSTILE, 15)
        expect(
            pid=os.getpid(),
            comm=comm,
            owner_from="socket",
            netns=netns,
            laddr="10.99.0.1",
            lport=PORT + 100 + number,
            raddr="10.99.0.2",
            rport=PORT + 1,
            state="SYN_SENT",
            kind={"any": ["retransmit", None]},
        )
    total(retransmitted() - before)


try:
    main()
finally:
    unlink_networks(NAME)
