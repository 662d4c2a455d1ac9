"""What the workloads of the probes share. A workload prints JSON lines: what to look at, and one expectation an event."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time

HOSTILE = b'a\n1\t2"\\\x1f\xff\x01z'


def scope(*parts):
    """Events with one of these values in one of these fields are the workload's."""
    line = {"scope": [{"field": field, "values": values} for field, values in parts]}
    print(json.dumps({**line, **({"since": born} if born is not None else {})}), flush=True)


def expect(**fields):
    """One event that must come. {"any": [...]} is a choice, {"between": [least, most]} a range, {"contains": [...]} a call stack with one of these functions, {"same": NAME} one value wherever that name stands, and another for each name; a field that is not named is not looked at."""
    print(json.dumps({"expect": fields}), flush=True)


def rule(where, **fields):
    """Every event with these values must have those fields, however many come."""
    print(json.dumps({"rule": {"where": where, "fields": fields}}), flush=True)


def at_least(**fields):
    """One such event must come, beside others like it."""
    print(json.dumps({"atLeast": fields}), flush=True)


def total(count):
    """How many events must come in all, where not each can be named."""
    print(json.dumps({"total": count}), flush=True)


def others():
    """Any number of events may come beside those that are named; rules hold for them."""
    print(json.dumps({"others": True}), flush=True)


def shown(raw, limit):
    """Bytes as ebpf-run shows them: valid UTF-8 as it is, else \\xNN for each other byte and for each own backslash."""
    cut = raw[:limit]
    try:
        return cut.decode()
    except UnicodeDecodeError:
        pass
    out = ""
    at = 0
    while at < len(cut):
        for size in (4, 3, 2, 1):
            piece = cut[at : at + size]
            try:
                text = piece.decode()
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                out += "\\x5c" if text == "\\" else text
                at += len(piece)
                break
        else:
            out += "\\x%02x" % cut[at]
            at += 1
    return out


def own_ports(first, size=50, ranges=19):
    """The first of `size` ports that no other workload of this kind has now: several run at once on one machine."""
    for step in range(ranges):
        at = first + (os.getpid() + step) % ranges * size
        try:
            lock.bind(("127.0.0.1", at))
            return at
        except OSError:
            pass
    raise SystemExit("no ports are free")


lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def variant():
    """The variant that is tried, where the lab runs one: some see what others cannot."""
    return os.environ.get("EBPF_RUN_VARIANT", "")


def switches():
    """The probe's switches that are on, where the lab runs it."""
    return os.environ.get("EBPF_RUN_SWITCHES", "").split()


def alone():
    """Whether nobody else traces this kernel: in a guest, where one variant is tried at a time."""
    return "EBPF_RUN_ALONE" in os.environ and variant() != ""


def tracepoint_fields(name):
    """The names of a tracepoint's fields on this kernel; none where there is no such tracepoint."""
    path = "events/%s/format" % name.replace(":", "/")
    # A workload has a mount namespace of its own.
    if not os.path.isdir("/sys/kernel/tracing/events") and not os.path.isdir("/sys/kernel/debug/tracing/events"):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], check=True)
    for root in ("/sys/kernel/tracing/", "/sys/kernel/debug/tracing/"):
        try:
            with open(root + path) as text:
                return [line.split(";")[0].split()[-1].split("[")[0] for line in text if "\tfield:" in line]
        except FileNotFoundError:
            pass
    return []


def rename(raw):
    with open("/proc/self/comm", "wb") as comm:
        comm.write(raw)


def sh(*words):
    subprocess.run(words, check=True)


def quietly(*words):
    subprocess.run(words, check=False, stderr=subprocess.DEVNULL)


def setting(name, value):
    """A setting of the namespace's network, where this kernel has it."""
    try:
        with open("/proc/sys/net/" + name, "w") as file:
            file.write(str(value))
    except FileNotFoundError:
        pass


def enter(name):
    """The network namespace that `ip netns` knows by this name."""
    descriptor = os.open("/run/netns/" + name, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(descriptor)


def linked_networks(name, *pairs):
    """Two network namespaces, name + "a" and name + "b", with a cable between them (v, w) and each pair of addresses on its ends; this process enters the first."""
    global born
    born = now()
    sh("ip", "netns", "add", name + "a")
    sh("ip", "netns", "add", name + "b")
    sh("ip", "link", "add", name + "v", "netns", name + "a", "type", "veth", "peer", "name", name + "w", "netns", name + "b")
    for space, link, addresses in zip((name + "a", name + "b"), (name + "v", name + "w"), zip(*pairs)):
        for address in addresses:
            # An IPv6 address is used for nothing while the kernel looks for another one that has it.
            sh("ip", "-n", space, "addr", "add", *((address + "/64", "nodad") if ":" in address else (address + "/24",)), "dev", link)
        sh("ip", "-n", space, "link", "set", link, "up")
        sh("ip", "-n", space, "link", "set", "lo", "up")
    enter(name + "a")
    return os.stat("/proc/self/ns/net").st_ino


def reach(address):
    """Waits until packets get to an IPv6 address of the other side: while its neighbour is looked for they wait in a queue, a second or more."""
    probe = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    probe.settimeout(0.2)
    probe.connect((address, 9))
    for _ in range(100):
        try:
            probe.send(b"?")
            probe.recv(1)
        except ConnectionRefusedError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("%s does not answer" % address)


def unlink_networks(name):
    """Removes both. What comes from now on is another's: a namespace that is new may get the inode of one that is gone."""
    print(json.dumps({"until": now()}), flush=True)
    for each in "ab":
        quietly("ip", "netns", "del", name + each)


def counted(file, group, name):
    """One of the namespace's own counters, from /proc/net/snmp or /proc/net/netstat."""
    names, values = [line.split() for line in open("/proc/self/net/" + file) if line.startswith(group + ":")]
    return int(values[names.index(name)])


def retransmitted():
    """The namespace's own count of segments sent again, those included that could not be sent."""
    return counted("snmp", "Tcp", "RetransSegs")


def not_retransmitted():
    """Those of them that could not be sent."""
    return counted("netstat", "TcpExt", "TCPRetransFail")


# When this process got a network namespace: one that is gone may have had the same inode before.
born = None


def now():
    """RFC 3339 in UTC, to the nanosecond."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%09dZ" % rest


def own_network():
    """A network namespace with nothing but a loopback device, for this process and its children; returns its inode."""
    global born
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    born = now()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return os.stat("/proc/self/ns/net").st_ino


def child(task):
    """Runs the task in a child and waits for it; returns the child's pid."""
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
    return pid
