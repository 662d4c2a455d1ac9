"""
Attaches programs to network interfaces so that nothing outlives this process, however it ends: by links of bpf(2) and by
sockets, which the kernel takes back, and before tcx (Linux 6.6) by a filter of tc that a process of its own watches over.
"""

import ctypes
import errno
import fcntl
import os
import platform
import re
import signal
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
BPF_LINK_CREATE = 28
BPF_XDP, BPF_TCX_INGRESS, BPF_TCX_EGRESS = 37, 46, 47
BPF_F_BEFORE = 1 << 3
XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE = 1 << 1, 1 << 2
CLONE_NEWNET = 0x40000000
PR_SET_NAME = 15
SIOCGIFHWADDR = 0x8927
SO_ATTACH_BPF = 50
ETH_P_ALL = 3
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772


class Refused(Exception):
    """Something could not be attached; the text says what."""

    def __init__(self, what, error):
        super().__init__("attach: %s: %s" % (what, error.strerror or error))


def enter(netns):
    """From here on this process sees the interfaces of another network namespace."""
    try:
        descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace, or not ours to enter")
        os.close(descriptor)
    except OSError as error:
        raise Refused(netns, error) from None


class Interface:
    def __init__(self, name):
        self.name = name
        try:
            self.index = socket.if_nametoindex(name)
            self.has_ethernet = self.hardware() in (ARPHRD_ETHER, ARPHRD_LOOPBACK)
        except OSError as error:
            raise Refused("interface %s" % name, error) from None

    def hardware(self):
        """What packets begin with: those of a tunnel have no Ethernet header."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
            answer = fcntl.ioctl(asked, SIOCGIFHWADDR, struct.pack("16s24x", os.fsencode(self.name)))
        return struct.unpack_from("=H", answer, 16)[0]


def create_link(program, interface, kind, flags):
    """A link: the program is attached as long as the descriptor is open."""
    attributes = struct.pack("=IIII48x", program, interface.index, kind, flags)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    link = libc.syscall(BPF_SYSCALL[platform.machine()], BPF_LINK_CREATE, buffer, len(attributes))
    if link < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return link


def attach_xdp(program, interface, modes):
    """In the first mode that will do. Whoever has the interface already keeps it."""
    flags = {"native": XDP_FLAGS_DRV_MODE, "generic": XDP_FLAGS_SKB_MODE}
    for at, mode in enumerate(modes):
        try:
            return create_link(program, interface, BPF_XDP, flags[mode])
        except OSError as error:
            taken = error.errno in (errno.EBUSY, errno.EEXIST)
            if taken or at == len(modes) - 1:
                why = OSError(error.errno, "another XDP program is attached") if taken else error
                raise Refused("interface %s, %s XDP" % (interface.name, mode), why) from None


def attach_tcx(program, interface, direction):
    """Before all others there, so that none of them can keep a packet from it."""
    kind = BPF_TCX_INGRESS if direction == "ingress" else BPF_TCX_EGRESS
    try:
        return create_link(program, interface, kind, BPF_F_BEFORE)
    except OSError as error:
        raise Refused("interface %s, tcx %s" % (interface.name, direction), error) from None


def open_filtered(program, interface):
    """A socket that the program sees all packets of, and that takes none: it is bound when the program is there."""
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, program)
        tap.bind((interface.name, ETH_P_ALL))
        return tap
    except OSError as error:
        raise Refused("interface %s, socket filter" % interface.name, error) from None


# Netlink, as rtnetlink(7) and linux/rtnetlink.h have it.
NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP = 1, 4, 8, 0x300
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWQDISC, RTM_DELQDISC = 36, 37
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_ID = 6, 7, 8, 11
TCA_BPF_FLAG_ACT_DIRECT = 1
CLSACT_HANDLE, CLSACT_PARENT = 0xFFFF0000, 0xFFFFFFF1
PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
FIRST_PRIORITY, LAST_PRIORITY = 1, 0xFFFF


def attribute(kind, value):
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def attributes_of(data):
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[4:size]
        data = data[(size + 3) & ~3 :]
    return found


def info_of(priority):
    """A filter's priority, and that it takes every protocol."""
    return priority << 16 | socket.htons(ETH_P_ALL)


class Netlink:
    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))
        self.number = 0

    def ask(self, kind, flags, message, attributes=b""):
        """Sends one request and returns what came before the answer to it; an error is raised."""
        self.number += 1
        body = struct.pack("=Bxxxi3I", socket.AF_UNSPEC, *message) + attributes
        head = struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, self.number, 0)
        self.socket.send(head + body)
        found = []
        while True:
            data = self.socket.recv(1 << 18)
            while len(data) >= 16:
                size, answer, _, number, _ = struct.unpack_from("=IHHII", data)
                if number == self.number and answer in (NLMSG_ERROR, NLMSG_DONE):
                    code = -struct.unpack_from("=i", data, 16)[0] if answer == NLMSG_ERROR else 0
                    if code != 0:
                        raise OSError(code, os.strerror(code))
                    return found
                if number == self.number:
                    found.append(data[16:size])
                data = data[(size + 3) & ~3 :]


