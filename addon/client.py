"""The coordinator's public API, call by call.

Every call either returns its answer or raises :class:`FarmError`, which says what is wrong and what to do next.
A client keeps one connection open and belongs to one thread; :meth:`FarmClient.clone` makes one for another thread.
"""

import hashlib
import os
import re
import secrets
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from .transport import FarmError, Transport

__all__ = ["FarmClient", "FarmError"]

_PIECE = 256 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")

#: What an answer must have to be a job (and more for one that is asked for by itself), a frame, a user, an agent.
_NEW_JOB = frozenset({"id", "name", "state", "warnings"})
_JOB = _NEW_JOB | {"reason", "frame_count", "finished", "progress", "eta_seconds", "video_ready"}
_WHOLE_JOB = _JOB | {"failures", "doubts", "slots"}
_COST = frozenset({"frames", "seconds", "gpu_seconds", "energy_frames", "energy_joules", "devices"})
_CONNECT = frozenset({"id", "code", "expires_at"})
_HEALTH, _SESSION = frozenset({"status", "version"}), frozenset({"kind", "name"})
_USER = frozenset({"name", "max_slots", "slots"})
_AGENT = frozenset({"id", "name", "presence", "explanation", "slots", "speed", "set_aside_jobs", "sandboxed"})
_TESTED = frozenset({"delivered", "problems"})
_JOIN_CODE = frozenset({"id", "code", "expires_at"})
_STORAGE = frozenset({"disk_total_bytes", "disk_free_bytes", "blob_bytes", "sweep_bytes", "keep_days", "users", "jobs"})
_FRAME = frozenset({"frame", "state", "reason", "filename", "sha256"})
_FILE = frozenset({"path", "sha256"})


