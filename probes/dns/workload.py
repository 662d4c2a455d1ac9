"""78 lookups on one CPU: 53 that wait for a name server at the same time, and 25 that succeed and fail in every way there is."""

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, scope, shown

# An address of its own: another workload may run beside it.
SERVER = "127.26.%d.%d" % (os.getpid() >> 8 & 255, os.getpid() & 255)
WAITING = 53
NAMES = {
    -1: "EAI_BADFLAGS",
    -2: "EAI_NONAME",
    -3: "EAI_AGAIN",
    -5: "EAI_NODATA",
    -6: "EAI_FAMILY",
    -7: "EAI_SOCKTYPE",
    -8: "EAI_SERVICE",
}
libc = ctypes.CDLL(None)
for function in (libc.gethostbyname, libc.gethostbyname2, libc.gethostbyaddr):
    function.restype = ctypes.c_void_p
folder = tempfile.mkdtemp(prefix="ebpf-run-dns-")
printing = threading.Lock()


def mounted(path, text):
    """Another file in its place, in this process's own mount namespace."""
    own = os.path.join(folder, os.path.basename(path))
    with open(own, "w") as file:
        file.write(text)
    if not os.path.exists(path):
        open(path, "w").close()
        made.append(path)
    subprocess.run(["mount", "--bind", own, os.path.realpath(path)], check=True)


def answer(query, code, address=None):
    """A reply without or with one address (RFC 1035, 4.1)."""
    end = query.index(b"\0", 12) + 5
    body = query[12:end]
    head = query[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, 1 if address else 0, 0, 0, 0, 0])
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) if address else b""
    return head + body + record


def serve():
    waiting = []
    asked = set()
    while True:
        query, peer = server.recvfrom(4096)
        label = query[13 : 13 + query[12]]
        if label.startswith(b"slow"):
            # Nobody gets an answer before all have asked.
            waiting.append((query, peer))
            asked.add(label)
            if len(asked) == WAITING:
                for query, peer in waiting:
                    server.sendto(answer(query, 0, "10.26.0.1"), peer)
        elif label == b"good":
            server.sendto(answer(query, 0, "10.26.0.2"), peer)
        elif label == b"broken":
            server.sendto(answer(query, 2), peer)
        else:
            server.sendto(answer(query, 3), peer)


def expected(kind, host, result, address=None, **others):
    raw = host if isinstance(host, bytes) or host is None else host.encode()
    cut = {"cut": ["host"]} if raw is not None and len(raw) > 128 else {}
    # One at a time: Python's stdout may print what two threads write at once twice, or not at all.
    with printing:
        expect(
            pid=os.getpid(),
            tid=threading.get_native_id(),
            uid=os.getuid(),
            kind=kind,
            host=None if raw is None else shown(raw, 128),
            address=address,
            result=result,
            **cut,
            **others,
        )


def resolve(host, service=80, *hints, result=None, **others):
    code = 0
    try:
        socket.getaddrinfo(host, service, *hints)
    except socket.gaierror as error:
        code = error.errno
    if result is not None and code != result:
        raise SystemExit("%r came to %d" % (host, code))
    expected("getaddrinfo", host, {"code": code, "name": NAMES.get(code, "OK")}, **others)


def by_name(host, found):
    if (libc.gethostbyname(host) is not None) != found:
        raise SystemExit("gethostbyname(%r) is not what was expected" % host)
    expected("gethostbyname", host, {"code": 0, "name": "OK"} if found else {"code": 1, "name": "FAILED"})


def by_name2(host):
    if libc.gethostbyname2(host, socket.AF_INET) is None:
        raise SystemExit("gethostbyname2(%r) found nothing" % host)
    expected("gethostbyname2", host, {"code": 0, "name": "OK"})


OK, FAILED, ERANGE = ({"code": code, "name": name} for code, name in ((0, "OK"), (1, "FAILED"), (34, "ERANGE")))


