"""A coordinator in this process, behind a real socket, and a client that holds its admin token."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from coordinator.app import create_app, utc_now
from coordinator.keys import DATABASE
from coordinator.settings import Settings
from tests.conformance.invariants import check_invariants
from tests.fakes.fake_agent import HEIGHT, WIDTH, FakeAgent, Reply

ADMIN = "rf_admin_0123456789abcdef"
JOIN = "rf_join_0123456789abcdef"

BLEND = b"BLENDER-v405 as far as a coordinator is concerned"


def sha256(data: bytes) -> str:
    """Return a blob's name."""
    return hashlib.sha256(data).hexdigest()


def manifest(data: bytes = BLEND) -> dict[str, Any]:
    """Return the manifest of a pack of one file."""
    blob = {"sha256": sha256(data), "size": len(data)}
    return {"main": "scene.blend", "files": [{"path": "scene.blend", "size": len(data), "blobs": [blob]}]}


class RunningCoordinator:
    """Starts on entering, stops on leaving; may be restarted meanwhile."""

    def __init__(
        self, data_dir: Path, database_url: str, *, clock: Callable[[], datetime] = utc_now, **settings: Any
    ) -> None:
        """Run on a folder and a database, with other ``settings`` than the defaults."""
        self.clock = clock
        self.settings = Settings(
            **{
                "data_dir": str(data_dir),
                "database_url": database_url,
                "admin_token": ADMIN,
                "join_token": JOIN,
                "reserve_bytes": 0,
                "port": 0,
                **settings,
            }
        )

    async def start(self) -> None:
        """Start on a free port."""
        self.app = create_app(self.settings, clock=self.clock)
        self.runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=10)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        host, port = self.runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/"

    async def stop(self) -> None:
        """Stop as on SIGTERM."""
        await self.runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        self.session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        try:
            await self.app[DATABASE].read(lambda tx: check_invariants(tx.conn))
        finally:
            await self.stop()

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = ADMIN,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Reply:
        """Make a call."""
        # Answers are looked at as they come: a long one would be compressed.
        sent = {"Accept-Encoding": "identity"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        # As it is: the client would tidy up the very paths that tests send.
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, headers=sent | (headers or {}), **body) as response:
            return await Reply.of(response)

    async def ask(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """Make a call that must be answered with ``status`` and return its JSON."""
        response = await self.call(method, "api/v1/" + path, **options)
        assert response.status == status, response.data
        return response.json if response.data else None

    async def refused(self, method: str, path: str, status: int, code: str, **options: Any) -> dict[str, Any]:
        """Make a call that must be refused with a sentence; return the error."""
        answer = await self.ask(method, path, status=status, **options)
        error: dict[str, Any] = answer["error"]
        assert error["code"] == code
        assert error["message"][0].isupper() or not error["message"][0].isalpha()
        assert error["message"].endswith(".")
        assert "Traceback" not in error["message"]
        return error

    async def upload(self, data: bytes = BLEND) -> str:
        """Upload a pack of one file and return its id."""
        answer = await self.ask("POST", "packs", json=manifest(data))
        for blob in answer["missing"]:
            await self.ask("PUT", f"blobs/{blob['sha256']}", status=201, data=data)
        return str(answer["id"])

    async def request(self, frames: str = "1-10", **changes: Any) -> dict[str, Any]:
        """Return a job request that would be accepted."""
        return {
            "name": "Shot 010",
            "pack": await self.upload(),
            "frames": frames,
            "blender": [4, 5],
            "render": {"scene": "Scene"},
            "output": {"format": "PNG", "width": WIDTH, "height": HEIGHT, "fps": 24.0},
            **changes,
        }

    async def submit(self, frames: str = "1-10", **changes: Any) -> int:
        """Submit a job and return its id."""
        job = await self.ask("POST", "jobs", status=201, json=await self.request(frames, **changes))
        return int(job["id"])

    async def job(self, job_id: int) -> dict[str, Any]:
        """Return a job as it is."""
        job: dict[str, Any] = await self.ask("GET", f"jobs/{job_id}")
        return job

    async def agent(self, name: str = "fake") -> FakeAgent:
        """Return an agent that has joined."""
        agent = FakeAgent(self.session, self.url, JOIN, name)
        await agent.register()
        return agent