class FarmClient:
    """Calls the coordinator at ``base_url`` with a token.

    Raises:
        FarmError: ``base_url`` is no http or https address.
    """

    def __init__(self, base_url: str, token: str) -> None:
        self._transport = Transport(base_url, token)

    @property
    def base_url(self) -> str:
        """The coordinator's address, without a slash at its end."""
        return self._transport.base_url

    def clone(self) -> "FarmClient":
        """Return a client for the same coordinator with a connection of its own."""
        return FarmClient(self._transport.base_url, self._transport.token)

    def close(self) -> None:
        """Close the connection; the next call opens one anew."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> dict[str, Any]:
        """Make sure that a coordinator is there and that the token may submit; return the coordinator's health."""
        health = self.health()
        self.session()
        return health

    def health(self) -> dict[str, Any]:
        """Return what every coordinator tells everyone: its version."""
        return self._having(_HEALTH, self._transport.call("GET", "/api/v1/health"))

    def session(self) -> dict[str, Any]:
        """Return whom the token belongs to."""
        return self._having(_SESSION, self._transport.call("GET", "/api/v1/session"))

    def notifications(self) -> dict[str, Any]:
        """Return what the farm can tell those outside: ``email``, whether it writes to people."""
        return self._having(frozenset({"email"}), self._transport.call("GET", "/api/v1/notifications"))

    def ask_to_connect(self, name: str, token_sha256: str) -> dict[str, Any]:
        """Ask to be let in with the token of this digest once a person approves it; return the request and its code."""
        body = {"name": name, "token_sha256": token_sha256}
        return self._having(_CONNECT, self._transport.call("POST", "/api/v1/connect-requests", body))

    def connect_state(self, token_sha256: str) -> str:
        """Return what became of such a request: ``waiting``, ``approved``, ``refused`` or ``expired``."""
        answer = self._transport.call("GET", f"/api/v1/connect-requests/by-token/{token_sha256}")
        return str(self._having(frozenset({"state"}), answer)["state"])

    def send_manifest(self, manifest: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Return the pack's id and the digests of the blobs that the coordinator lacks."""
        answer = self._transport.call("POST", "/api/v1/packs", manifest)
        try:
            return str(answer["id"]), [str(blob["sha256"]) for blob in answer["missing"]]
        except (KeyError, TypeError):
            raise self._transport.no_coordinator() from None

    def missing_blobs(self, digests: Sequence[str]) -> list[str]:
        """Return which of at most 1,000 blobs the coordinator lacks."""
        answer = self._transport.call("POST", "/api/v1/missing-blobs", {"sha256": digests})
        try:
            return [str(sha256) for sha256 in answer["missing"]]
        except (KeyError, TypeError):
            raise self._transport.no_coordinator() from None

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes may be sent without asking for each file: the coordinator has room for them."""
        answer = self._transport.call("POST", "/api/v1/missing-blobs", {"sha256": [], "coming_bytes": size})
        return answer.get("fits") is not False

    def put_blobs(self, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Upload a batch of blobs: a body of ``size`` bytes."""
        self._transport.upload("/api/v1/blobs", size, pieces)

    def create_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create a job and return it.

        After ``interrupted`` or ``timeout`` it may be there: only a request with a ``submission`` may be repeated.
        """
        return self._having(_NEW_JOB, self._transport.call("POST", "/api/v1/jobs", request))

    def jobs(self, *, states: Iterable[str] = (), limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest jobs, at most 200; only those in one of ``states`` if any are named."""
        query = {"limit": str(limit)}
        if joined := ",".join(states):
            query["state"] = joined
        items, _ = self._page("/api/v1/jobs", query)
        return [self._having(_JOB, item) for item in items]

    def job(self, job_id: int) -> dict[str, Any]:
        """Return one job, with its failures and the slots that work on it."""
        return self._having(_WHOLE_JOB, self._transport.call("GET", f"/api/v1/jobs/{job_id}"))

    def cost(self, job_id: int) -> dict[str, Any]:
        """Return what a job's finished frames took: time, and energy where graphics cards told."""
        return self._having(_COST, self._transport.call("GET", f"/api/v1/jobs/{job_id}/cost"))

    def cancel(self, job_id: int) -> dict[str, Any]:
        """Cancel a job and return it."""
        return self._having(_JOB, self._transport.call("POST", f"/api/v1/jobs/{job_id}/cancel"))

    def pause(self, job_id: int) -> dict[str, Any]:
        """Have no further frame of a job begun; return the job."""
        return self._having(_JOB, self._transport.call("POST", f"/api/v1/jobs/{job_id}/pause"))

    def resume(self, job_id: int) -> dict[str, Any]:
        """Have a paused job go on; return it."""
        return self._having(_JOB, self._transport.call("POST", f"/api/v1/jobs/{job_id}/resume"))

    def requeue(self, job_id: int, frames: str | None = None) -> dict[str, Any]:
        """Have frames of a job rendered again, all that failed by default; return the job."""
        body = {} if frames is None else {"frames": frames}
        return self._having(_JOB, self._transport.call("POST", f"/api/v1/jobs/{job_id}/requeue", body))

    def change(self, job_id: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a job while it goes on; return it."""
        return self._having(_JOB, self._transport.call("PATCH", f"/api/v1/jobs/{job_id}", changes))

    def rerender(self, job_id: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Create a job of a former one's pack and return it.

        As with :meth:`create_job`, only a request with a ``submission`` may be repeated.
        """
        return self._having(_NEW_JOB, self._transport.call("POST", f"/api/v1/jobs/{job_id}/rerender", changes))

    def delete_job(self, job_id: int, *, files_only: bool = False) -> dict[str, Any]:
        """Delete a job that has ended, or its files; return how many bytes that frees."""
        path = f"/api/v1/jobs/{job_id}" + ("/files" if files_only else "")
        return self._having(frozenset({"freed_bytes"}), self._transport.call("DELETE", path))

    def job_storage(self, job_id: int) -> dict[str, Any]:
        """Return what a job takes, and what deleting it frees, in bytes."""
        answer = self._transport.call("GET", f"/api/v1/jobs/{job_id}/storage")
        return self._having(frozenset({"bytes", "freed_bytes"}), answer)

    def storage(self, limit: int) -> dict[str, Any]:
        """Return what the farm's store holds and for whom, with so many of the largest jobs."""
        return self._having(_STORAGE, self._transport.call("GET", f"/api/v1/storage?limit={limit}"))

    def sweep(self, *, dry_run: bool) -> dict[str, Any]:
        """Have what nobody needs removed, or only be told what that is."""
        answer = self._transport.call("POST", "/api/v1/storage/sweep", {"dry_run": dry_run})
        return self._having(frozenset({"jobs", "freed_bytes"}), answer)

    def limit_storage(self, name: str, quota_bytes: int | None) -> dict[str, Any]:
        """Let a user's jobs take no more than so many bytes; None takes the limit away.  Return the user."""
        path = f"/api/v1/users/{urllib.parse.quote(name, safe='')}"
        return self._having(_USER | {"quota_bytes"}, self._transport.call("PATCH", path, {"quota_bytes": quota_bytes}))

    def users(self) -> list[dict[str, Any]]:
        """Return those who have submitted jobs."""
        items, _ = self._page("/api/v1/users", {})
        return [self._having(_USER, item) for item in items]

    def limit_user(self, name: str, max_slots: int | None) -> dict[str, Any]:
        """Let no more slots work for a user at once; None takes the limit away.  Return the user."""
        path = f"/api/v1/users/{urllib.parse.quote(name, safe='')}"
        return self._having(_USER, self._transport.call("PATCH", path, {"max_slots": max_slots}))

    def allow_scripts(self, name: str, *, allowed: bool) -> dict[str, Any]:
        """Let a user's jobs run the Python in their files, or do not.  Return the user."""
        path = f"/api/v1/users/{urllib.parse.quote(name, safe='')}"
        return self._having(_USER, self._transport.call("PATCH", path, {"scripts": allowed}))

    def agents(self) -> list[dict[str, Any]]:
        """Return the farm's agents."""
        query, agents = {"limit": "200"}, []
        while True:
            items, following = self._page("/api/v1/agents", query)
            agents += [self._having(_AGENT, item) for item in items]
            if following is None:
                return agents
            query["cursor"] = following

    def steer_agent(self, agent_id: int, action: Literal["reinstate", "drain", "resume", "stop"]) -> dict[str, Any]:
        """Do something to an agent, as docs/PROTOCOL.md tells; return it."""
        return self._having(_AGENT, self._transport.call("POST", f"/api/v1/agents/{agent_id}/{action}"))

    def set_agent_aside(self, agent_id: int, reason: str) -> dict[str, Any]:
        """Give an agent no more work until it is reinstated, and say why; return it."""
        path = f"/api/v1/agents/{agent_id}/set-aside"
        return self._having(_AGENT, self._transport.call("POST", path, {"reason": reason}))

    def change_agent(self, agent_id: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Give an agent other ``tags`` and ``pools``, beside those of its own settings; return it."""
        return self._having(_AGENT, self._transport.call("PATCH", f"/api/v1/agents/{agent_id}", dict(changes)))

    def revoke_agent(self, agent_id: int) -> None:
        """Make an agent's own token void."""
        self._transport.call("DELETE", f"/api/v1/agents/{agent_id}/credential")

    def remove_agent(self, agent_id: int) -> None:
        """Take an agent that is not there off the list."""
        self._transport.call("DELETE", f"/api/v1/agents/{agent_id}")

    def join_code(self) -> dict[str, Any]:
        """Return a new code that lets one machine in."""
        return self._having(_JOIN_CODE, self._transport.call("POST", "/api/v1/join-codes"))

    def test_notification(self, email: str | None) -> dict[str, Any]:
        """Have a test message sent, to an address or to the webhooks; return how many arrived and the problems."""
        body = {} if email is None else {"email": email}
        return self._having(_TESTED, self._transport.call("POST", "/api/v1/notifications/test", body))

    def frames(self, job_id: int) -> Iterator[dict[str, Any]]:
        """Yield the finished and failed frames in order."""
        query = {"limit": "1000"}
        while True:
            items, following = self._page(f"/api/v1/jobs/{job_id}/frames", query)
            yield from (self._having(_FRAME, item) for item in items)
            if following is None:
                return
            query["cursor"] = following

    def download_output(self, job_id: int, frame: int, target: Path, *, sha256: str | None = None) -> None:
        """Write a finished frame's file to ``target``: whole and verified, or not at all."""
        self._download(f"/api/v1/jobs/{job_id}/frames/{frame}/output", target, sha256=sha256)

    def download_preview(self, job_id: int, frame: int, target: Path) -> None:
        """Write a finished frame's small picture, a JPEG, to ``target``: whole, or not at all."""
        # It may be made of the frame as it is asked for: its tag is the frame's digest then.
        self._download(f"/api/v1/jobs/{job_id}/frames/{frame}/preview", target, tagged=False)

    def frame_files(self, job_id: int, frame: int) -> list[dict[str, Any]]:
        """Return the files that the scene itself wrote beside a finished frame."""
        items, _ = self._page(f"/api/v1/jobs/{job_id}/frames/{frame}/files", {})
        return [self._having(_FILE, item) for item in items]

    def download_frame_file(self, job_id: int, frame: int, path: str, target: Path, *, sha256: str) -> None:
        """Write one of these to ``target``: whole and verified, or not at all."""
        quoted = urllib.parse.quote(path)
        self._download(f"/api/v1/jobs/{job_id}/frames/{frame}/files/{quoted}", target, sha256=sha256)

    def download_video(self, job_id: int, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Write a job's video to ``target``: whole, or not at all; ``progress`` is told bytes done and in all."""
        self._download(f"/api/v1/jobs/{job_id}/video", target, progress=progress)

    def _having(self, names: frozenset[str], answer: Any) -> dict[str, Any]:
        """Return the answer, which must be an object with these names."""
        if not isinstance(answer, dict) or not names <= answer.keys():
            raise self._transport.no_coordinator()
        return answer

    def _page(self, path: str, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
        answer = self._transport.call("GET", f"{path}?{urllib.parse.urlencode(query)}")
        try:
            return list(answer["items"]), answer["next"]
        except (KeyError, TypeError):
            raise self._transport.no_coordinator() from None

    def _download(
        self,
        path: str,
        target: Path,
        *,
        sha256: str | None = None,
        tagged: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        response = self._transport.open(path)
        total = response.length or 0
        tag = (response.headers.get("ETag") or "").strip('"')
        expected = sha256 or (tag if tagged and _DIGEST.fullmatch(tag) else None)
        digest = hashlib.sha256()
        done = 0
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            with partial.open("xb") as file:
                while piece := self._transport.read(response, _PIECE):
                    file.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    if progress is not None:
                        progress(done, total)
                file.flush()
                os.fsync(file.fileno())
            if expected is not None and digest.hexdigest() != expected:
                raise FarmError(
                    "digest_mismatch", f"{target.name} arrived damaged.", "Download it again.", passing=True
                )
            partial.replace(target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FarmError(
                "not_written", f"{target} cannot be written: {reason}.", "Choose another folder."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
            if not response.isclosed():
                self._transport.close()  # The rest of this answer must not be taken for the next one.
