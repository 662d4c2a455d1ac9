"""The worst that missed programs can do: two processes, one after the other on one CPU, make 300 connections each, with bpftrace's
program from stdin around them. FIRST in its text stands for the process number of the first. Each ends with a reset, so that the
memory of its socket is free at once. Prints the process numbers, then what bpftrace printed.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

EACH = 300


def client(line, address, port):
    line.recv(1)
    for _ in range(EACH):
        sock = socket.socket()
        sock.bind((address, 0))
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    line.sendall(b"!")
    # Its number must not become another's.
    line.recv(1)


def start(address, port):
    mine, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        mine.close()
        try:
            client(its, address, port)
        finally:
            os._exit(0)
    its.close()
    return mine, pid


def attached(output):
    """Heartbeats come when everything is attached."""
    for _ in range(600):
        if os.path.getsize(output.name) > 0:
            return
        time.sleep(0.1)
    raise SystemExit("bpftrace does not attach")


def main():
    os.sched_setaffinity(0, {0})
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1024)
    clients = [start(address, server.getsockname()[1]) for address in ("127.0.77.1", "127.0.77.2")]
    program = sys.stdin.read().replace("FIRST", str(clients[0][1]))
    with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile("w") as source:
        source.write(program)
        source.flush()
        tracer = subprocess.Popen(["bpftrace", "-q", source.name], stdout=output, stderr=subprocess.DEVNULL)
        attached(output)
        for line, _ in clients:
            line.sendall(b"!")
            line.recv(1)
        time.sleep(1)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        print(*(pid for _, pid in clients))
        print(open(output.name, encoding="latin1").read())


main()
