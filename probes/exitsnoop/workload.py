"""31 processes that end: by exit(), by signals, with threads, with a first thread that goes first, and one with a hostile name."""

import ctypes
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, expect, scope, shown

EXIT = 60 if platform.machine() == "x86_64" else 93
libc = ctypes.CDLL(None, use_errno=True)
me = os.getpid()
names = {number: signal.Signals(number).name for number in (9, 10, 11, 13, 15)} | {34: "SIGRTMIN", 37: "SIGRTMIN+3", 64: "SIGRTMAX"}


def ends(task, comm=None, sends=None, least=0):
    """Starts the task in a process of its own. What wait() says of it is what the event must say."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        task()
        os._exit(99)
    if sends is not None:
        time.sleep(0.05)
        os.kill(pid, sends)
    _, status = os.waitpid(pid, 0)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    number = None if os.WIFEXITED(status) else names[os.WTERMSIG(status)]
    if code == 99:
        raise SystemExit("a child of the workload came too far")
    fields = {} if comm is None else {"comm": comm}
    expect(
        pid=pid,
        ppid=me,
        uid=os.getuid(),
        kind="process",
        exit_code=code,
        signal=number,
        core_dumped="yes" if os.WCOREDUMP(status) else "no",
        duration_ns={"between": [least, 15_000_000_000]},
        **fields,
    )


def leave(code):
    """Ends this thread alone."""
    libc.syscall(EXIT, code)


def threads(count, task):
    for _ in range(count):
        threading.Thread(target=task, daemon=True).start()


def with_threads():
    threads(7, lambda: time.sleep(60))
    os._exit(3)


def first_thread_first():
    threads(1, lambda: (time.sleep(0.2), os._exit(5)))
    leave(9)


def all_by_themselves():
    threads(1, lambda: (time.sleep(0.2), leave(8)))
    leave(7)


def all_at_once():
    gate = threading.Barrier(12)

    def wait():
        gate.wait()
        leave(4)

    threads(11, wait)
    wait()


def killed_with_threads():
    threads(11, lambda: time.sleep(60))
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def exec_in_thread():
    threads(1, lambda: os.execv("/bin/sh", ["sh", "-c", "exit 6"]))
    time.sleep(60)


def hostile():
    libc.prctl(15, HOSTILE)
    os._exit(1)


def dies_by(number):
    def task():
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        time.sleep(60)

    return task


def dumps_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    dies_by(signal.SIGSEGV)()


scope(("ppid", [me]))
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
folder = tempfile.mkdtemp(prefix="ebpf-run-exits-")
os.chdir(folder)
try:
    for code in (0, 1, 2, 42, 127, 128, 255):
        ends(lambda: os._exit(code))
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGSEGV, signal.SIGPIPE, 34, 37, 64):
        ends(dies_by(number))
    ends(lambda: time.sleep(60), sends=signal.SIGKILL, least=50_000_000)
    ends(dumps_core)
    ends(lambda: (time.sleep(0.3), os._exit(0)), least=300_000_000)
    for _ in range(3):
        ends(with_threads)
    ends(first_thread_first, least=200_000_000)
    ends(all_by_themselves, least=200_000_000)
    for _ in range(5):
        ends(all_at_once)
    for _ in range(2):
        ends(killed_with_threads)
    ends(exec_in_thread)
    ends(hostile, comm=shown(HOSTILE, 15))
finally:
    os.chdir("/")
    shutil.rmtree(folder)
