"""
For killed.mjs: an interface in a network namespace of its own, frames that arrive on it all the time, and what is attached to it.
Usage: traffic.py send, until its input ends; or, in that namespace: traffic.py attached LINK-ID...
"""

import ctypes
import json
import os
import select
import socket
import subprocess
import sys

BPF_LINK_GET_FD_BY_ID = 30


def send():
    from packets import frames, network, place_words

    network(("er1", "er0"))
    out, into = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in range(2))
    out.bind(("er1", 0))
    into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    into.bind(("er0", 3))
    into.setblocking(False)
    frame = frames()[0][0]
    print(json.dumps(place_words("er0")), flush=True)
    sent = received = 0
    while not select.select([sys.stdin], [], [], 0.002)[0]:
        out.send(frame)
        sent += 1
        received += took(into)
    # What was sent last arrives in a softirq, which a busy machine holds up.
    for _ in range(50):
        select.select([], [], [], 0.1)
        received += took(into)
        if received >= sent:
            break
    print(json.dumps({"sent": sent, "received": received}), flush=True)


def took(into):
    count = 0
    try:
        while into.recv(2048):
            count += 1
    except BlockingIOError:
        return count


def attached(links):
    """Everything on the interface that is not the sender's own, as the kernel and its tools list it."""
    def said(*words):
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    found = {"xdp": "prog/xdp" in said("ip", "link", "show", "er0")}
    for way in ("ingress", "egress"):
        found[way] = said("tc", "filter", "show", "dev", "er0", way)
    found["clsact"] = "clsact" in said("tc", "qdisc", "show", "dev", "er0")
    with open("/proc/net/packet") as sockets:
        found["sockets"] = len(sockets.readlines()) - 3
    found["links"] = [link for link in links if is_link(link)]
    print(json.dumps(found))


def is_link(number):
    attributes = ctypes.create_string_buffer(number.to_bytes(4, sys.byteorder) + bytes(60), 64)
    descriptor = ctypes.CDLL(None).syscall(321, BPF_LINK_GET_FD_BY_ID, attributes, 64)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


if sys.argv[1] == "send":
    send()
else:
    attached([int(each) for each in sys.argv[2:]])
