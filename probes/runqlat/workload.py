"""
47 waits of threads for a CPU. Three of them share one, with the priorities of real time, so that nobody else takes part and no clock
decides: the starter has the lowest and wakes the taker 24 times, which takes the CPU from it, wakes the third one 23 times, and keeps
the CPU for a while. So the third one waits 23 times, and the starter 24. The third one has a pid namespace of its own.
"""

import base64
import ctypes
import os
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, expect, scope, shown, switches, switches

ROUNDS = 23
BUSY_NS = 10_000_000
MOST_NS = 60_000_000_000
# The lab asks for this user's threads alone: all others would drown them.
USER = 47110
CLONE_NEWPID = 0x20000000

libc = ctypes.CDLL(None, use_errno=True)
cpu = max(os.sched_getaffinity(0))
mark = base64.b64encode(os.getpid().to_bytes(3, "big"))
STARTER, WOKEN = b"er-start-" + mark, HOSTILE + mark
ready, begins, works, ends = os.pipe(), os.pipe(), os.pipe(), os.pipe()


def rename(name):
    libc.prctl(15, name)


def alone_on_this_machine():
    """Several workloads of this kind run at once, and would take the CPU from each other."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(1200):
        try:
            lock.bind("\0ebpf-run-runqlat")
            return lock
        except OSError:
            time.sleep(0.1)
    raise SystemExit("another workload keeps the CPU")


def starts(task, priority, name):
    """The task begins when all of higher priority wait: they share a CPU."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.sched_setaffinity(0, {cpu})
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
            os.setresuid(USER, USER, USER)
            os.write(ready[1], b"r")
            rename(name)
            task()
            status = 0
        finally:
            os._exit(status)
    os.read(ready[0], 1)
    return pid


def in_own_namespace(start):
    """What is started there is the first process of a new pid namespace."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    if libc.unshare(CLONE_NEWPID) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    pid = start()
    if libc.setns(own, CLONE_NEWPID) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(own)
    return pid


def namespace_of(pid):
    return os.stat("/proc/%d/ns/pid" % pid).st_ino


def spin(nanoseconds):
    end = time.monotonic_ns() + nanoseconds
    while time.monotonic_ns() < end:
        pass


def takes():
    for number in range(ROUNDS + 1):
        os.read(begins[0], 1)
        if number < ROUNDS:
            os.write(works[1], b"w")
        spin(BUSY_NS)
    os.read(ends[0], 1)


def is_woken():
    for _ in range(ROUNDS):
        os.read(works[0], 1)
    rename(b"er-done")
    os.read(ends[0], 1)


def begins_rounds():
    for _ in range(ROUNDS + 1):
        os.write(begins[1], b"b")
    # What the end of a process waits for is not asked for.
    rename(b"er-done")


def waits(pid, name, space, times):
    for _ in range(times):
        expect(
            pid=pid,
            tid=pid,
            cpu=cpu,
            uid=USER,
            comm=shown(name, 15),
            pidns=space if "pidnss" in switches() else None,
            duration_ns={"between": [BUSY_NS, MOST_NS]},
        )


def wait_for(pid):
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise SystemExit("a child of the workload failed with %d" % status)


lock = alone_on_this_machine()
taker = starts(takes, 90, b"er-taker")
woken = in_own_namespace(lambda: starts(is_woken, 80, WOKEN))
inner, outer = namespace_of(woken), namespace_of(os.getpid())
starter = starts(begins_rounds, 70, STARTER)
if inner == outer or outer != namespace_of(taker):
    raise SystemExit("the pid namespaces are not as they should be")
wait_for(starter)
os.write(ends[1], b"ee")
wait_for(taker)
wait_for(woken)
scope(("comm", [shown(name, 15) for name in (STARTER, WOKEN)]))
waits(woken, WOKEN, inner, ROUNDS)
waits(starter, STARTER, outer, ROUNDS + 1)
