"""The composition root: everything the coordinator is made of, and in which order it starts and stops."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from aiohttp import web
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from coordinator.background.farm_sampler import FarmSampler
from coordinator.background.herald import Herald
from coordinator.background.inspection_reaper import InspectionReaper
from coordinator.background.lease_reaper import LeaseReaper
from coordinator.background.load_sampler import LoadSampler
from coordinator.background.runner import Waker, run_duties
from coordinator.background.stitcher import Stitcher
from coordinator.background.sweeper import Sweeper
from coordinator.background.thumbnail_sweeper import ThumbnailSweeper
from coordinator.db.engine import Database, Notice, open_database
from coordinator.db.migrate import SchemaTooNew
from coordinator.domain.board import SlotOffer
from coordinator.domain.lifetime import Lifetime
from coordinator.domain.loads import Loads
from coordinator.domain.timing import Timing
from coordinator.extension import build_extension
from coordinator.http.envelope import render_errors
from coordinator.http.inspectors import WaitingInspectors
from coordinator.http.known_callers import KnownCallers
from coordinator.http.live import LiveStream
from coordinator.http.openapi import openapi_document
from coordinator.http.routes import ROUTES, add_routes
from coordinator.http.security import add_headers
from coordinator.http.throttle import FailedSignIns
from coordinator.http.work import WaitingSlots
from coordinator.keys import (
    CONNECT_STARTS,
    DATABASE,
    EXTENSION,
    FAILED_SIGN_INS,
    INSPECTORS,
    KNOWN_CALLERS,
    LIFETIME,
    LIVE,
    LOADS,
    MAIL,
    NEW_TOKENS,
    OPENAPI,
    PASSES,
    SETTINGS,
    STORE,
    THUMBNAILS,
    TIMING,
    VERIFIER,
    VERSION,
    WEB_ROOT,
    WEBHOOKS,
    WORK,
)
from coordinator.lock import FolderInUse, exclusive
from coordinator.media.ffmpeg import MediaError, find_ffmpeg
from coordinator.media.passes import Passes
from coordinator.media.thumbnails import Thumbnails
from coordinator.media.verify import FrameVerifier
from coordinator.outward.mail import Mail
from coordinator.outward.webhooks import Webhooks
from coordinator.services import accounts, agent_views, expiry, frame_views, views
from coordinator.services.agent_schemas import AgentView
from coordinator.services.errors import Refused
from coordinator.services.frame_schemas import FrameChange
from coordinator.services.schemas import JobView
from coordinator.settings import Settings
from coordinator.store import LocalBlobStore, StoreUnusable

log = logging.getLogger(__name__)

_VERSION = version("blender-render-farm")

_WEB_ROOT = Path(__file__).resolve().parent.parent / "web"


class StartError(Exception):
    """The coordinator cannot start; the text is a sentence that says what to do."""


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> web.Application:
    """Return the coordinator, not started yet.

    Starting it (``AppRunner.setup``) raises StartError when the folder, the database or ffmpeg cannot be used.
    """
    app = web.Application(middlewares=[render_errors])
    app[SETTINGS] = settings
    app[VERSION] = _VERSION
    app[TIMING] = Timing(
        lease_seconds=settings.lease_seconds,
        report_seconds=settings.report_seconds,
        poll_seconds=settings.poll_seconds,
        offline_seconds=settings.offline_seconds,
        stitch_seconds=settings.lease_seconds,
    )
    app[LIFETIME] = Lifetime(
        grace_seconds=settings.grace_hours * 3600.0,
        keep_seconds=None if settings.keep_days is None else settings.keep_days * 24 * 3600.0,
    )
    app[FAILED_SIGN_INS] = FailedSignIns(time.monotonic)
    app[CONNECT_STARTS] = FailedSignIns(time.monotonic, limit=10)
    app[KNOWN_CALLERS] = KnownCallers(time.monotonic)
    app[WEBHOOKS] = Webhooks(settings.webhooks, settings.webhook_secret)
    app[MAIL] = (
        None
        if settings.smtp_host is None
        else Mail(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password,
            sender=settings.mail_from,
        )
    )
    app[WEB_ROOT] = _WEB_ROOT
    app[OPENAPI] = openapi_document(ROUTES, app[VERSION])
    app.cleanup_ctx.extend([_files, _folder_lock, partial(_database, clock), partial(_streams, clock), _duties])
    app.on_shutdown.append(_release_waiting)
    app.on_response_prepare.append(add_headers)
    add_routes(app.router)
    return app


async def _files(app: web.Application) -> AsyncIterator[None]:
    """Open the store, and make sure of ffmpeg while someone is looking."""
    settings = app[SETTINGS]
    try:
        store = await asyncio.to_thread(LocalBlobStore, settings.folder, reserve_bytes=settings.reserve_bytes)
    except StoreUnusable as error:
        raise StartError(str(error)) from error
    app[STORE] = store
    app[LOADS] = Loads()
    app[VERIFIER] = FrameVerifier()
    try:
        app[EXTENSION] = await asyncio.to_thread(build_extension)
    except OSError as error:
        app[EXTENSION] = None
        log.warning("the Blender extension cannot be served: %s", error)
    app[PASSES] = Passes()
    app[THUMBNAILS] = Thumbnails(settings.folder / "thumbnails")
    try:
        log.info("videos are made with %s", await asyncio.to_thread(find_ffmpeg, settings.ffmpeg))
    except MediaError as error:
        if settings.ffmpeg is not None:
            raise StartError(str(error)) from error
        log.warning("%s Until then, jobs that ask for a video fail at their end.", error)
    yield
    await app[THUMBNAILS].close()
    await app[PASSES].close()
    await app[VERIFIER].close()
    await store.close()


async def _folder_lock(app: web.Application) -> AsyncIterator[None]:
    """Keep a second coordinator from the same SQLite database."""
    settings = app[SETTINGS]
    with ExitStack() as held:
        if settings.database.startswith("sqlite:"):
            try:
                await asyncio.to_thread(held.enter_context, exclusive(settings.folder))
            except FolderInUse as error:
                raise StartError(str(error)) from error
        yield


async def _database(clock: Callable[[], datetime], app: web.Application) -> AsyncIterator[None]:
    """Open the database, bring it up to date, and give everyone who was at work time to come back."""
    settings = app[SETTINGS]
    database = await open_migrated(settings, clock)
    app[DATABASE] = database
    try:
        app[NEW_TOKENS] = await database.write(accounts.ensure_first_tokens, settings.admin_token, settings.join_token)
        await database.write(expiry.renew_all, app[TIMING])
        yield
    except Refused as refusal:
        raise StartError(refusal.message) from refusal
    finally:
        await database.close()


async def open_migrated(settings: Settings, clock: Callable[[], datetime]) -> Database:
    """Return the settings' database, its schema brought up to date.

    Raises:
        StartError: it cannot be reached or is no database of ours; without its password.
    """
    database = await asyncio.to_thread(open_database, settings.database, clock)
    try:
        await asyncio.to_thread(database.migrate)
    except SchemaTooNew as error:
        await database.close()
        raise StartError(f"The database cannot be used: {error}.") from error
    except DBAPIError as error:
        await database.close()
        shown = make_url(settings.database).render_as_string(hide_password=True)
        reason = str(error.orig or error).strip().partition("\n")[0].rstrip(".")
        hint = "that it may be written" if database.kind == "sqlite" else "that the server runs and lets you in"
        raise StartError(
            f"The database {shown} cannot be used: {reason}. Check RENDERFARM_DATABASE_URL, and {hint}."
        ) from error
    return database


async def _streams(clock: Callable[[], datetime], app: web.Application) -> AsyncIterator[None]:
    """Connect what waits for changes to the database's notices."""
    database, callers = app[DATABASE], app[KNOWN_CALLERS]
    board = database.board

    async def read_jobs(ids: Sequence[int]) -> Sequence[JobView]:
        return await database.read(views.known_job_views, ids)

    async def read_agents(ids: Sequence[int]) -> Sequence[AgentView]:
        return await database.read(agent_views.known_agent_views, ids)

    async def read_frames(frames: Sequence[tuple[int, int]]) -> Sequence[FrameChange]:
        return await database.read(frame_views.frame_changes, frames)

    def has_work(offer: SlotOffer) -> bool:
        # Who looks in the database has the board loaded.
        return not board.loaded or board.has_work(offer, clock())

    app[WORK] = work = WaitingSlots(has_work)
    app[INSPECTORS] = inspectors = WaitingInspectors()
    app[LIVE] = live = LiveStream(read_jobs, read_agents, read_frames)

    def on_notice(notice: Notice) -> None:
        match notice.kind:
            case "work":
                work.wake(notice.id)
            case "inspection":
                inspectors.wake()
            case "token":
                callers.forget_all()
            case _:
                live.on_notice(notice)

    unsubscribe = database.subscribe(on_notice)
    tasks = [
        asyncio.create_task(live.run(), name="live events"),
        asyncio.create_task(work.run(), name="waiting slots"),
    ]
    yield
    unsubscribe()
    for task in tasks:
        await _cancel(task)


