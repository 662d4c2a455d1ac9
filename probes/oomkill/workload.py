"""5 kills, at times 6, in a cgroup of 32 MiB that the workload makes: processes that take too much, and one that another's wish kills."""

import ctypes
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, expect, scope, shown, switches

MIB = 1024 * 1024
LIMIT = 32 * MIB
libc = ctypes.CDLL(None)
me = open("/proc/self/comm").read().strip()


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


def loads():
    return [float(each) for each in read("/proc/loadavg").split()[:3]]


def averages():
    """What the kernel can have had between the beginning and now: it makes new ones every 5 s, and they change slowly."""
    if "load" not in switches():
        return {"load1": None, "load5": None, "load15": None}
    now = loads()
    return {
        name: {"between": [min(first, last) - 0.5, max(first, last) + 0.5]}
        for name, first, last in zip(("load1", "load5", "load15"), began, now)
    }


def read(path):
    with open(path) as file:
        return file.read().strip()


def mount(kind, options, at):
    return subprocess.run(["mount", "-t", kind, "-o", options, "none", at], stderr=subprocess.DEVNULL).returncode == 0


def unmount(at):
    """Busy for as long as somebody looks at the mounts of this namespace."""
    for _ in range(50):
        if subprocess.run(["umount", at], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit("%s cannot be unmounted" % at)


class Group:
    """A cgroup with a limit, of the version that has the memory controller. The mount is in this process's own namespace."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="ebpf-run-oom-")
        self.was_on = True
        if mount("cgroup2", "rw", self.root):
            if "memory" in read(self.root + "/cgroup.controllers").split():
                self.was_on = "memory" in read(self.root + "/cgroup.subtree_control").split()
                write(self.root + "/cgroup.subtree_control", "+memory")
                self.make("memory.max", ("memory.swap.max", 0))
                return
            unmount(self.root)
        if not mount("cgroup", "memory", self.root):
            raise SystemExit("no memory controller can be mounted here")
        self.was_on = True
        self.make("memory.limit_in_bytes", ("memory.swappiness", 0))

    def make(self, limit, swap):
        self.path = "%s/ebpf-run-%d" % (self.root, os.getpid())
        os.mkdir(self.path)
        self.id = str(os.stat(self.path).st_ino)
        write("%s/%s" % (self.path, limit), LIMIT)
        if int(read("%s/%s" % (self.path, limit))) != LIMIT:
            raise SystemExit("the limit of the cgroup did not hold")
        if os.path.exists("%s/%s" % (self.path, swap[0])):
            write("%s/%s" % (self.path, swap[0]), swap[1])

    def enter(self):
        write(self.path + "/cgroup.procs", os.getpid())

    def remove(self):
        for _ in range(50):
            try:
                os.rmdir(self.path)
                break
            except OSError:
                time.sleep(0.1)
        if not self.was_on:
            write(self.root + "/cgroup.subtree_control", "-memory")
        unmount(self.root)
        os.rmdir(self.root)


def take(mebibytes):
    """Touches that much memory, and keeps it."""
    taken = []
    for _ in range(mebibytes):
        taken.append(bytearray(b"x") * MIB)
    return taken


def start(task):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            group.enter()
            task()
            status = 0
        finally:
            # What stands behind the fork is not the child's to clean up.
            os._exit(status)
    return pid


def ended(pid):
    return os.waitpid(pid, 0)[1]


def killed(victim, status, tcomm, adjust=0, **trigger):
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != 9:
        raise SystemExit("the victim was not killed: %d" % status)
    victims.append(victim)
    expect(
        tpid=victim,
        tuid={"any": [os.getuid(), None]},
        tcomm={"any": [tcomm, None]},
        limit_cgroup={"any": [group.id, None]},
        total_pages={"any": [str(LIMIT // os.sysconf("SC_PAGE_SIZE")), None]},
        oom_score_adj={"any": [adjust, None]},
        **averages(),
        **trigger,
    )


def too_much():
    take(96)


def hostile():
    libc.prctl(15, HOSTILE)
    take(96)


def large():
    libc.prctl(15, b"large one")
    write("/proc/self/oom_score_adj", 700)
    kept = take(16)
    os.write(ready[1], b"1")
    time.sleep(15)
    del kept


def small():
    libc.prctl(15, b"small\n1\t2")
    take(20)


victims = []
began = loads()
group = Group()
try:
    for _ in range(3):
        pid = start(too_much)
        killed(pid, ended(pid), me, pid=pid, tid=pid, comm=me, uid=os.getuid())
    pid = start(hostile)
    killed(pid, ended(pid), shown(HOSTILE, 15), pid=pid, comm=shown(HOSTILE, 15))
    ready = os.pipe()
    victim = start(large)
    os.read(ready[0], 1)
    asker = start(small)
    killed(victim, ended(victim), "large one", 700, pid=asker, comm="small\n1\t2")
    # A victim on its way out no longer counts as one before its pages are given back (exit_mmap marks it first). In that gap
    # the kernel may take the next, which is the one that asked.
    asked = ended(asker)
    if asked != 0:
        killed(asker, asked, "small\n1\t2", pid=asker, comm="small\n1\t2")
    scope(("tpid", victims))
finally:
    group.remove()
