"""23 calls, 23 children and 23 connections of a process with a name of its own, for probes made on the spot.

Usage: trace.py INSIDE WHAT. WHAT is what the probe traces.
"""

import gc
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])
import printk
from workload import expect, own_ports, rename, scope

probe, what = sys.argv[2].split("-")
COUNT = 23
NAME = os.environ["EBPF_RUN_NAME"]
BASE = own_ports(27000, size=100, ranges=9)
CLOSED = BASE + 1
MOST_NS = 20_000_000_000
thread = {"pid": os.getpid(), "tid": os.getpid()}
me = {"pid": os.getpid(), "tid": os.getpid(), "uid": os.getuid(), "comm": NAME}


def called():
    for _ in range(COUNT):
        os.getpgid(0)
        expect(**me, **({"asked": "0"} if what in ("syscall", "wrapper") else {}))


def called_in_libc():
    group = os.getpgid(os.getpid())
    expect(asked=os.getpid(), **returned(group))
    for _ in range(COUNT - 1):
        os.getpgid(0)
        expect(asked=0, **returned(group))


def returned(group):
    if what != "uretprobe":
        return me
    return {"returned": group, "duration_ns": {"between": [1, MOST_NS]}, **me}


def collected():
    """Collections of Python's garbage, which no other one interrupts."""
    gc.disable()
    for number in range(COUNT):
        gc.collect(number % 3)
        expect(generation=number % 3, **me)
    # Python collects at its own end, too.
    sys.stdout.flush()
    os._exit(0)


def passed():
    """Each place of marks.s, by a process that has no other name."""
    child = subprocess.Popen([os.path.join(sys.argv[1], "marks"), str(COUNT)])
    if child.wait() != 0:
        raise SystemExit("marks ended with %d" % child.returncode)
    own = {"pid": child.pid, "tid": child.pid, "uid": os.getuid(), "comm": "marks"}
    scope(("pid", [child.pid]))
    for n in range(COUNT):
        for at, code in enumerate((-5, -6, -7, -8)):
            expect(event="several", n=str(n + 100 * at), code=code, **own)
        expect(event="raised", n=str(n), **own)
        if what != "hidden":
            continue
        for value in ("22", "33", "44"):
            expect(event="reached", arg0=value, arg1=-77, **own)
        expect(event="widths", **WIDTHS, **own)
        expect(event="unreadable", arg0=str(n), arg2=7, **own)
        expect(event="missing", arg0=None, arg1=n, **own)


# What marks.s cuts out of its registers, and its constants.
WIDTHS = {
    **{"arg0": 0x88, "arg1": 0x87 - 0x100, "arg2": 0x8788, "arg3": 0x97A8 - 0x10000},
    **{"arg4": 0x85868788, "arg5": 0x959697A8 - 0x100000000, "arg6": str(0x8182838485868788)},
    **{"arg7": str(0x91929394959697A8 - 2**64), "arg8": 0xA8 - 0x100, "arg9": str(2**64 - 1)},
    **{"arg10": str(-(2**63)), "arg11": 300 % 256},
}


def called_and_connected():
    """Two of several attach points, and of the kernel's processes those that this one makes."""
    for _ in range(COUNT):
        os.getpgid(0)
        expect(event="sys_enter_getpgid", asked="0", **me)
        connect_once()
        expect(event="tcp_connect", **me)
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        expect(event="sched_process_fork", **me)


def called_twice():
    for _ in range(COUNT):
        os.getpgid(0)
        os.getsid(0)
        expect(event="sys_enter_getpgid", asked="0", **me)
        expect(event="sys_enter_getsid", asked="0", **me)


def forked():
    for _ in range(COUNT):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        expect(**me)


def connected():
    server = socket.socket()
    server.bind(("127.0.0.1", BASE))
    server.listen(64)
    for number in range(COUNT):
        is_refused = number % 3 == 0
        port = BASE + 10 + number
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", port))
        client.connect_ex(("127.0.0.1", CLOSED if is_refused else BASE))
        client.close()
        if what in ("kretprobe", "fexit"):
            expect(port=port, returned=0, **me)
        elif what == "latency":
            expect(port=port, duration_ns={"between": [1, MOST_NS]}, **me)
        elif what != "where" or port % 2 == 1:
            expect(laddr="127.0.0.1", lport=port, raddr="127.0.0.1", rport=CLOSED if is_refused else BASE, state="SYN_SENT", **me)


def connect_once():
    client = socket.socket()
    client.connect_ex(("127.0.0.1", CLOSED))
    client.close()


def printed():
    """What lines.bt makes of it: a script's events have no process in common."""
    scope(("event", ["begin", "text", "sys_enter_getpgid", "sys_exit_getpgid", "map"]))
    expect(event="begin", arg_1=NAME)
    expect(event="text", text="PID      COMM\n")
    group = os.getpgid(0)
    for _ in range(COUNT - 1):
        os.getpgid(0)
    for _ in range(COUNT):
        expect(event="sys_enter_getpgid", pid=os.getpid(), comm=NAME, args_pid=0)
        expect(event="sys_exit_getpgid", ret=group, start={"between": [1, 2**31]})
    expect(event="text", text="done\n")
    expect(event="map", map="@calls", entries=[{"key": [NAME, os.getpid()], "value": COUNT}])
    expect(event="map", map="@start", entries=[])


def messages():
    """Of a BPF program that this process runs: some are of the pattern, some are not."""
    of_pattern, other = printk.load(b"id 4294967295 of a of b at -443"), printk.load(b"id 4294967296 of a at 443")
    for _ in range(COUNT):
        printk.run(of_pattern, 1)
        expect(event="printk", id=4294967295, host="a of b", rport=-443, task=NAME, **thread)
        printk.run(other, 1)
        expect(event="unmatched", id=None, host=None, rport=None, task=NAME, **thread)
    # Long enough for the name to be looked up.
    time.sleep(4)


rename(NAME.encode())
if probe == "script":
    printed()
elif probe == "pipe":
    scope(("tid", [os.getpid()]))
    messages()
else:
    if what not in ("marks", "hidden"):
        scope(("comm", [NAME]))
    calls = {"tracepoint": called, "syscall": called, "wrapper": called, "rawtracepoint": forked}
    calls.update(uprobe=called_in_libc, uretprobe=called_in_libc, usdt=collected)
    calls.update(several=called_and_connected, isolated=called_twice)
    calls.update(marks=passed, hidden=passed)
    calls.get(what, connected)()