async def _duties(app: web.Application) -> AsyncIterator[None]:
    """Run what the coordinator does by itself."""
    settings, database, store, timing = app[SETTINGS], app[DATABASE], app[STORE], app[TIMING]
    stitching, sweeping, news = Waker(), Waker(), Waker()

    def on_notice(notice: Notice) -> None:
        match notice.kind:
            case "video":
                stitching.wake()
            case "news":
                news.wake()
            case "storage":
                sweeping.wake()

    unsubscribe = database.subscribe(on_notice)
    duties = (
        (LeaseReaper(database, timing), Waker()),
        (InspectionReaper(database, timing), Waker()),
        (Stitcher(database, store, settings.ffmpeg, timing), stitching),
        (Sweeper(database, store, app[LIFETIME]), sweeping),
        (FarmSampler(database), Waker()),
        (LoadSampler(database, app[LOADS]), Waker()),
        (Herald(database, app[WEBHOOKS], app[MAIL], settings.public_url), news),
        (ThumbnailSweeper(app[THUMBNAILS], store), Waker()),
    )
    task = asyncio.create_task(run_duties(duties), name="duties")
    yield
    unsubscribe()
    await _cancel(task)


async def _release_waiting(app: web.Application) -> None:
    """Answer everyone who waits, so that stopping takes no longer than the work at hand."""
    app[WORK].close()
    app[INSPECTORS].close()
    app[LIVE].close()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
