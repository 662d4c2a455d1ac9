"""A bit of everything, again and again until standard input closes: files, processes, connections, names, signals, sleeps."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading

DARK = ("127.0.0.1", 9)


def files(folder):
    path = os.path.join(folder, "file")
    with open(path, "wb") as file:
        file.write(b"x" * 65536)
        file.flush()
        os.fsync(file.fileno())
    with open(path, "rb") as file:
        file.read()
    os.stat(path)
    try:
        os.open("/nonexistent", os.O_RDONLY)
    except OSError:
        pass
    os.sync()


def processes():
    subprocess.run(["/bin/true", "one", "two"], check=False)
    subprocess.run(["/bin/bash", "-c", "echo hello > /dev/null; sleep 0.01"], check=False)
    child = os.fork()
    if child == 0:
        os.setuid(os.getuid())
        signal.pause()
    os.kill(child, 0)
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def connections():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(8)
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    client.sendall(b"ping" * 100)
    peer.recv(400)
    for each in (client, peer, server):
        each.close()
    refused = socket.socket()
    refused.connect_ex(DARK)
    refused.close()
    one, other = socket.socketpair()
    one.send(b"unix")
    other.recv(4)
    one.close()
    other.close()
    try:
        socket.getaddrinfo("localhost", 80)
    except OSError:
        pass


with tempfile.TemporaryDirectory() as folder:
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        files(folder)
        processes()
        connections()
