"""A proxy before a coordinator that lets so many bytes through to the client, and no more until it is opened."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Faucet:
    """Passes TCP connections on; :attr:`passed` counts the bytes that came from the server."""

    def __init__(self, port: int, limit: int) -> None:
        """Pass ``limit`` bytes of the server on this port."""
        self._port = port
        self._limit = limit
        self._opened = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.passed = 0
        self.held = threading.Event()
        """Set when a byte waits."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def open(self) -> None:
        """Let everything through, and count anew."""
        with self._opened:
            self._limit = 2**62
            self.passed = 0
            self._opened.notify_all()

    def close(self) -> None:
        """Take no more connections; those that wait are let go."""
        self._listener.close()
        self.open()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, target, counted in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, target, counted), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(64 * 1024):
                if counted:
                    self._wait_for_turn(len(data))
                target.sendall(data)
        except OSError:
            pass  # one of them was killed
        finally:
            for end in (source, target):
                end.close()

    def _wait_for_turn(self, count: int) -> None:
        with self._opened:
            while self.passed + count > self._limit:
                self.held.set()
                self._opened.wait()
            self.passed += count


@contextmanager
def faucet(port: int, limit: int) -> Iterator[Faucet]:
    """Have a proxy before the server on this port."""
    made = Faucet(port, limit)
    try:
        yield made
    finally:
        made.close()
