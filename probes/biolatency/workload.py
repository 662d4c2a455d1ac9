"""
37 requests to a loop device of its own: reads and writes of several sizes, flushes, discards, writes for which the file system below
has no room, and reads by a process with a hostile name.
"""

import errno
import fcntl
import mmap
import os
import stat
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, rename, scope, shown, tracepoint_fields

LOOP_SET_FD, LOOP_CLR_FD, LOOP_CTL_ADD, LOOP_CTL_REMOVE, BLKDISCARD = 0x4C00, 0x4C01, 0x4C80, 0x4C81, 0x1277
SIZE, ROOM = 8 << 20, 4 << 20
PAGE = 4096
MOST_NS = 60_000_000_000


def loop_device(file, folder):
    """One that nobody else has, by the number of this process; its number, its path and a descriptor."""
    index = 1000 + os.getpid()
    with open("/dev/loop-control") as control:
        fcntl.ioctl(control, LOOP_CTL_ADD, index)
    major, minor = open("/sys/class/block/loop%d/dev" % index).read().strip().split(":")
    path = folder + "/loop"
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
    device = os.open(path, os.O_RDWR)
    fcntl.ioctl(device, LOOP_SET_FD, file)
    return index, "%s:%s" % (major, minor), path, device


def remove(index):
    """As soon as nobody has it open: whoever looks at new devices may still do so."""
    with open("/dev/loop-control") as control:
        for _ in range(50):
            try:
                return fcntl.ioctl(control, LOOP_CTL_REMOVE, index)
            except OSError:
                time.sleep(0.1)


def own_cgroup():
    """Where cgroup v2 is mounted."""
    path = [line.strip()[3:] for line in open("/proc/self/cgroup") if line.startswith("0::")]
    folder = "/sys/fs/cgroup" + (path or [""])[0]
    return {"cgroup": str(os.stat(folder).st_ino)} if os.path.exists(folder + "/cgroup.procs") else {}


# What is asked for with O_DIRECT is waited for. The kernel may have split off a flush that nobody waits for.
LETTERS = {
    "read": ["R", "RS"],
    "write": ["WS"],
    "flush": ["FF", "FFS", "FWS"],
    "discard": ["D", "DS"],
}


def done(op, sector, size, result=(0, "OK"), is_told=True, **others):
    task = {"pid": os.getpid(), "comm": comm, **cgroup} if is_told else {}
    expect(
        dev=dev,
        op=op,
        rwbs={"any": LETTERS[op]},
        bytes=str(size),
        sector=str(sector),
        result={"any": [{"code": code, "name": name} for code, name in (result if isinstance(result, list) else [result])]},
        duration_ns={"between": [1, MOST_NS]},
        **{**task, **others},
    )


def memory(size):
    return mmap.mmap(-1, size)


def writes(at, size):
    os.pwritev(disk, [memory(size)], at)
    done("write", at // 512, size)


def reads(at, size, **others):
    os.preadv(disk, [memory(size)], at)
    done("read", at // 512, size, **others)


def discards(at, size):
    fcntl.ioctl(disk, BLKDISCARD, struct.pack("QQ", at, size))
    done("discard", at // 512, size)


def has_no_room(at, size):
    try:
        os.pwritev(disk, [memory(size)], at)
    except OSError:
        done("write", at // 512, size, [(-errno.EIO, "EIO"), (-errno.ENOSPC, "ENOSPC")])
        return
    raise SystemExit("a write without room went well")


def fill(path):
    """Takes all that the file system has left."""
    filler = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(filler, b"x" * PAGE)
    except OSError:
        os.close(filler)


def hostile():
    rename(HOSTILE)
    for number in range(5):
        reads(number * 16 * PAGE, 3 * PAGE, comm=shown(HOSTILE, 15), escaped=["comm"])


# Without it the task behind a flush is not seen: a worker of the kernel starts it.
tells_starts = bool(tracepoint_fields("block:block_io_start"))
subprocess.run(["modprobe", "-q", "loop"], check=False)
comm = open("/proc/self/comm").read().strip()
cgroup = own_cgroup()
folder = tempfile.mkdtemp(prefix="ebpf-run-disk-")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % ROOM, "tmpfs", folder], check=True)
file = os.open(folder + "/disk", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, SIZE)
index, dev, path, device = loop_device(file, folder)
scope(("dev", [dev]))
try:
    disk = os.open(path, os.O_RDWR | os.O_DIRECT)
    for count in range(1, 8):
        writes(count * 64 * PAGE, count * PAGE)
    for count in range(1, 12):
        reads(count * 64 * PAGE + PAGE, count * PAGE)
    for _ in range(5):
        os.fsync(disk)
        done("flush", 0, 0, is_told=tells_starts)
    for count in range(1, 4):
        discards(count * 64 * PAGE, count * PAGE)
    child(hostile)
    fill(folder + "/filler")
    for count in range(1, 7):
        has_no_room((1024 + count * 16) * PAGE, count * PAGE)
    os.close(disk)
finally:
    fcntl.ioctl(device, LOOP_CLR_FD)
    os.close(device)
    remove(index)
    os.close(file)
    subprocess.run(["umount", "-l", folder], check=True)
    os.rmdir(folder)
