"""What the farm can tell to whom, and whether that works."""

import time
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.keys import MAIL, WEBHOOKS
from coordinator.outward.webhooks import NotDelivered
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused
from coordinator.services.schemas import EmailAddress


class NotificationsView(msgspec.Struct, frozen=True, kw_only=True):
    """What the farm's settings allow."""

    email: bool
    """Jobs may name addresses that are written to."""
    webhooks: int
    """How many addresses are told of everything."""


class TestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to try."""

    email: EmailAddress | None = None
    """Write to this address; by default, the webhooks are tried."""


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """How it went."""

    delivered: int
    problems: Annotated[list[str], Meta(description="Sentences, one for each that did not arrive.")]


async def show(request: web.Request) -> NotificationsView:
    """Show what the farm can tell to whom."""
    return NotificationsView(email=request.app[MAIL] is not None, webhooks=len(request.app[WEBHOOKS].urls))


async def test(request: web.Request, body: TestRequest) -> TestResult:
    """Send a test message at once: an e-mail to an address, or a webhook to all addresses of the settings."""
    if body.email is not None:
        mail = request.app[MAIL]
        if mail is None:
            raise no_mail("email")
        try:
            await mail.send(body.email, "The render farm can write to you", "This is a test, as you asked for it.")
        except NotDelivered as problem:
            return TestResult(delivered=0, problems=[str(problem)])
        return TestResult(delivered=1, problems=[])
    webhooks = request.app[WEBHOOKS]
    problems = []
    for number in range(len(webhooks.urls)):
        try:
            await webhooks.post(number, b'{"event":"test"}', int(time.time()), 0)
        except NotDelivered as problem:
            problems.append(f"Webhook {number + 1}: {problem}")
    return TestResult(delivered=len(webhooks.urls) - len(problems), problems=problems)


def no_mail(field: str) -> Refused:
    """Return the refusal of what needs e-mail, at a farm that sends none."""
    problem = "this farm sends no e-mail; whoever runs it can set RENDERFARM_SMTP_HOST"
    return Refused(ErrorCode.INVALID, problem, {field: problem})
