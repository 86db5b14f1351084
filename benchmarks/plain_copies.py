"""What the machine itself does, for bench_upload: a file copied on the disk, and one sent through a loopback socket.

Both are flushed to the disk, and both ends of the socket are processes of their own that do nothing else.
"""

import mmap
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

#: Sends a file to a port of this machine.
_SEND = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection, open(sys.argv[2], "rb") as file:
    connection.sendfile(file)
"""

#: Writes to each page of so much memory.
_TOUCH = """
import mmap, sys
memory = mmap.mmap(-1, int(sys.argv[1]))
for start in range(0, len(memory), mmap.PAGESIZE):
    memory[start] = 1
"""

#: Takes what comes, as much at once as the system gives.
_RECEIVE_BYTES = 1024 * 1024


def touch_memory(size: int) -> None:
    """Have the system own so much memory that was used before.

    The first use of a virtual machine's memory takes its host seconds for each gigabyte: without this, whoever comes
    first pays for it.
    """
    subprocess.run([sys.executable, "-c", _TOUCH, str(size)], check=True)


def copy_on_disk(source: Path, target: Path) -> float:
    """Copy a file and flush it; return the seconds it took."""
    began = time.perf_counter()
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - began


def copy_over_loopback(source: Path, target: Path) -> float:
    """Have a process send a file to this one, which writes and flushes it; return the seconds from its first byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", _SEND, str(server.getsockname()[1]), str(source)]
        with subprocess.Popen(command) as sender:
            connection, _ = server.accept()
            began = time.perf_counter()
            with connection, target.open("wb", buffering=0) as file:
                buffer = memoryview(mmap.mmap(-1, _RECEIVE_BYTES))
                while count := connection.recv_into(buffer):
                    file.write(buffer[:count])
                os.fsync(file.fileno())
            seconds = time.perf_counter() - began
    assert sender.returncode == 0
    assert target.stat().st_size == source.stat().st_size
    return seconds
