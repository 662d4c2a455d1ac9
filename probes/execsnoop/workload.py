"""31 executions: plain, hostile arguments and names, long lists and none, failed ones, by descriptor and by a thread."""

import ctypes
import mmap
import os
import platform
import sys
import threading

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, scope, shown

TRUE = os.path.realpath("/bin/true")
parent = os.getpid()
# More than any variant shows.
MOST = 60
EXECVE = 59 if platform.machine() == "x86_64" else 221
libc = ctypes.CDLL(None)


def words(argv):
    return [shown(each, 128) for each in argv]


def by_thread(task):
    thread = threading.Thread(target=task)
    thread.start()
    thread.join()


def run(argv, path=TRUE, by_descriptor=False, start=lambda task: task()):
    opened = os.open(path, os.O_RDONLY)

    def execute():
        os.execve(opened if by_descriptor else path, argv, os.environ)

    pid = child(lambda: start(execute))
    os.close(opened)
    fields = {"filename": "/dev/fd/%d" % opened} if by_descriptor else {"filename": path, "comm": os.path.basename(path)}
    expect(
        pid=pid,
        tid=pid,
        ppid=parent,
        argc=len(argv),
        argv={"starts": words(argv)[:20], "length": len(argv)},
        ret=0,
        errno=None,
        **fields,
    )


def fail(argv, path, errno, name, by_descriptor=False, start=lambda task: task()):
    def execute():
        try:
            os.execve(os.open(path, os.O_RDONLY) if by_descriptor else path, argv, os.environ)
        except OSError:
            pass

    pid = child(lambda: start(execute))
    many = len(argv) > MOST
    expect(
        pid=pid,
        ppid=parent,
        filename=None if by_descriptor else path,
        argc=None if many else len(argv),
        argv={"starts": words(argv)[:20], "length": len(argv)} if many else {"readable": words(argv)},
        ret=-errno,
        errno=name,
        **({"cut": ["argv"]} if many else {}),
    )


def without_arguments(path, **fields):
    """With a null pointer in place of the arguments. Linux 5.18 and newer add an empty one."""
    expect(pid=child(lambda: libc.syscall(EXECVE, path.encode(), None, None)), ppid=parent, filename=path, **fields)


def at_the_end_of_a_page():
    """A short argument behind which nothing is mapped."""
    page = mmap.PAGESIZE
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    start = libc.mmap(None, 2 * page, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    libc.munmap(ctypes.c_void_p(start + page), ctypes.c_size_t(page))
    ctypes.memmove(start + page - 4, b"end", 4)
    argv = (ctypes.c_void_p * 2)(start + page - 4, None)
    pid = child(lambda: libc.syscall(EXECVE, b"/nonexistent/end", argv, None))
    expect(pid=pid, ppid=parent, filename="/nonexistent/end", argc=1, argv=["end"], ret=-2, errno="ENOENT")


scope(("ppid", [parent]))
for count in range(7):
    run([b"true"] + [b"argument-%d" % each for each in range(count)])
run([HOSTILE, HOSTILE, b""])
run([b"empty", b"", b""])
run([b"\x1b[31mred\x1b[0m", b"\xc3\xa9t\xc3\xa9", b"back\\slash", b"tab\there", b'"quotes\''])
run([b"Lost 9 events\n@n_0_0: 12\n", b"1234567890abcdef0\t1\t2\t3"])
run([b"x" * 200, b"y" * 128, b"z" * 129])
run([b"w" * 120] * 20)
run([b"%d" % each for each in range(20)])
run([b"%d" % each for each in range(97)])
run([b"true", b"by descriptor"], by_descriptor=True)
for count in range(5):
    fail([b"no"] + [b"arg-%d" % each for each in range(count)], "/nonexistent/%d" % count, 2, "ENOENT")
fail([b"no", HOSTILE], "/etc", 13, "EACCES")
fail([b"no"] * 3, "/etc/passwd", 13, "EACCES")
fail([b"no"] + [b"%d" % each for each in range(19)], "/nonexistent/twenty", 2, "ENOENT")
fail([b"no"] + [b"%d" % each for each in range(71)], "/nonexistent/many", 2, "ENOENT")
fail([b"no", b"by descriptor"], "/etc/passwd", 13, "EACCES", by_descriptor=True)
run([b"true", b"by a thread"], start=by_thread)
fail([b"no", b"by a thread"], "/nonexistent/thread", 2, "ENOENT", start=by_thread)
without_arguments(TRUE, comm="true", argc={"any": [0, 1]}, argv={"any": [[], [""]]}, ret=0, errno=None)
without_arguments("/nonexistent/none", argc=None, argv=None, ret=-2, errno="ENOENT")
at_the_end_of_a_page()
