"""Webhooks: a POST of JSON, signed, to addresses that whoever runs the coordinator has set."""

import hashlib
import hmac
from collections.abc import Sequence

import aiohttp

TIMEOUT_SECONDS = 15.0


class NotDelivered(Exception):
    """It did not arrive; the text says why, in a sentence."""


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return what proves that a message comes from who knows the secret, and when it was sent."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Webhooks:
    """Posts to addresses."""

    def __init__(self, urls: Sequence[str], secret: str | None) -> None:
        """Sign with ``secret``, if there is one."""
        self.urls = urls
        self._secret = secret

    async def post(self, number: int, body: bytes, timestamp: int, delivery: int) -> None:
        """Post a message to the address of a number.

        Raises:
            NotDelivered: there is none, no answer came, or it was not 2xx.
        """
        if number >= len(self.urls):
            raise NotDelivered("Its address is not in the settings any more.")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "renderfarm",
            # The same when it is sent again: who has had it drops it.
            "X-Renderfarm-Delivery": str(delivery),
            "X-Renderfarm-Timestamp": str(timestamp),
        }
        if self._secret is not None:
            headers["X-Renderfarm-Signature"] = signature(self._secret, timestamp, body)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                # What answers elsewhere is not who was meant.
                session.post(self.urls[number], data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotDelivered(f"It did not answer ({type(error).__name__}).") from error
        if not 200 <= status < 300:
            raise NotDelivered(f"It answered with status {status}.")
