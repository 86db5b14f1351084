"""Sends a pack and its job to the coordinator in the background, while Blender goes on working.

Nothing half-made stays behind: the job is created by the last call, when every file is there.  Blobs are named by their
content, so a submission that was interrupted goes on where it stopped when it is started again.
"""

import enum
import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .background import BackgroundTask
from .batches import in_batches
from .blob_sender import BlobSender
from .blobs import Blob, FileReader, reading
from .client import FarmClient, FarmError
from .digest_cache import DigestCache
from .pack_plan import PackPlan
from .retrying import CancelledError, Retrying
from .wording import counted

#: How often blobs that were there may turn out to have been swept since.
ROUNDS = 3


class Stage(enum.StrEnum):
    """What a submission is doing."""

    WAITING = "waiting"
    UPLOADING = "uploading"
    CREATING = "creating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Progress:
    """How far a submission is; the bytes are those of the present stage."""

    stage: Stage
    done_bytes: int
    total_bytes: int
    message: str

    @property
    def fraction(self) -> float:
        """The share of this stage that is done, 0-1."""
        return self.done_bytes / self.total_bytes if self.total_bytes else 1.0


class Submission(BackgroundTask):
    """One submission: ``start()`` it, look at ``progress()``, ``cancel()`` or ``wait()`` for it.

    Afterwards exactly one of ``job`` and ``error`` is set, unless it was cancelled: then neither is, and no job is made
    that was not made already.  The folder ``temporary`` is deleted at the end, however it ends.
    """

    def __init__(
        self,
        client: FarmClient,
        plan: PackPlan,
        request: Mapping[str, Any],
        *,
        temporary: Path | None = None,
        digests: Path | None = None,
    ) -> None:
        """Prepare it; ``digests`` is the file of what is known of files that were sent before."""
        super().__init__("renderfarm-submission")
        self.job: dict[str, Any] | None = None
        self.error: FarmError | None = None
        self._client = client.clone()
        self._plan = plan
        self._request = request
        self._key = secrets.token_hex(16)
        self._temporary = temporary
        self._digests = digests
        self._lock = threading.Lock()
        self._progress = Progress(Stage.WAITING, 0, 0, "Waiting")
        self._retrying = Retrying(self._cancelled)
        self._sender = BlobSender(self._client, self._retrying, self._advance)

    def progress(self) -> Progress:
        """Return how far it is; cheap, from any thread."""
        with self._lock:
            return self._progress

    def _run(self) -> None:
        try:
            self.job = self._submit()
            self._enter(Stage.DONE, 0, f"Submitted as job {self.job.get('id')}")
        except CancelledError:
            self._enter(Stage.CANCELLED, 0, "Cancelled")
        except FarmError as error:
            self.error = error
            self._enter(Stage.FAILED, 0, str(error))
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it: this is the thread's last line
            self.error = FarmError("internal", f"The submission failed: {error}.", "Please report this as a bug.")
            self._enter(Stage.FAILED, 0, str(self.error))
        finally:
            self._client.close()
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def _submit(self) -> dict[str, Any]:
        files = self._read_and_send()
        manifest = {
            "main": self._plan.main,
            "files": [
                {
                    "path": place,
                    "size": sum(blob.size for blob in blobs),
                    "blobs": [{"sha256": blob.sha256, "size": blob.size} for blob in blobs],
                }
                for place, blobs in files.items()
            ],
            "remap": self._plan.remap,
        }
        by_digest = {blob.sha256: blob for blobs in files.values() for blob in blobs}
        for _ in range(ROUNDS):
            pack, missing = self._retrying(lambda: self._client.send_manifest(manifest))
            self._send_again([by_digest[sha256] for sha256 in missing if sha256 in by_digest])
            self._enter(Stage.CREATING, 0, "Creating the job")
            self._retrying.stop_if_cancelled()
            try:
                return self._create_job({**self._request, "pack": pack, "submission": self._key})
            except FarmError as error:
                if error.code != "missing_blobs":
                    raise
        raise FarmError("missing_blobs", "The coordinator keeps losing the uploaded files.", "Look into its log.")

    def _create_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            # The request names the submission, so one that is repeated makes no second job.
            return self._retrying(lambda: self._client.create_job(request))
        except FarmError as error:
            if error.code in ("interrupted", "timeout"):
                raise FarmError(
                    error.code,
                    "The connection broke while the job was being created, so it may be there or not.",
                    "Look at the list of jobs before submitting again.",
                ) from error
            raise

    def _read_and_send(self) -> dict[str, list[Blob]]:
        """Send what the coordinator lacks of files that are not known; return all blobs, by the file's place."""
        total = 0
        for path in self._plan.files.values():
            with reading(path):
                total += os.stat(path).st_size  # noqa: PTH116 - thousands of plain paths
        # Where there may be too little room everything is read first, and the manifest tells how much is lacking.
        fits = self._retrying(lambda: self._client.has_room(total))
        doing = "Reading and uploading" if fits else "Reading"
        self._enter(Stage.UPLOADING, total, f"{doing} {counted(len(self._plan.files), 'file')}")
        cache = DigestCache(self._digests)
        try:
            reader = FileReader(
                dict.fromkeys(path for _, path in sorted(self._plan.files.items())), cache, self._advance
            )
            self._sender.send_files(reader, only_read=not fits)
        finally:
            cache.close()
        return {place: reader.blobs[path] for place, path in sorted(self._plan.files.items())}

    def _send_again(self, blobs: list[Blob]) -> None:
        """Send what the coordinator lacks of files that are known and were not read."""
        if blobs:
            self._enter(Stage.UPLOADING, sum(blob.size for blob in blobs), "Uploading")
            self._sender.send_blobs(in_batches((blob.size, blob) for blob in blobs))

    def _enter(self, stage: Stage, total: int, message: str) -> None:
        with self._lock:
            self._progress = Progress(stage, 0, total, message)

    def _advance(self, size: int) -> None:
        with self._lock:
            now = self._progress
            self._progress = Progress(now.stage, now.done_bytes + size, now.total_bytes, now.message)
