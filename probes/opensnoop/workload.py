"""41 opens: by each of the system calls, failed ones, a hostile path, a long one, one in a page that nobody touched, from directories."""

import ctypes
import errno
import mmap
import os
import platform
import shutil
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, scope, shown, switches

OPEN, CREAT, OPENAT, OPENAT2 = (2, 85, 257, 437) if platform.machine() == "x86_64" else (None, None, 56, 437)
AT_FDCWD = -100
RESOLVE_IN_ROOT = 0x10
libc = ctypes.CDLL(None, use_errno=True)
folder = os.fsencode(tempfile.mkdtemp(prefix="ebpf-run-opens-"))
access = {os.O_RDONLY: "read", os.O_WRONLY: "write", os.O_RDWR: "read-write"}
ok = {"code": 0, "name": "OK"}
flags_of_creat = os.O_CREAT | os.O_WRONLY | os.O_TRUNC


bits = {1 << bit: name for bit, name in enumerate(
    "O_WRONLY O_RDWR - - - - O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_ASYNC O_DIRECT O_LARGEFILE O_DIRECTORY "
    "O_NOFOLLOW O_NOATIME O_CLOEXEC O_SYNC O_PATH O_TMPFILE".split())}


def named(flags):
    """Flags by their names on x86; what has none stands at the end."""
    known = [bit for bit, name in bits.items() if flags & bit and name != "-"]
    rest = flags - sum(known)
    return "|".join([bits[bit] for bit in known] + (["UNKNOWN_%d" % rest] if rest else [])) or "NONE"


def failed(errno, name):
    return {"code": -errno, "name": name}


def directory_of(dirfd):
    """Names of the directories that a relative path starts from, the outermost first; None for a descriptor that is none."""
    try:
        path = os.fsencode(os.readlink("/proc/self/cwd" if dirfd is None else "/proc/self/fd/%d" % dirfd))
    except FileNotFoundError:
        return None
    return [name for name in path.split(b"/") if name != b""]


def full_path(names, path):
    """What --full-path shows, and how a part of it that is too long or no UTF-8 is marked."""
    if "full-path" not in switches() or path is None:
        return {"path": None}, [], []
    if not path.startswith(b"/") and names is None:
        return {"path": None}, [], []
    parts = [path] if path.startswith(b"/") else [*names, path]
    cut = any(len(part) > 128 for part in parts)
    try:
        whole = b"/".join(part[:128] for part in parts)
        whole.decode()
        escaped = False
    except UnicodeDecodeError:
        escaped = True
    whole = shown(whole, len(whole))
    return {"path": whole if path.startswith(b"/") else "/" + whole}, ["path"] * cut, ["path"] * escaped


def expect_open(path, flags, mode=None, dirfd=None, result=ok, fd=None, names=None, escaped=(), **others):
    path_field, path_cut, path_escaped = full_path(names, path)
    cut = [*(["filename"] if path is not None and len(path) > 128 else []), *path_cut]
    escaped = [*escaped, *path_escaped]
    expect(
        pid=os.getpid(),
        tid=os.getpid(),
        uid=os.getuid(),
        filename=None if path is None else shown(path, 128),
        dirfd=dirfd,
        access=access[flags & 3],
        flags=named(flags),
        mode=mode,
        fd=fd,
        result=result,
        **path_field,
        **({"cut": cut} if cut else {}),
        **({"escaped": escaped} if escaped else {}),
        **others,
    )


def opened(path, flags, mode=0, **others):
    number = OPEN or OPENAT
    fd = libc.syscall(number, path, flags, mode) if OPEN else libc.syscall(number, AT_FDCWD, path, flags, mode)
    expect_open(path, flags, mode if flags & os.O_CREAT else None, fd=None if fd < 0 else fd, **others)


def openedat(path, flags, mode=0, dirfd=None, shown_path=True, **others):
    fd = libc.syscall(OPENAT, AT_FDCWD if dirfd is None else dirfd, path, flags, mode)
    others = {"names": directory_of(dirfd), **others}
    creates = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    expect_open(path if shown_path else None, flags, mode if creates else None, dirfd=dirfd, fd=None if fd < 0 else fd, **others)


def by_open():
    for number in range(5):
        opened(b"%s/new-%d" % (folder, number), os.O_CREAT | os.O_RDWR, 0o640)
    opened(folder + b"/missing", os.O_RDONLY, result=failed(2, "ENOENT"))
    opened(folder, os.O_WRONLY, result=failed(21, "EISDIR"))


def by_creat():
    for number in range(2):
        path = b"%s/created-%d" % (folder, number)
        fd = libc.syscall(CREAT, path, 0o600) if CREAT else libc.syscall(OPENAT, AT_FDCWD, path, flags_of_creat, 0o600)
        expect_open(path, flags_of_creat, 0o600, fd=fd)


