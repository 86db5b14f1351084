"""The agent's logs: its own and those of its Blenders, bounded in size and in number."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue

FORMAT = "%(asctime)s %(levelname)s %(message)s"

#: The agent's own log: the file being written, and earlier ones.
OWN_LOG_BYTES = 4 * 1024 * 1024
OWN_LOGS = 4

#: Each slot keeps the logs of so many sessions; agent/blender/process.py bounds each of them.
SESSION_LOGS = 4


class _LogFiles(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do without: a full disk costs the log, not the agent."""


@contextlib.asynccontextmanager
async def kept_log(folder: Path) -> AsyncIterator[None]:
    """Write what is logged into ``agent.log`` of a folder as well, in a thread of its own."""
    files = await asyncio.to_thread(_files, folder / "agent.log")
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()
    queue = QueueHandler(records)
    writer = QueueListener(records, files)
    writer.start()
    logging.getLogger().addHandler(queue)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(queue)
        await asyncio.shield(asyncio.to_thread(_close, writer, files))


def _files(path: Path) -> RotatingFileHandler:
    # Opened with the first line only, where a failure is not raised.
    files = _LogFiles(path, maxBytes=OWN_LOG_BYTES, backupCount=OWN_LOGS - 1, encoding="utf-8", delay=True)
    files.setFormatter(logging.Formatter(FORMAT))
    return files


def _close(writer: QueueListener, files: RotatingFileHandler) -> None:
    writer.stop()
    files.close()


def fresh_log(folder: Path, name: str) -> Path:
    """Return the path of a log that is to be begun; earlier ones get a number, and the oldest goes."""
    for number in range(SESSION_LOGS - 1, 0, -1):
        earlier = folder / (f"{name}.{number - 1}.log" if number > 1 else f"{name}.log")
        with contextlib.suppress(FileNotFoundError):
            earlier.replace(folder / f"{name}.{number}.log")
    return folder / f"{name}.log"
