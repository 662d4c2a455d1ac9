"""23 calls, and 23 connections, of which only how often is told: names are all that a count knows.

Usage: counts.py INSIDE WHAT. WHAT is what is counted.
"""

import os
import re
import socket
import sys

sys.path.insert(0, sys.argv[1])
from workload import expect, own_ports, rename, scope

_, what = sys.argv[2].split("-")
COUNT = 23
CLOSED = own_ports(28900, size=20, ranges=5)
functions = ["tcp_connect", "tcp_v4_connect"] if what in ("kprobe", "many", "refused") else []
names = ["syscalls:sys_enter_getpgid", *functions]
if what == "uprobe":
    with open("/proc/self/maps") as maps:
        library = next(line.split()[-1] for line in maps if re.search(r"/libc(\.so\.6|-2\.\d+\.so)$", line.strip()))
    names.append(os.path.basename(os.path.realpath(library)) + ":getpgid")

rename(os.environ["EBPF_RUN_NAME"].encode())
scope(("function", names))
for _ in range(COUNT):
    os.getpgid(0)
    if functions:
        client = socket.socket()
        client.connect_ex(("127.0.0.1", CLOSED))
        client.close()
for name in names:
    for _ in range(COUNT):
        expect(function=name)