def reentrant(function, expected_code, *words, size=4096):
    """With room for the answer that is too small, too."""
    room, entry = ctypes.create_string_buffer(size), ctypes.create_string_buffer(64)
    found, reason = ctypes.c_void_p(), ctypes.c_int()
    code = function(*words, entry, room, ctypes.c_size_t(size), ctypes.byref(found), ctypes.byref(reason))
    seen = code or int(found.value is None)
    if seen != expected_code["code"]:
        raise SystemExit("%s%r came to %d" % (function.__name__, words, seen))


def by_name_r(host, code, **more):
    reentrant(libc.gethostbyname_r, code, host, **more)
    expected("gethostbyname_r", host, code)


def by_name2_r(host, code, **more):
    reentrant(libc.gethostbyname2_r, code, host, socket.AF_INET, **more)
    expected("gethostbyname2_r", host, code)


def packed(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    raw = socket.inet_pton(family, text)
    return raw, len(raw), family


def by_address(text, found):
    if (libc.gethostbyaddr(*packed(text)) is not None) != found:
        raise SystemExit("gethostbyaddr(%s) is not what was expected" % text)
    expected("gethostbyaddr", None, OK if found else FAILED, address=text)


def by_address_r(text, code, **more):
    reentrant(libc.gethostbyaddr_r, code, *packed(text), **more)
    expected("gethostbyaddr_r", None, code, address=text)


def slow(number):
    resolve("slow-%d.test" % number, 80, socket.AF_INET, socket.SOCK_STREAM, result=0)


def hostile():
    libc.prctl(15, HOSTILE)
    resolve(HOSTILE, 80, socket.AF_INET, comm=shown(HOSTILE, 15), escaped=["comm", "host"])


# On one CPU threads preempt each other where programs do not have it for themselves.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
made = []
try:
    mounted("/etc/resolv.conf", "nameserver %s\noptions timeout:15 attempts:1\n" % SERVER)
    mounted("/etc/nsswitch.conf", "hosts: files dns\n")
    mounted("/etc/hosts", "127.0.0.1 localhost\n10.26.0.3 known.test\nfd26::3 known6.test\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((SERVER, 53))
    threading.Thread(target=serve, daemon=True).start()

    threads = [threading.Thread(target=slow, args=(number,)) for number in range(WAITING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    inet, stream = socket.AF_INET, socket.SOCK_STREAM
    resolve("good.test", 80, inet, stream, result=0)
    resolve("known.test", 80, inet, stream, result=0)
    resolve("127.0.0.1", 80, result=0)
    resolve(None, 80, result=0)
    resolve("missing.test", 80, inet, stream, result=-2)
    resolve("broken.test", 80, inet, stream, result=-3)
    resolve("not a number", 80, inet, stream, 0, socket.AI_NUMERICHOST, result=-2)
    resolve("localhost", 80, inet, stream, 0, 0x8000000, result=-1)
    resolve("localhost", "no such service", inet, stream, result=-8)
    resolve("localhost", 80, 99, stream, result=-6)
    resolve(("%s." % ("x" * 50)) * 3 + "test", 80, inet, stream)
    by_name(b"missing.test", False)
    by_name2(b"good.test")
    by_name_r(b"known.test", OK)
    by_name_r(b"missing.test", FAILED)
    by_name_r(b"known.test", ERANGE, size=8)
    by_name2_r(b"good.test", OK)
    by_address("10.26.0.3", True)
    by_address("fd26::3", True)
    by_address("10.26.0.9", False)
    by_address_r("10.26.0.3", OK)
    by_address_r("fd26::3", OK)
    by_address_r("10.26.0.9", FAILED)
    by_address_r("10.26.0.3", ERANGE, size=8)
    scope(("pid", [os.getpid(), child(hostile)]))
finally:
    for path in ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"):
        subprocess.run(["umount", os.path.realpath(path)], check=False)
    for path in made:
        os.unlink(path)
    subprocess.run(["rm", "-r", folder], check=True)
