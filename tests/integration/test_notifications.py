"""Webhooks and e-mail, received by real servers; nothing is lost when the coordinator ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP

from coordinator.db import jobs
from coordinator.db.engine import Transaction
from coordinator.domain.model import Job, JobState
from coordinator.keys import DATABASE
from coordinator.outward.webhooks import signature
from coordinator.services import notifications
from coordinator.services.notifications import MOST_ATTEMPTS, Audience, Delivery
from tests.integration.coordinator import RunningCoordinator

SECRET = "a secret of the studio"  # noqa: S105 - of this test


class Receiver:
    """A server that is told of things."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.status = 204
        self.url = ""

    async def take(self) -> dict[str, Any]:
        """Return the next message, whose signature must be right."""
        headers, body = await asyncio.wait_for(self.got.get(), 30)
        proof = signature(SECRET, int(headers["X-Renderfarm-Timestamp"]), body)
        assert headers["X-Renderfarm-Signature"] == proof
        told: dict[str, Any] = json.loads(body)
        return told


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()

    async def hear(request: web.Request) -> web.Response:
        receiver.got.put_nowait((dict(request.headers), await request.read()))
        return web.Response(status=receiver.status)

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


class Letters:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.came = asyncio.Event()

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a letter."""
        self.got.append(message_from_bytes(envelope.original_content, EmailMessage, policy=policy.default))
        self.came.set()
        return "250 taken"


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Letters, int]]:
    """Run a mail server; yields what it gets, and its port."""
    letters, loop = Letters(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(letters, loop=loop), "127.0.0.1", 0)
    yield letters, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_a_webhook_is_told_of_the_end_and_signed(database_url: str, tmp_path: Path) -> None:
    async with (
        receiving() as receiver,
        RunningCoordinator(tmp_path / "data", database_url, webhook_urls=receiver.url, webhook_secret=SECRET) as farm,
    ):
        job = await farm.submit("1-2", name="Harbour")
        await farm.ask("POST", f"jobs/{job}/cancel")
        told = await receiver.take()
        assert (told["event"], told["job"]["id"], told["job"]["name"]) == ("job.cancelled", job, "Harbour")
        assert (await farm.ask("GET", "notifications")) == {"email": False, "webhooks": 1}
        assert (await farm.ask("POST", "notifications/test", json={})) == {"delivered": 1, "problems": []}
        assert (await receiver.take()) == {"event": "test"}
        receiver.status = 500
        tried = await farm.ask("POST", "notifications/test", json={})
        assert tried == {"delivered": 0, "problems": ["Webhook 1: It answered with status 500."]}
        await farm.refused("POST", "jobs", 422, "invalid", json=await farm.request(notify=["ana@example.com"]))


async def test_what_was_not_delivered_is_sent_by_the_next_coordinator(database_url: str, tmp_path: Path) -> None:
    async with receiving() as receiver:
        # Nobody hears it at first: the port of a server that is gone.
        async with RunningCoordinator(
            tmp_path / "data", database_url, webhook_urls="http://127.0.0.1:9/", webhook_secret=SECRET
        ) as farm:
            job = await farm.submit("1")
            await farm.ask("POST", f"jobs/{job}/cancel")
        async with RunningCoordinator(
            tmp_path / "data", database_url, webhook_urls=receiver.url, webhook_secret=SECRET
        ) as farm:
            await farm.app[DATABASE].write(due_now)
            other = await farm.submit("1")
            await farm.ask("POST", f"jobs/{other}/cancel")
            told = [await receiver.take(), await receiver.take()]
            assert sorted(it["job"]["id"] for it in told) == [job, other]


def due_now(tx: Transaction) -> None:
    """Let no time pass until the next attempt."""
    tx.conn.exec_driver_sql("UPDATE deliveries SET due_at = 0")


async def test_who_submits_is_written_to(small_farm: RunningCoordinator, tmp_path: Path) -> None:
    async with mail_server() as (letters, port):
        mail: dict[str, Any] = {
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_security": "none",
            "mail_from": "farm@example.com",
        }
        async with RunningCoordinator(tmp_path / "mail", small_farm.settings.database_url or "", **mail) as farm:
            agent = await farm.agent()
            await farm.submit("1", name="Harbour\r\nBcc: all@example.com", notify=["ana@example.com"])
            await agent.render_everything()
            await asyncio.wait_for(letters.came.wait(), 30)
            [letter] = letters.got
            assert (letter["To"], letter["From"], letter["Bcc"]) == ("ana@example.com", "farm@example.com", None)
            assert letter["Subject"] == "Harbour Bcc: all@example.com is done"
            assert "1 of 1 frames are finished." in letter.get_content()
            answer = await farm.ask("POST", "notifications/test", json={"email": "ben@example.com"})
            assert answer == {"delivered": 1, "problems": []}
    for bad in ("ana", "a@b c", "<a@b.c>", "a@b,c"):
        await small_farm.refused("POST", "notifications/test", 422, "invalid", json={"email": bad})


async def test_what_never_arrives_is_given_up_in_the_end(small_farm: RunningCoordinator) -> None:
    job = await small_farm.submit("1")
    database = small_farm.app[DATABASE]
    everyone = Audience(webhooks=1, mail=False, page=None)
    [delivery] = await database.write(
        lambda tx: claimed_with(tx, lambda: notifications.job_ended(tx, _cancelled(tx, job)))
    )
    assert json.loads(delivery.payload)["job"]["id"] == job
    for attempt in range(MOST_ATTEMPTS):
        assert await database.write(notifications.claim, everyone) == []
        await database.write(notifications.failed, delivery, "It did not answer.")
        await database.write(due_now)
        left = await database.write(notifications.claim, everyone)
        if attempt < MOST_ATTEMPTS - 1:
            [delivery] = left
            assert delivery.attempts == attempt + 1
        else:
            assert left == []
    events = await small_farm.ask("GET", f"jobs/{job}/events")
    assert events["items"][-1]["message"].endswith("could not be delivered by a webhook: It did not answer.")


def claimed_with(tx: Transaction, note: Callable[[], None]) -> list[Delivery]:
    """Note something, and claim it at once: the coordinator has no webhooks of its own, and would tell nobody."""
    note()
    tx.flush()
    return notifications.claim(tx, Audience(webhooks=1, mail=False, page=None))


def _cancelled(tx: Transaction, job_id: int) -> Job:
    job = jobs.get(tx.conn, job_id)
    assert job is not None
    return replace(job, state=JobState.CANCELLED)


@pytest.mark.parametrize("waiting", [3])
async def test_of_too_many_the_oldest_are_given_up(
    small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    monkeypatch.setattr(notifications, "MOST_WAITING", waiting)
    database = small_farm.app[DATABASE]
    job = await small_farm.submit("1")

    def claim(tx: Transaction) -> list[Delivery]:
        def note() -> None:
            for _ in range(waiting + 2):
                notifications.job_needs_attention(tx, _cancelled(tx, job))

        return claimed_with(tx, note)

    assert len(await database.write(claim)) == waiting