def by_openat():
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    expect_open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, fd=directory)
    for number in range(3):
        openedat(b"new-%d" % number, os.O_RDONLY | os.O_CLOEXEC, dirfd=directory)
    openedat(b"new-0", os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o4755, dirfd=directory, result=failed(17, "EEXIST"))
    openedat(b"new-0", os.O_RDONLY, dirfd=4242, result=failed(9, "EBADF"))
    openedat(folder, os.O_RDWR | os.O_TMPFILE, 0o600)
    openedat(folder + b"/" + b"x" * 200, os.O_RDONLY, result=failed(2, "ENOENT"))
    openedat(folder + b"/" + b"y" * (127 - len(folder)), os.O_RDONLY, result=failed(2, "ENOENT"))
    openedat(b"", os.O_RDONLY, shown_path=False, result=failed(2, "ENOENT"))
    openedat(ctypes.c_void_p(1), os.O_RDONLY, shown_path=False, result=failed(14, "EFAULT"))


def by_openat2():
    how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o600, 0)
    for path, result in ((b"/second", ok), (b"/no/second", failed(2, "ENOENT"))):
        path = folder + path
        fd = libc.syscall(OPENAT2, AT_FDCWD, path, ctypes.byref(how), 24)
        expect_open(path, os.O_CREAT | os.O_WRONLY, 0o600, result=result, fd=None if fd < 0 else fd)


def from_directories():
    """Relative paths: a name in a name, one that is too long, one that is no UTF-8, from another mount, and from behind a new root."""
    deep = folder + b"/a b/" + b"z" * 200 + b"/" + HOSTILE
    os.makedirs(deep)
    os.chdir(folder + b"/a b")
    openedat(b"c/missing", os.O_RDONLY, result=failed(2, "ENOENT"))
    openedat(b"../missing", os.O_RDONLY, result=failed(2, "ENOENT"))
    os.chdir(b"z" * 200)
    openedat(b"missing", os.O_RDONLY, result=failed(2, "ENOENT"))
    os.chdir(HOSTILE)
    openedat(b"created", os.O_CREAT | os.O_WRONLY, 0o600)
    outside = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    expect_open(b"/proc/self", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, fd=outside)
    openedat(b"status", os.O_RDONLY, dirfd=outside)
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, RESOLVE_IN_ROOT)
    fd = libc.syscall(OPENAT2, outside, b"/stat", ctypes.byref(how), 24)
    result = ok if fd >= 0 else failed(ctypes.get_errno(), errno.errorcode[ctypes.get_errno()])
    in_root(b"/stat", outside, result, None if fd < 0 else fd)
    os.chdir("/")
    openedat(b"no-such-file", os.O_RDONLY, result=failed(2, "ENOENT"))
    os.chroot(folder)
    os.chdir("/a b")
    openedat(b"missing", os.O_RDONLY, names=[b"a b"], result=failed(2, "ENOENT"))
    openedat(b"/a b/missing", os.O_RDONLY, result=failed(2, "ENOENT"))
    openedat(b"stat", os.O_RDONLY, dirfd=outside, names=None)
    openedat(b"missing", os.O_RDONLY, dirfd=4242, names=None, result=failed(9, "EBADF"))


def in_root(path, dirfd, result, fd):
    """RESOLVE_IN_ROOT: the path does not begin at the root of the process, and has none to show."""
    expect(pid=os.getpid(), filename=shown(path, 128), path=None, dirfd=dirfd, flags="NONE", result=result, fd=fd)


def hostile():
    libc.prctl(15, HOSTILE)
    comm = shown(HOSTILE, 15)
    openedat(folder + b"/" + HOSTILE, os.O_CREAT | os.O_WRONLY, 0o600, comm=comm, escaped=["comm", "filename"])
    openedat(folder + b"/Lost 9 events\n@n_0_0: 12\n", os.O_RDONLY, comm=comm, result=failed(2, "ENOENT"))
    opened(folder + b"/\xc3\xa9t\xc3\xa9\t1", os.O_RDONLY, comm=comm, result=failed(2, "ENOENT"))


def cold():
    """A path in pages of a file that this process has mapped and not touched."""
    path = folder + b"/in-a-cold-page"
    with open(folder + b"/page", "wb") as file:
        file.write(path + b"\0" * 5000)
    expect_open(folder + b"/page", flags_of_creat | os.O_CLOEXEC, 0o666, fd=file_number())
    fd = libc.syscall(OPENAT, AT_FDCWD, folder + b"/page", os.O_RDONLY, 0)
    expect_open(folder + b"/page", os.O_RDONLY, fd=fd)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    address = libc.mmap(None, 8192, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, 0)
    libc.madvise(ctypes.c_void_p(address), 8192, mmap.MADV_DONTNEED)
    libc.syscall(OPENAT, AT_FDCWD, ctypes.c_void_p(address), os.O_RDONLY, 0)
    expect_open(path, os.O_RDONLY, result=failed(2, "ENOENT"))
    libc.syscall(OPENAT, AT_FDCWD, ctypes.c_void_p(address), os.O_RDONLY, 0)
    expect_open(path, os.O_RDONLY, result=failed(2, "ENOENT"))


def file_number():
    """The descriptor that the next open will get: it was free, and is again."""
    fd = os.dup(0)
    os.close(fd)
    return fd


try:
    scope(("pid", [child(task) for task in (by_open, by_creat, by_openat, by_openat2, from_directories, hostile, cold)]))
finally:
    shutil.rmtree(folder)
