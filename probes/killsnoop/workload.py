"""37 signals sent: by each of the system calls, to processes, threads and groups, failed ones, and by a hostile name."""

import ctypes
import os
import platform
import sys

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, scope, shown

KILL, TKILL, TGKILL, SIGQUEUE, TGSIGQUEUE = (
    (62, 200, 234, 129, 297) if platform.machine() == "x86_64" else (129, 130, 131, 138, 240)
)
PIDFD_OPEN, PIDFD_SEND_SIGNAL = 434, 424
libc = ctypes.CDLL(None, use_errno=True)
ESRCH, EINVAL, EPERM, EBADF = (-3, "ESRCH"), (-22, "EINVAL"), (-1, "EPERM"), (-9, "EBADF")
NOBODY = 65534
# Ignored by whoever gets it: nothing happens to the target.
URG, WINCH, CHLD = 23, 28, 17


class SigInfo(ctypes.Structure):
    """What a queued signal carries; SI_QUEUE says that a program sent it."""

    _fields_ = [("signo", ctypes.c_int), ("errno", ctypes.c_int), ("code", ctypes.c_int), ("rest", ctypes.c_int * 29)]


info = SigInfo(0, 0, -1)


def sent(number, kind, args, signal, result=(0, "OK"), tpid=None, ttid=None, **others):
    libc.syscall(ctypes.c_long(number), *[ctypes.c_int(each) if isinstance(each, int) else each for each in args])
    code, name = result
    expect(
        pid=os.getpid(),
        tid=os.getpid(),
        uid=os.getuid(),
        kind=kind,
        signal=signal,
        tpid=tpid,
        ttid=ttid,
        result={"code": code, "name": name},
        **others,
    )


def kill(tpid, number, signal, **others):
    sent(KILL, "kill", (tpid, number), signal, tpid=tpid, **others)


def by_kill():
    parent = os.getppid()
    for number, signal in ((0, "NONE"), (URG, "SIGURG"), (WINCH, "SIGWINCH"), (CHLD, "SIGCHLD"), (18, "SIGCONT")):
        kill(parent, number, signal)
    os.setpgid(0, 0)
    kill(0, URG, "SIGURG")
    kill(-os.getpgrp(), WINCH, "SIGWINCH")
    kill(4194304, 15, "SIGTERM", result=ESRCH)
    kill(-4194304, 9, "SIGKILL", result=ESRCH)
    kill(parent, 65, "UNKNOWN_65", result=EINVAL)
    kill(parent, -1, "UNKNOWN_4294967295", result=EINVAL)
    for number in range(34, 64, 3):
        # The handler is what keeps the process alive.
        libc.signal(ctypes.c_int(number), ctypes.c_void_p(1))
        kill(os.getpid(), number, "SIGRTMIN" if number == 34 else "SIGRTMIN+%d" % (number - 34))


def to_threads():
    me, parent = os.getpid(), os.getppid()
    for number, signal in ((URG, "SIGURG"), (WINCH, "SIGWINCH")):
        sent(TKILL, "tkill", (parent, number), signal, ttid=parent)
        sent(TGKILL, "tgkill", (parent, parent, number), signal, tpid=parent, ttid=parent)
    sent(TGKILL, "tgkill", (me, parent, 0), "NONE", tpid=me, ttid=parent, result=ESRCH)
    sent(TGKILL, "tgkill", (-1, 5, 0), "NONE", tpid=-1, ttid=5, result=EINVAL)
    sent(TKILL, "tkill", (0, 0), "NONE", ttid=0, result=EINVAL)


def queued():
    me = os.getpid()
    sent(SIGQUEUE, "rt_sigqueueinfo", (me, URG, ctypes.byref(info)), "SIGURG", tpid=me)
    sent(SIGQUEUE, "rt_sigqueueinfo", (4194304, URG, ctypes.byref(info)), "SIGURG", tpid=4194304, result=ESRCH)
    sent(TGSIGQUEUE, "rt_tgsigqueueinfo", (me, me, URG, ctypes.byref(info)), "SIGURG", tpid=me, ttid=me)
    pidfd = libc.syscall(PIDFD_OPEN, me, 0)
    sent(PIDFD_SEND_SIGNAL, "pidfd_send_signal", (pidfd, WINCH, None, 0), "SIGWINCH")
    sent(PIDFD_SEND_SIGNAL, "pidfd_send_signal", (4242, WINCH, None, 0), "SIGWINCH", result=EBADF)


def refused():
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kill(os.getppid(), 9, "SIGKILL", result=EPERM)
    kill(1, 0, "NONE", result=EPERM)


def hostile():
    libc.prctl(15, HOSTILE)
    comm = shown(HOSTILE, 15)
    kill(os.getpid(), WINCH, "SIGWINCH", comm=comm, escaped=["comm"])
    sent(TGKILL, "tgkill", (os.getpid(), os.getpid(), URG), "SIGURG", tpid=os.getpid(), ttid=os.getpid(), comm=comm)


scope(("pid", [child(task) for task in (by_kill, to_threads, queued, refused, hostile)]))
