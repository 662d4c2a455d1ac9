"""
47 system calls of processes of its own: fine and failed ones, ones that wait or are interrupted, that do not return, that take
another number on their way, unknown ones, and some by a process with a hostile name. Where the kernel runs 32-bit programs there
are 53, with theirs.
"""

import ctypes
import mmap
import os
import platform
import signal
import sys
import threading

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, expect, scope, shown

if platform.machine() != "x86_64":
    raise SystemExit("the numbers of the system calls are those of x86-64")
CALLS = {"pause": 34, "getpgid": 121, "getsid": 124, "clock_nanosleep": 230, "execveat": 322, "UNKNOWN_5000": 5000}
MOST_NS = 20_000_000_000
NAP_NS = 50_000_000
libc = ctypes.CDLL(None, use_errno=True)
OK, ESRCH, ENOSYS, ENOENT = (0, "OK"), (-3, "ESRCH"), (-38, "ENOSYS"), (-2, "ENOENT")
NO_HAND = (-514, "ERESTARTNOHAND")


class Span(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def says(pid, syscall, result=OK, least=0, **others):
    returns = result is not None
    expect(
        pid=pid,
        uid=os.getuid(),
        syscall=syscall,
        result={"code": result[0], "name": result[1]} if returns else None,
        duration_ns={"between": [least, MOST_NS]} if returns else None,
        **others,
    )


def calls(syscall, args, result=OK, least=0, **others):
    libc.syscall(ctypes.c_long(CALLS[syscall]), *args)
    says(os.getpid(), syscall, result, least, tid=os.getpid(), **others)


def plain():
    for _ in range(11):
        calls("getpgid", (0,))
    for _ in range(5):
        calls("getsid", (99999999,), ESRCH)
    for _ in range(3):
        calls("UNKNOWN_5000", (), ENOSYS)


def waiting():
    for _ in range(3):
        calls("clock_nanosleep", (1, 0, ctypes.byref(Span(0, NAP_NS)), None), least=NAP_NS)


def interrupted():
    """The kernel's own number says that a handler ran. Its way back is a call of its own."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    for _ in range(3):
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        calls("pause", (), NO_HAND, least=NAP_NS)
        says(os.getpid(), "rt_sigreturn", (-4, "EINTR"))


def executes(path):
    arguments = (ctypes.c_char_p * 2)(path, None)
    libc.syscall(ctypes.c_long(CALLS["execveat"]), -100, path, arguments, None, 0)


def another_program():
    executes(b"/nonexistent")
    says(os.getpid(), "execveat", ENOENT)
    says(os.getpid(), "execveat")
    sys.stdout.flush()
    executes(b"/bin/true")


def another_program_in_a_thread():
    """The thread's call returns in the first thread's place."""
    says(os.getpid(), "execveat", tid=os.getpid())
    sys.stdout.flush()
    thread = threading.Thread(target=lambda: executes(b"/bin/true"))
    thread.start()
    thread.join()


def hostile():
    libc.prctl(15, HOSTILE)
    comm = shown(HOSTILE, 15)
    for _ in range(7):
        calls("getpgid", (0,), comm=comm, escaped=["comm"])
    for _ in range(3):
        calls("getsid", (99999999,), ESRCH, comm=comm, escaped=["comm"])


# mov eax, NUMBER; mov ebx, ARGUMENT; int 0x80; ret, with rbx kept: a 32-bit program's way into the kernel.
def of_32_bits(number, argument):
    code = b"\x53\xb8" + number.to_bytes(4, "little") + b"\xbb" + argument.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3"
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()


def narrow():
    for number, argument, name, result in (
        *[(132, 0, "i386_getpgid", OK)] * 3,
        (147, 99999999, "i386_getsid", ESRCH),
        (5000, 0, "UNKNOWN_70536", ENOSYS),
    ):
        of_32_bits(number, argument)
        says(os.getpid(), name, result)


def process(task):
    """Its end is a call as well."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            task()
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise SystemExit("a child of the workload failed with %d" % status)
    says(pid, "exit_group", None)
    return pid


def runs_32_bits():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if of_32_bits(20, 0) == os.getpid() else 1)
    return os.waitpid(pid, 0)[1] == 0


tasks = [plain, waiting, interrupted, another_program, another_program_in_a_thread, hostile]
scope(("pid", [process(task) for task in tasks + ([narrow] if runs_32_bits() else [])]))
