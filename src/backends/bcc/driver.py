"""
Runs one bcc program for ebpf-run, whatever the probe: reads a line of JSON from stdin (src/plan/bcc-plan.ts), compiles and
attaches the program in it, and prints what the program emits as records with the run's token, as bpftrace does it.

SIGURG closes the gate: nothing is emitted after it, and the end record follows with the final counts.
SIGINT and SIGTERM close it too, read what is left, print the final counts and end.
"""

import ctypes
import fcntl
import functools
import itertools
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True

PR_SET_PDEATHSIG = 1
MEMBARRIER_GLOBAL = 1
MEMBARRIER = {"x86_64": 324, "aarch64": 283}
FLUSH_BYTES = 65536
FOLDER = os.path.dirname(os.path.abspath(__file__))

libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def give_up(what, error):
    """One line that src/session/stderr.ts understands, after whatever clang and the verifier have said."""
    text = " ".join(str(error).split())
    os.write(2, ("\nbcc driver: %s: %s\n" % (what, text)).encode(errors="replace"))
    sys.exit(1)


def step_of(error):
    """What bcc was at: it has no classes for its errors, and attaches tracepoints where it compiles."""
    return next((step for step in ("compile", "attach") if step in str(error)), "load")


class Output:
    """Standard output. When nobody reads it any more, the run is over."""

    def __init__(self):
        self.pending = []
        self.size = 0
        self.broken = False

    def add(self, line):
        self.pending.append(line)
        self.size += len(line)
        if self.size >= FLUSH_BYTES:
            self.flush()

    def flush(self):
        data = memoryview(b"".join(self.pending))
        self.pending = []
        self.size = 0
        try:
            while data and not self.broken:
                data = data[os.write(1, data) :]
        except OSError:
            self.broken = True


@functools.lru_cache(maxsize=4096)
def address(raw):
    return socket.inet_ntop(socket.AF_INET6, raw).encode()


def text(raw):
    end = raw.find(b"\0")
    return raw if end < 0 else raw[:end]


@functools.lru_cache(maxsize=16384)
def function_at(address):
    """A line of a call stack as bpftrace prints it: function+offset, in decimal digits."""
    from bcc import BPF

    name, plus, offset = BPF.ksym(address, show_offset=True).partition(b"+0x")
    return b"\n        %s+%d" % (name, int(offset, 16)) if plus else b"\n        0x%x" % address


