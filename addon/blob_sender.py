"""Hashes and sends blobs over a few connections at once.

Each connection has a thread that takes some pieces, hashes them, asks which of them the coordinator lacks, and sends
those: files are read, hashed and sent at the same time, and what was read is sent from memory, where it lies.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from . import batches
from .batches import Packing, joined
from .blobs import Blob, FileReader, read_blob
from .buffers import Buffer
from .client import FarmClient
from .retrying import Retrying

#: Connections that upload at the same time: enough to fill a line with delay, too few to crowd out the agents.
CONNECTIONS = 4

#: What is sent shows in the progress after so many bytes.
_STEP = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A blob in memory."""

    digest: bytes
    data: memoryview


class BlobSender:
    """Sends the blobs of files; ``advance`` is told of every run of bytes that is done."""

    def __init__(self, client: FarmClient, retrying: Retrying, advance: Callable[[int], None]) -> None:
        """Send by clones of ``client``."""
        self._client = client
        self._retrying = retrying
        self._advance = advance
        self._packing = Packing()
        self._taken: set[bytes] = set()
        self._lock = threading.Lock()

    def send_files(self, reader: FileReader, *, only_read: bool = False) -> None:
        """Read files to their ends and send what the coordinator lacks of them, unless they are only to be read.

        Raises:
            FarmError: a file cannot be read, or what was sent is refused.
            CancelledError: it is not wanted any more.
        """

        def next_batch(client: FarmClient, buffer: Buffer) -> bool:
            pieces = reader.next_pieces(buffer)
            hashed: list[_Hashed] = []
            for piece in pieces:
                self._retrying.stop_if_cancelled()
                digest = hashlib.sha256(piece.data).digest()
                reader.hashed(piece, digest)
                if not only_read and self._take(digest):
                    hashed.append(_Hashed(digest, piece.data))
                else:
                    self._advance(len(piece.data))  # The same bytes are elsewhere too.
            if hashed:
                wanted = [blob.digest.hex() for blob in hashed]
                lacking = set(self._retrying(lambda: client.missing_blobs(wanted)))
                there = [blob for blob in hashed if blob.digest.hex() not in lacking]
                self._advance(sum(len(blob.data) for blob in there))
                self._send(client, [blob for blob in hashed if blob.digest.hex() in lacking])
            return bool(pieces)

        self._in_parallel(next_batch)

    def send_blobs(self, groups: Iterator[list[Blob]]) -> None:
        """Send blobs that are known to be missing; raises as :meth:`send_files`."""

        def next_batch(client: FarmClient, buffer: Buffer) -> bool:
            with self._lock:
                blobs = next(groups, [])
            buffer.clear()
            self._send(client, [_Hashed(bytes.fromhex(blob.sha256), read_blob(blob, buffer)) for blob in blobs])
            return bool(blobs)

        self._in_parallel(next_batch)

    def _take(self, digest: bytes) -> bool:
        """Tell whether nobody has taken a blob yet."""
        with self._lock:
            if digest in self._taken:
                return False
            self._taken.add(digest)
            return True

    def _in_parallel(self, next_batch: Callable[[FarmClient, Buffer], bool]) -> None:
        """Have threads call ``next_batch``, each with a connection and memory of its own, until it tells of no more."""
        failed = threading.Event()

        def work() -> None:
            buffer = Buffer(batches.BATCH_BYTES, batches.BATCH_BLOBS)
            with self._client.clone() as client:
                try:
                    while not failed.is_set() and next_batch(client, buffer):
                        pass
                except BaseException:
                    failed.set()
                    raise

        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="renderfarm-upload") as pool:
            workers = [pool.submit(work) for _ in range(CONNECTIONS)]
            wait(workers)
        for worker in workers:
            worker.result()

    def _send(self, client: FarmClient, blobs: list[_Hashed]) -> None:
        if not blobs:
            return
        body = list(joined(part for blob in blobs for part in self._packing.record(blob.digest, blob.data)))
        size, length = sum(len(blob.data) for blob in blobs), sum(map(len, body))
        told = 0

        def steps() -> Iterator[memoryview]:
            nonlocal told
            # What a failed attempt had sent does not count twice.
            self._advance(-told)
            told = sent = 0
            for part in body:
                for start in range(0, len(part), _STEP):
                    self._retrying.stop_if_cancelled()
                    step = part[start : start + _STEP]
                    sent += len(step)
                    # The body is shorter than the files: its share of them counts.
                    done = size * sent // length
                    self._advance(done - told)
                    told = done
                    yield step

        def put() -> None:
            began = time.perf_counter()
            client.put_blobs(length, steps())
            self._packing.sent(length, time.perf_counter() - began)

        self._retrying(put)
