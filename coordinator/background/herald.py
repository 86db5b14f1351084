"""Tell those outside what happened."""

import asyncio
import logging
import time

import msgspec

from coordinator.db.engine import Database
from coordinator.outward.letters import letter
from coordinator.outward.mail import Mail
from coordinator.outward.webhooks import NotDelivered, Webhooks
from coordinator.services import notifications
from coordinator.services.notifications import Audience, Delivery

log = logging.getLogger(__name__)


class Herald:
    """Sends what waits, and has what fails tried again."""

    interval_seconds = 15.0

    def __init__(self, database: Database, webhooks: Webhooks, mail: Mail | None, page: str | None) -> None:
        """Send by these."""
        self._database = database
        self._webhooks = webhooks
        self._mail = mail
        self._audience = Audience(webhooks=len(webhooks.urls), mail=mail is not None, page=page)

    async def run_once(self) -> int:
        """Send everything that is due and return how much arrived."""
        arrived = 0
        while claimed := await self._database.write(notifications.claim, self._audience):
            arrived += sum(await asyncio.gather(*map(self._deliver, claimed)))
        return arrived

    async def _deliver(self, delivery: Delivery) -> bool:
        try:
            await self._send(delivery)
        except NotDelivered as problem:
            log.info("notification %d (%s): %s", delivery.id, delivery.kind, problem)
            await self._database.write(notifications.failed, delivery, str(problem))
            return False
        await self._database.write(notifications.sent, delivery)
        return True

    async def _send(self, delivery: Delivery) -> None:
        kind, _, where = (delivery.target or "").partition(":")
        if kind == "webhook":
            await self._webhooks.post(int(where), delivery.payload.encode(), int(time.time()), delivery.id)
        elif self._mail is None:
            raise NotDelivered("The farm sends no e-mail any more.")
        else:
            await self._mail.send(where, *letter(msgspec.json.decode(delivery.payload)))
