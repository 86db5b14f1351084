"""Work that goes on in a thread while Blender stays free for the artist."""

import abc
import threading


class BackgroundTask(abc.ABC):
    """One piece of work: ``start()`` it, look at ``progress()``, ``cancel()`` or ``wait()`` for it."""

    def __init__(self, name: str) -> None:
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop soon; what is done by then stays."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most ``timeout`` seconds; tell whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @abc.abstractmethod
    def progress(self) -> object:
        """Return how far it is; cheap, from any thread."""

    @abc.abstractmethod
    def _run(self) -> None:
        """Do the work, in the thread; nobody hears what it raises."""
