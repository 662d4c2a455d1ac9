"""
A bcc that compiles and attaches nothing: it plays the steps of steps.json beside it, for the driver of ebpf-run
(src/backends/bcc/driver.py). make-fake-bcc.ts describes the steps.
"""

import ctypes
import json
import os
import sys
import time

__version__ = "0.26.0"
HERE = os.path.dirname(os.path.abspath(__file__))


class Value:
    def __init__(self, value):
        self.value = value


class Gate:
    def __init__(self, bpf):
        self.bpf = bpf

    def __setitem__(self, key, leaf):
        self.bpf.gate = leaf.value


class Counts:
    def __init__(self, bpf):
        self.bpf = bpf

    def sum(self, at):
        return Value(self.bpf.counts.get(at, 0))


class Groups:
    """A map of groups, keys and values as C has them: each look at it plays a step."""

    def __init__(self, bpf):
        self.bpf = bpf
        self.entries = []

    def items(self):
        if self.bpf.steps:
            step = self.bpf.steps.pop(0)
            self.bpf.counts[1] = step["counted"]
            self.entries = [tuple(bytes.fromhex(each) for each in entry) for entry in step["entries"]]
        for key, value in self.entries:
            yield ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))


class Out:
    def __init__(self, bpf):
        self.bpf = bpf

    def open_perf_buffer(self, callback, page_cnt, lost_cb):
        self.bpf.callback, self.bpf.lost, self.bpf.pages = callback, lost_cb, page_cnt

    def open_ring_buffer(self, callback):
        self.bpf.callback = callback


class BPF:
    def __init__(self, text, cflags=()):
        with open(os.path.join(HERE, "steps.json")) as file:
            self.steps = json.load(file)
        self.said = open(os.path.join(HERE, "said"), "w")
        self.say({"program": text.decode()})
        self.gate, self.counts, self.kept = 0, {}, []
        for step in self.steps:
            if step["do"] == "raise":
                os.write(2, step.get("stderr", "").encode())
                raise Exception(step["text"])
        self.tables = {"er_gate": Gate(self), "er_counts": Counts(self), "er_out": Out(self)}

    def say(self, what):
        self.said.write(json.dumps(what) + "\n")
        self.said.flush()

    def __getitem__(self, name):
        if name.startswith("er_groups_"):
            self.tables.setdefault(name, Groups(self))
        return self.tables[name]

    def attach_kprobe(self, event, fn_name):
        self.say({"kprobe": event.decode(), "function": fn_name.decode()})

    def attach_kretprobe(self, event, fn_name, maxactive):
        self.say({"kretprobe": event.decode(), "function": fn_name.decode(), "instances": maxactive})

    def attach_uprobe(self, name, sym, fn_name):
        self.say({"uprobe": sym.decode(), "library": name.decode(), "function": fn_name.decode()})

    def attach_uretprobe(self, name, sym, fn_name):
        self.say({"uretprobe": sym.decode(), "library": name.decode(), "function": fn_name.decode()})

    def perf_buffer_poll(self, milliseconds):
        if self.steps and self.play(self.steps[0]):
            self.steps.pop(0)
        else:
            time.sleep(milliseconds / 1000)

    ring_buffer_poll = perf_buffer_poll

    def play(self, step):
        """One step; False when it is not over. Events that come behind a closed gate are not emitted."""
        if step["do"] == "events":
            if self.gate != 1:
                return False
            self.emit(step)
        elif step["do"] == "late":
            # Emitted in time, but handed over only when the driver drains.
            if not step.get("counted"):
                self.count(step)
                step["counted"] = True
            if self.gate == 1:
                return False
            self.hand_over(step)
        elif step["do"] == "flood":
            # bcc goes on as long as there is something.
            while self.gate == 1:
                self.emit(step)
        elif step["do"] == "die":
            os._exit(3)
        return True

    def count(self, step):
        at = step.get("at", 1)
        self.counts[at] = self.counts.get(at, 0) + len(step["records"]) + step.get("lose", 0)

    def emit(self, step):
        self.count(step)
        self.hand_over(step)

    def hand_over(self, step):
        for record in step["records"]:
            data = bytes.fromhex(record)
            self.kept = ctypes.create_string_buffer(data, len(data))
            self.callback(0, ctypes.addressof(self.kept), len(data))
        if step.get("lose"):
            self.lost(step["lose"])

    def cleanup(self):
        self.say({"cleanup": True})
