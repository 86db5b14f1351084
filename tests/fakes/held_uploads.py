"""A door before the coordinator that lets everything pass at once, but uploads only when it is told to."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class HeldUploads:
    """The door: its address, whether an upload waits before it, and the way to open it."""

    url: str = ""
    waiting: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)


@contextmanager
def held_uploads(coordinator: str, patience: float) -> Iterator[HeldUploads]:
    """Stand before the coordinator at ``host:port``; an upload waits at most ``patience`` seconds."""
    door = HeldUploads()
    host, _, port = coordinator.rpartition(":")

    class Visit(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as inside:
                back = threading.Thread(target=_pass_on, args=(inside, self.request))
                back.start()
                while data := self.request.recv(65536):
                    if data.startswith(b"POST /api/v1/blobs "):
                        door.waiting.set()
                        door.open.wait(patience)
                    inside.sendall(data)
                inside.shutdown(socket.SHUT_WR)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A visitor who goes away early is no news."""

    with Server(("127.0.0.1", 0), Visit) as server:
        door.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield door
        finally:
            door.open.set()
            server.shutdown()
            thread.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