class TcFilter:
    """A program as a filter of tc, in the clsact qdisc of an interface, which is made where there is none."""

    def __init__(self, program, interface, direction):
        self.program = program
        self.interface = interface
        self.direction = direction
        self.parent = PARENTS[direction]
        with open("/proc/self/fdinfo/%d" % program) as info:
            self.id = int(re.search(r"^prog_id:\s*(\d+)$", info.read(), re.M).group(1))
        self.netlink = Netlink()
        self.made_qdisc = False

    def filters(self, parent):
        """Priority, handle and, of a program, its id: of each filter there."""
        answers = self.netlink.ask(RTM_GETTFILTER, NLM_F_DUMP, (self.interface.index, 0, parent, 0))
        for answer in answers:
            handle, _, info = struct.unpack_from("=3I", answer, 8)
            options = attributes_of(attributes_of(answer[20:]).get(TCA_OPTIONS, b""))
            program = options.get(TCA_BPF_ID)
            yield info >> 16, handle, None if program is None else struct.unpack("=I", program)[0]

    def add(self):
        qdisc = (self.interface.index, CLSACT_HANDLE, CLSACT_PARENT, 0)
        try:
            create = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK
            self.netlink.ask(RTM_NEWQDISC, create, qdisc, attribute(TCA_KIND, b"clsact\0"))
            self.made_qdisc = True
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
        taken = {priority for priority, _, _ in self.filters(self.parent)}
        # Before all others, so that none of them can keep a packet from it; a priority is of one filter alone.
        first = min(taken, default=LAST_PRIORITY)
        priority = first - 1 if first > FIRST_PRIORITY else min(set(range(1, LAST_PRIORITY)) - taken)
        options = (
            attribute(TCA_BPF_FD, struct.pack("=I", self.program))
            + attribute(TCA_BPF_NAME, b"ebpf-run\0")
            + attribute(TCA_BPF_FLAGS, struct.pack("=I", TCA_BPF_FLAG_ACT_DIRECT))
        )
        self.netlink.ask(
            RTM_NEWTFILTER,
            NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            (self.interface.index, 0, self.parent, info_of(priority)),
            attribute(TCA_KIND, b"bpf\0") + attribute(TCA_OPTIONS, options),
        )

    def remove(self):
        """Takes out what runs this very program, and the qdisc if it is ours and nobody has put a filter there."""
        try:
            for priority, handle, program in list(self.filters(self.parent)):
                # Without a handle or a priority the kernel would remove more than one filter.
                if program == self.id and handle != 0 and priority != 0:
                    message = (self.interface.index, handle, self.parent, info_of(priority))
                    self.netlink.ask(RTM_DELTFILTER, NLM_F_ACK, message, attribute(TCA_KIND, b"bpf\0"))
            if self.made_qdisc and not any(list(self.filters(parent)) for parent in PARENTS.values()):
                message = (self.interface.index, CLSACT_HANDLE, CLSACT_PARENT, 0)
                self.netlink.ask(RTM_DELQDISC, NLM_F_ACK, message)
        except OSError as error:
            # The interface or its qdisc is gone, and the filter with it.
            if error.errno not in (errno.ENODEV, errno.ENOENT, errno.EINVAL):
                raise


class Watcher:
    """
    A process that puts filters of tc in place and takes them out when this process is gone, whatever ended it: then nobody
    holds the other end of its pipe any more. It has a session of its own, out of reach for what ends our process group.
    """

    def __init__(self, filters):
        self.filters = filters
        lifeline, self.held = os.pipe2(os.O_CLOEXEC)
        told, tell = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                self.watch(lifeline, tell)
            finally:
                os._exit(0)
        os.close(lifeline)
        os.close(tell)
        with open(told, "rb") as answer:
            self.error = answer.read().decode()

    def watch(self, lifeline, tell):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGURG):
            signal.signal(number, signal.SIG_IGN)
        libc.prctl(PR_SET_NAME, b"ebpf-run-watch", 0, 0, 0)
        own = {lifeline, tell, *(each.program for each in self.filters)}
        own |= {each.netlink.socket.fileno() for each in self.filters}
        close_all_but(own)
        error = ""
        try:
            for each in self.filters:
                try:
                    each.add()
                except OSError as problem:
                    what = "interface %s, tc %s" % (each.interface.name, each.direction)
                    error = str(Refused(what, problem))
                    break
            # The filter itself holds the program from here on.
            for program in {each.program for each in self.filters}:
                os.close(program)
            os.write(tell, error.encode())
            os.close(tell)
            if error == "":
                os.read(lifeline, 1)
        finally:
            remove_all(self.filters)

    def end(self):
        """Returns when everything is taken out, by us where somebody has ended the watcher."""
        os.close(self.held)
        os.waitpid(self.pid, 0)
        remove_all(self.filters)


def remove_all(filters):
    # The last first: the qdisc goes with the filter that it was made for.
    for each in reversed(filters):
        each.remove()


def close_all_but(kept):
    """Closes what was inherited, so that nothing of the other process lives on in this one."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                pass


class Attached:
    """What is attached to interfaces, for as long as this object and its process live."""

    def __init__(self):
        self.links = []
        self.taps = []
        self.watcher = None

    def attach(self, programs, interfaces):
        """`programs`: descriptor and how to attach it, as src/plan/bcc-program.ts has it."""
        filters = []
        for program, each in programs:
            for interface in interfaces:
                if each["kind"] == "xdp":
                    self.links.append(attach_xdp(program, interface, each["event"].split(",")))
                elif each["kind"] == "tcx":
                    self.links.append(attach_tcx(program, interface, each["event"]))
                elif each["kind"] == "socket":
                    self.taps.append(open_filtered(program, interface))
                else:
                    filters.append(TcFilter(program, interface, each["event"]))
        if filters:
            self.watcher = Watcher(filters)
            if self.watcher.error:
                raise Exception(self.watcher.error)

    def detach(self):
        for link in self.links:
            os.close(link)
        for tap in self.taps:
            tap.close()
        if self.watcher is not None:
            self.watcher.end()
