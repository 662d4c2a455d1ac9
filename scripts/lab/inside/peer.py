"""A TCP peer made of frames, at the far end of a cable: which segments reach the kernel, and when, is the workload's to say."""

import select
import socket
import struct
import subprocess
import time

FIN, SYN, RST, PSH, ACK, ECE, CWR = (1 << bit for bit in (0, 1, 2, 3, 4, 6, 7))
NEAR = {4: "10.98.0.1", 6: "fd98::1"}
FAR = {4: "10.98.0.2", 6: "fd98::2"}
NEAR_MAC, FAR_MAC = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 2])
MSS = bytes([2, 4]) + struct.pack("!H", 1400)
PATIENCE = 30


def sh(*words):
    subprocess.run(words, check=True)


def setting(name, value):
    """A setting of this network namespace; some kernels do not have it."""
    try:
        with open("/proc/sys/net/" + name, "w") as file:
            file.write(str(value))
    except OSError:
        pass


def tcp_info(sock):
    """Congestion state, segments that are out, and smoothed round-trip time in microseconds."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return {"ca_state": raw[1], "unacked": struct.unpack_from("I", raw, 24)[0], "rtt": struct.unpack_from("I", raw, 68)[0]}


def until(holds, what):
    """Waits until it holds; a workload that waits in vain has failed."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("waited in vain for " + what)
        time.sleep(0.001)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data[: len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Cable:
    """Two ends of a veth in this network namespace: the kernel's own, with addresses, and one that only frames go through."""

    def __init__(self):
        sh("ip", "link", "add", "near0", "address", "02:00:00:00:00:01", "type", "veth",
           "peer", "name", "far0", "address", "02:00:00:00:00:02")
        setting("ipv6/conf/far0/disable_ipv6", 1)
        for end in ("near0", "far0"):
            sh("ip", "link", "set", end, "up")
        # No time-outs but those that are waited for, however slow the machine is.
        sh("ip", "addr", "add", NEAR[4] + "/32", "dev", "near0")
        sh("ip", "-6", "addr", "add", NEAR[6] + "/128", "dev", "near0", "nodad")
        for family in (4, 6):
            sh("ip", "-%d" % family, "route", "add", FAR[family], "dev", "near0", "src", NEAR[family], "rto_min", "2s")
        for family in (4, 6):
            sh("ip", "-%d" % family, "neigh", "add", FAR[family], "lladdr", "02:00:00:00:00:02",
               "dev", "near0", "nud", "permanent")
        self.frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.frames.bind(("far0", 3))
        self.waiting = []

    def send(self, frame):
        self.frames.send(frame)

    def next(self, wanted, timeout=PATIENCE):
        """The next segment from the kernel that is wanted; others stay."""
        end = time.monotonic() + timeout
        while True:
            for at, segment in enumerate(self.waiting):
                if wanted(segment):
                    return self.waiting.pop(at)
            ready, _, _ = select.select([self.frames], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            segment = parse(self.frames.recv(65535))
            if segment is not None:
                self.waiting.append(segment)


def parse(frame):
    """A TCP segment that the kernel sent, else null."""
    if frame[6:12] != NEAR_MAC:
        return None
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and frame[23] == 6:
        at = 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack_from("!H", frame, 16)[0]
    elif kind == 0x86DD and frame[20] == 6:
        at = 54
        end = at + struct.unpack_from("!H", frame, 18)[0]
    else:
        return None
    sport, dport, seq, ack, size, flags = struct.unpack_from("!HHIIBB", frame, at)
    return {"sport": sport, "dport": dport, "seq": seq, "ack": ack, "flags": flags, "length": end - at - (size >> 4) * 4}


class Connection:
    """One TCP connection, seen from the far end."""

    def __init__(self, cable, family, near_port, far_port):
        self.cable, self.family = cable, family
        self.near_port, self.far_port = near_port, far_port
        self.seq, self.ack = 1000, 0

    def take(self, flags, timeout=PATIENCE):
        """The kernel's next segment with these flags, which is taken note of; None when there is none in time."""
        def wanted(segment):
            return (segment["sport"], segment["dport"]) == (self.near_port, self.far_port) and segment["flags"] & flags == flags

        segment = self.cable.next(wanted, timeout)
        if segment is not None:
            spent = segment["length"] + bool(segment["flags"] & (SYN | FIN))
            end = (segment["seq"] + spent) & 0xFFFFFFFF
            if spent > 0 and (self.ack == 0 or (end - self.ack) & 0xFFFFFFFF < 1 << 31):
                self.ack = end
        return segment

    def data(self):
        """Takes segments until one has data that did not come before; what is sent again is passed over."""
        before = self.ack
        until(lambda: self.take(ACK) is not None and self.ack != before, "data")

    def send(self, flags, options=b"", ack=None):
        """One segment to the kernel; `ack` is how far it acknowledges, by default all that was taken."""
        last = self.ack if ack is None else ack
        head = struct.pack("!HHIIBBHHH", self.far_port, self.near_port, self.seq, last if flags & ACK else 0,
                           (20 + len(options)) // 4 << 4, flags, 60000, 0, 0) + options
        own, other = FAR[self.family], NEAR[self.family]
        kind = socket.AF_INET6 if self.family == 6 else socket.AF_INET
        addresses = socket.inet_pton(kind, own) + socket.inet_pton(kind, other)
        total = checksum(addresses + struct.pack("!II" if self.family == 6 else "!HH", *((len(head), 6) if self.family == 6 else (6, len(head)))) + head)
        segment = head[:16] + struct.pack("!H", total) + head[18:]
        if self.family == 6:
            packet = struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + addresses + segment
        else:
            first = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0)
            packet = first[:10] + struct.pack("!H", checksum(first + addresses)) + addresses + segment
        self.cable.send(NEAR_MAC + FAR_MAC + (b"\x86\xdd" if self.family == 6 else b"\x08\x00") + packet)
        if flags & (SYN | FIN):
            self.seq += 1

    def answer(self, sock, delay=0.0, flags=0, near=None):
        """The handshake of a connect() of the kernel's side, answered after a while; flags go with the SYN-ACK."""
        sock.setblocking(False)
        sock.connect_ex((near or FAR[self.family], self.far_port))
        self.take(SYN)
        time.sleep(delay)
        self.send(SYN | ACK | flags, MSS)
        self.take(ACK)
        sock.setblocking(True)

    def open(self):
        """A SYN of ours, and the kernel's answer: the handshake lacks its last segment."""
        self.send(SYN, MSS)
        self.take(SYN | ACK)

    def reset(self, sock):
        """Ends the connection: the kernel's side closes, and its FIN is answered by a reset."""
        sock.close()
        self.take(FIN)
        self.send(RST | ACK)
