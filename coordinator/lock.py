"""One coordinator per folder, where the database is a file in it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderInUse(RuntimeError):
    """Another coordinator works in the folder; the text is a sentence for people."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder, which is there; the operating system lets go of it when the process ends, however it ends.

    Two coordinators on one SQLite file would each believe to be the only writer, and not hear of the other's changes.

    Raises:
        FolderInUse: another process holds it.
    """
    with (folder / "coordinator.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"Another coordinator runs on the folder {folder}; stop it, or choose another with RENDERFARM_DATA_DIR "
                "(several coordinators need PostgreSQL)."
            ) from None
        yield
