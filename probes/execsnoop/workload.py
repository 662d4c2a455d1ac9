"""23 executions: plain, hostile arguments and names, long lists, failed ones, and one by descriptor."""

import os
import sys

sys.path.insert(0, sys.argv[1])
from workload import HOSTILE, child, expect, scope, shown

TRUE = os.path.realpath("/bin/true")
parent = os.getpid()


def words(argv):
    return [shown(each, 128) for each in argv]


def run(argv, path=TRUE, by_descriptor=False):
    def task():
        if by_descriptor:
            os.execve(os.open(path, os.O_RDONLY), argv, os.environ)
        os.execv(path, argv)

    pid = child(task)
    fields = {} if by_descriptor else {"filename": path, "comm": os.path.basename(path)}
    expect(
        pid=pid,
        ppid=parent,
        argc=len(argv),
        argv={"starts": words(argv)[:20], "length": len(argv)},
        ret=0,
        errno=None,
        **fields,
    )


def fail(argv, path, errno, name):
    def task():
        try:
            os.execv(path, argv)
        except OSError:
            pass

    pid = child(task)
    expect(
        pid=pid,
        ppid=parent,
        filename=path,
        argv={"readable": words(argv)},
        ret=-errno,
        errno=name,
    )


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