def stack(raw):
    frames = struct.unpack("=%dQ" % (len(raw) // 8), raw)
    return b"".join(function_at(each) for each in itertools.takewhile(bool, frames)) + b"\n"


TURNS = {"address": address, "text": text, "stack": stack}
CODES = {"u64": "Q", "i64": "q", "u32": "I", "i32": "i", "u16": "H", "u8": "B"}
HEADER = struct.Struct("=I")


def writer(token, record):
    """A function that turns the bytes of one record into its line."""
    members = record["members"]
    codes = [CODES.get(each["type"], "%ds" % each["bytes"]) for each in members]
    unpack = struct.Struct("=8x" + "".join(codes)).unpack_from
    names = [each["name"] for each in members]
    types = {each["name"]: each["type"] for each in members}
    order = [names.index(name) for name in record["closed"] + record["texts"]]
    turns = [(at, TURNS[types[name]]) for at, name in enumerate(names) if types[name] in TURNS]
    number = {name: b"\t%x" if name in record["hex"] else b"\t%d" for name in record["closed"]}
    shown = [b"\t%s" if types[name] == "address" else number[name] for name in record["closed"]]
    mark = token.encode()
    line = mark + record["code"].encode() + b"".join(shown)
    line += (mark + b"\t%s") * len(record["texts"]) + mark + b"\n"

    def write(data):
        values = list(unpack(data))
        for at, turn in turns:
            values[at] = turn(values[at])
        return line % tuple([values[at] for at in order])

    return write


def bounds(at):
    """A bucket of a histogram as bpftrace writes it: below 0, 0, 1, then powers of two."""
    if at == 0:
        return b"(..., 0)"
    if at < 3:
        return b"[%d]" % (at - 1)
    return b"[%d, %d)" % (1 << (at - 2), 1 << (at - 1))


def map_key(numbers):
    return b"[%s]" % b",".join(numbers) if numbers else b""


def dump_powers(name, key, buckets, add):
    add(b"%s%s: \n" % (name, map_key(key)))
    for at, count in enumerate(buckets):
        if count:
            add(b"%-16s %d ||\n" % (bounds(at), count))


def dump_counts(name, key, buckets, add):
    for at, count in enumerate(buckets):
        if count:
            add(b"%s%s: %d\n" % (name, map_key(key + [b"%d" % at]), count))


class Texts:
    """Numbers for texts that are keys: a record announces each before the map that its number stands in."""

    def __init__(self, token):
        self.mark = token.encode()
        self.numbers = {}

    def number(self, code, raw, announce):
        key = code, text(raw)
        if key not in self.numbers:
            self.numbers[key] = len(self.numbers) + 1
            announce(b"%s%s\t%d%s\t%s%s\n" % (self.mark, code, self.numbers[key], self.mark, key[1], self.mark))
        return self.numbers[key]


class Group:
    """The map of one event type that is aggregated in the kernel, printed as bpftrace prints it."""

    def __init__(self, token, group, table, texts):
        self.table = table
        self.texts = texts
        self.measures = [(each["buckets"], each["is_linear"]) for each in group["measures"]]
        self.keys = [(each["as"], each["text"].encode()) for each in group["keys"]]
        forms = {"number": "q", "address": "16s", "text": "%ds"}
        codes = [forms[each["as"]].replace("%d", str(each["bytes"])) for each in group["keys"]]
        self.unpack_key = struct.Struct("=" + "".join(codes)).unpack_from
        self.unpack = struct.Struct("=%dq" % (1 + sum(1 + buckets for buckets, _ in self.measures))).unpack
        self.name = b"_%s_%s" % (token.encode(), group["code"].encode())

    def numbers(self, raw, announce):
        numbers = []
        for (form, code), value in zip(self.keys, self.unpack_key(raw)):
            if form == "address":
                numbers += struct.unpack("=4I", value)
            else:
                numbers.append(self.texts.number(code, value, announce) if form == "text" else value)
        return [b"%d" % each for each in numbers]

    def dump(self, add):
        for raw, value in self.table.items():
            numbers = self.numbers(bytes(raw), add)
            count, *words = self.unpack(bytes(value))
            # A group is made before anything is added to it.
            if count == 0:
                continue
            add(b"@s%s%s: %d\n" % (self.name, map_key(numbers), count))
            for measure, (size, is_linear) in enumerate(self.measures):
                total, *buckets = words[: 1 + size]
                del words[: 1 + size]
                if not any(buckets):
                    continue
                add(b"@a%s_%d%s: %d\n" % (self.name, measure, map_key(numbers), total))
                histogram = b"@h%s_%d" % (self.name, measure)
                (dump_counts if is_linear else dump_powers)(histogram, numbers, buckets, add)


class Run:
    def __init__(self, request, bpf):
        self.bpf = bpf
        self.token = request["token"]
        self.counts = request["counts"]
        self.full_at = request["full_at"]
        self.unowned_at = request["unowned_at"]
        self.beat_ns = request["beat_ms"] * 1000000
        self.is_ring = request["transport"] == "ring buffer"
        self.writers = [writer(self.token, record) for record in request["records"]]
        self.sizes = [record["bytes"] for record in request["records"]]
        # Without records events are aggregated, and stay in their maps.
        self.sends = bool(self.writers)
        texts = Texts(self.token)
        self.groups = [Group(self.token, each, bpf[each["map"]], texts) for each in request["groups"]]
        self.interval_ns = (request["interval_ms"] or 0) * 1000000
        self.dump_code = request["dump_code"]
        self.next_dump = 0
        self.out = Output()
        self.received = 0
        self.marks = 0
        self.next_beat = 0
        self.is_closing = False
        self.is_ending = False
        if not self.sends:
            return
        out = bpf["er_out"]
        if self.is_ring:
            out.open_ring_buffer(self.take)
        else:
            out.open_perf_buffer(self.take, page_cnt=request["pages"], lost_cb=self.lost)

    def take(self, _, data, size):
        record = HEADER.unpack(ctypes.string_at(data, 4))[0]
        self.out.add(self.writers[record](ctypes.string_at(data, self.sizes[record])))
        self.received += 1
        # Under a flood bcc does not return from polling.
        if time.monotonic_ns() >= self.next_beat:
            self.beat()
        return 0

    def lost(self, count):
        """A hint for people; what is lost follows from the counts."""
        self.out.add(b"Lost %d events\n" % count)

    def control(self, code):
        line = "%s%s\t%d%s\n" % (self.token, code, time.clock_gettime_ns(time.CLOCK_MONOTONIC), self.token)
        self.out.add(line.encode())

    def count(self, at):
        return self.bpf["er_counts"].sum(at).value

    def emitted(self):
        return sum(self.count(each["at"]) for each in self.counts)

    def print_counts(self):
        self.marks += 1
        lines = ["@n_%s_%s_%d: %d" % (self.token, each["code"], each["site"], self.count(each["at"])) for each in self.counts]
        if self.full_at is not None:
            lines.append("@f_%s: %d" % (self.token, self.count(self.full_at)))
        if self.unowned_at is not None:
            lines.append("@w_%s: %d" % (self.token, self.count(self.unowned_at)))
        lines.append("@z_%s: %d" % (self.token, self.marks))
        self.out.add(("\n".join(lines) + "\n").encode())

    def dump(self):
        """The maps of groups as they are, and the record that says that these were all."""
        if not self.sends:
            for group in self.groups:
                group.dump(self.out.add)
            self.control(self.dump_code)

    def beat(self):
        self.next_beat = time.monotonic_ns() + self.beat_ns
        self.control("8")
        self.print_counts()
        self.out.flush()
        if self.out.broken:
            self.set_gate(2)

    def set_gate(self, value):
        self.bpf["er_gate"][ctypes.c_int(0)] = ctypes.c_uint(value)

    def poll(self, milliseconds):
        if not self.sends:
            time.sleep(milliseconds / 1000)
        elif self.is_ring:
            self.bpf.ring_buffer_poll(milliseconds)
        else:
            self.bpf.perf_buffer_poll(milliseconds)

    def drain(self):
        """Until all that was emitted is here, or nothing moves for 300 ms."""
        if not self.sends:
            return
        quiet_since = time.monotonic()
        while not self.out.broken and time.monotonic() - quiet_since < 0.3:
            before = self.received
            self.poll(20)
            if self.received >= self.emitted():
                return
            if self.received > before:
                quiet_since = time.monotonic()

    def finish_emitting(self):
        """Closes the gate and waits for programs that have passed it. With one CPU the kernel does not wait: it thinks of none preempted."""
        self.set_gate(2)
        number = MEMBARRIER.get(platform.machine())
        if number is None or os.cpu_count() == 1 or libc.syscall(number, MEMBARRIER_GLOBAL, 0, 0) != 0:
            time.sleep(0.05)

    def close(self):
        """The time is taken when nothing can be emitted any more; what is still in the buffer comes before it."""
        self.finish_emitting()
        self.drain()
        self.control("9")
        self.dump()
        self.print_counts()
        self.out.flush()

    def on_signal(self, number, _):
        # At once, and here: a flood keeps the main loop from hearing of it.
        self.set_gate(2)
        if number == signal.SIGURG:
            self.is_closing = True
        else:
            self.is_ending = True

    def serve(self):
        for number in (signal.SIGURG, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.on_signal)
        self.set_gate(1)
        # Everything is attached: the first record says so.
        self.beat()
        self.next_dump = time.monotonic_ns() + self.interval_ns
        while not self.is_ending and not self.out.broken:
            if self.is_closing:
                self.is_closing = False
                self.close()
            left = (self.next_beat - time.monotonic_ns()) // 1000000
            self.poll(max(0, min(50, left)))
            if time.monotonic_ns() >= self.next_beat:
                self.beat()
            if self.interval_ns and time.monotonic_ns() >= self.next_dump:
                self.next_dump += self.interval_ns
                self.dump()
            self.out.flush()
        self.finish_emitting()
        self.drain()
        self.print_counts()
        self.out.flush()


ON_INTERFACES = {"xdp": "XDP", "tcx": "SCHED_CLS", "tc": "SCHED_CLS", "socket": "SOCKET_FILTER"}
"""The kinds of programs that are attached to network interfaces, and what bcc calls their types."""


def attach_to_interfaces(bpf, request):
    """Attaches what belongs on interfaces, and tells the program their names. Returns what holds it all."""
    here = [each for each in request["attach"] if each["kind"] in ON_INTERFACES]
    if not here:
        return None
    sys.path.insert(0, FOLDER)
    import interfaces

    place = request["place"]
    if place["netns"] is not None:
        interfaces.enter(place["netns"])
    found = [interfaces.Interface(name) for name in place["interfaces"]]
    names = bpf["er_interfaces"]
    for each in found:
        leaf = names.Leaf()
        leaf.name, leaf.ethernet = os.fsencode(each.name), each.has_ethernet
        names[ctypes.c_uint(each.index)] = leaf
    types = [getattr(type(bpf), ON_INTERFACES[each["kind"]]) for each in here]
    programs = [bpf.load_func(each["function"].encode(), kind).fd for each, kind in zip(here, types)]
    attached = interfaces.Attached()
    attached.attach(list(zip(programs, here)), found)
    return attached


PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
PERF_EVENT_IOC_SET_BPF = 0x40042408
PERF_EVENT_IOC_ENABLE = 0x2400
PERF_FLAG_FD_CLOEXEC = 8
UPROBES = "/sys/bus/event_source/devices/uprobe/"
# struct perf_event_attr up to config2: type, size, config, sample_period, sample_type, read_format, flags, wakeup_events, bp_type,
# config1, config2.
PERF_EVENT_ATTR = struct.Struct("=IIQQQQQIIQQ")
COUNTER_SHIFT = 32


def attach_mark(bpf, each):
    """
    A program at each place of a mark. Not by bcc, which has no word for the counter that the kernel is to raise: this is the
    kernel's own device, which does it for every process that has the file mapped, from 4.20 on. It ends with us.
    """
    program = bpf.load_func(each["function"].encode(), bpf.KPROBE).fd
    path = ctypes.create_string_buffer(each["path"].encode())
    with open(UPROBES + "type") as text:
        kind = int(text.read())
    for place in each["places"]:
        counter = place["counter"] or 0
        if counter and not os.path.exists(UPROBES + "format/ref_ctr_offset"):
            raise OSError("attach: %s has a counter, which this kernel cannot raise" % each["event"])
        attr = PERF_EVENT_ATTR.pack(
            kind, PERF_EVENT_ATTR.size, counter << COUNTER_SHIFT, 1, 0, 0, 0, 1, 0, ctypes.addressof(path), place["offset"]
        )
        event = libc.syscall(PERF_EVENT_OPEN[platform.machine()], attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)
        if event < 0:
            # EINVAL: somebody else has the place without the counter.
            raise OSError("attach: %s at %#x: %s" % (each["event"], place["offset"], os.strerror(ctypes.get_errno())))
        fcntl.ioctl(event, PERF_EVENT_IOC_SET_BPF, program)
        fcntl.ioctl(event, PERF_EVENT_IOC_ENABLE, 0)


def attach(bpf, each):
    if each["kind"] in ON_INTERFACES:
        return
    if each["kind"] == "usdt":
        attach_mark(bpf, each)
        return
    event, function = each["event"].encode(), each["function"].encode()
    if each["kind"] == "kprobe":
        bpf.attach_kprobe(event=event, fn_name=function)
    elif each["kind"] == "kretprobe":
        bpf.attach_kretprobe(event=event, fn_name=function, maxactive=each["instances"])
    elif each["kind"] == "uretprobe":
        bpf.attach_uretprobe(name=each["path"].encode(), sym=event, fn_name=function)
    else:
        bpf.attach_uprobe(name=each["path"].encode(), sym=event, fn_name=function)


def symbol_flags(names):
    """Addresses of variables of the kernel, as macros. bcc's own list of symbols leaves variables out."""
    if not names:
        return []
    with open("/proc/kallsyms") as symbols:
        lines = [line.split() for line in symbols]
    found = {line[2]: line[0] for line in lines if len(line) == 3 and line[1] in "bBdDrR" and line[2] in names}
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError("/proc/kallsyms has no %s" % ", ".join(missing))
    return ["-DER_SYMBOL_%s=0x%sULL" % each for each in found.items()]


def main():
    try:
        request = json.loads(sys.stdin.buffer.read())
    except ValueError as error:
        give_up("request", error)
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        pass
    if not request["headers"]:
        # In place of the kernel's headers, for programs that need none: what bcc itself includes.
        os.environ["BCC_KERNEL_SOURCE"] = os.path.join(FOLDER, "kernel")
    # bcc's own limit is 1000 at once; what is asked for was counted already.
    os.environ["BCC_PROBE_LIMIT"] = str(max(1000, 2 * len(request["attach"])))
    try:
        from bcc import BPF
    except ImportError as error:
        give_up("import", error)
    try:
        # Tracepoints are attached here as well.
        bpf = BPF(text=request["program"].encode(), cflags=symbol_flags(request["symbols"]))
    except Exception as error:
        give_up(step_of(error), error)
    # From here on there is something to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    attached = None
    try:
        try:
            for each in request["attach"]:
                attach(bpf, each)
            attached = attach_to_interfaces(bpf, request)
            run = Run(request, bpf)
        except Exception as error:
            give_up(step_of(error), error)
        run.serve()
    finally:
        if attached is not None:
            attached.detach()
        # A kretprobe with instances of its own has a name in tracefs, which would outlive us.
        bpf.cleanup()
    # bcc cleans up once more at exit; there is nothing left to do.
    os._exit(0 if not run.out.broken else 141)


main()
