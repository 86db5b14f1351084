"""What the application holds, by typed keys."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from aiohttp import web

from coordinator.db.engine import Database
from coordinator.domain.lifetime import Lifetime
from coordinator.domain.loads import Loads
from coordinator.domain.timing import Timing
from coordinator.extension import Extension
from coordinator.http.inspectors import WaitingInspectors
from coordinator.http.known_callers import KnownCallers
from coordinator.http.live import LiveStream
from coordinator.http.throttle import FailedSignIns
from coordinator.http.work import WaitingSlots
from coordinator.media.passes import Passes
from coordinator.media.thumbnails import Thumbnails
from coordinator.media.verify import FrameVerifier
from coordinator.outward.mail import Mail
from coordinator.outward.webhooks import Webhooks
from coordinator.services.schemas import TokenCreated
from coordinator.settings import Settings
from coordinator.store import BlobStore

SETTINGS = web.AppKey("settings", Settings)
VERSION = web.AppKey("version", str)
CLOCK: web.AppKey[Callable[[], datetime]] = web.AppKey("clock")
DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
STORE: web.AppKey[BlobStore] = web.AppKey("store")
TIMING = web.AppKey("timing", Timing)
PASSES = web.AppKey("passes", Passes)
THUMBNAILS = web.AppKey("thumbnails", Thumbnails)
LIFETIME = web.AppKey("lifetime", Lifetime)
VERIFIER = web.AppKey("verifier", FrameVerifier)
WORK = web.AppKey("work", WaitingSlots)
INSPECTORS = web.AppKey("inspectors", WaitingInspectors)
LOADS = web.AppKey("loads", Loads)
LIVE = web.AppKey("live", LiveStream)
KNOWN_CALLERS = web.AppKey("known_callers", KnownCallers)
CONNECT_STARTS = web.AppKey("connect_starts", FailedSignIns)
EXTENSION: web.AppKey[Extension | None] = web.AppKey("extension")
"""For Blender; None: its sources are not there."""
FAILED_SIGN_INS = web.AppKey("failed_sign_ins", FailedSignIns)
WEBHOOKS = web.AppKey("webhooks", Webhooks)
MAIL: web.AppKey[Mail | None] = web.AppKey("mail")
WEB_ROOT = web.AppKey("web_root", Path)
NEW_TOKENS: web.AppKey[list[TokenCreated]] = web.AppKey("new_tokens")
"""Made at this very start, to be shown once."""
OPENAPI = web.AppKey("openapi", bytes)
"""The OpenAPI document, encoded."""
