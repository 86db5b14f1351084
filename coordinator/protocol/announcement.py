"""How a coordinator makes itself known on the local network: a service of mDNS (RFC 6762, RFC 6763)."""

import re
from collections.abc import Mapping

import msgspec

SERVICE_TYPE = "_renderfarm._tcp.local."

_LONGEST = 200
_URL = re.compile(r"https?://[^/\s@]+")


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What it says of itself, beside its addresses and its port."""

    name: str
    """Of its machine."""
    version: str
    """Of its software."""
    url: str | None = None
    """Where it is reached when a proxy stands before it; otherwise by HTTP at its address and port."""

    def properties(self) -> dict[str, str]:
        """Return it as the keys and values of a TXT record."""
        return {"name": self.name, "version": self.version} | ({"url": self.url} if self.url else {})


def read_announcement(properties: Mapping[bytes, bytes | None]) -> Announcement | None:
    """Return what a TXT record says; None if that is nothing a coordinator says: anyone may announce anything."""
    values = {
        key.decode(errors="replace"): (value or b"").decode(errors="replace") for key, value in properties.items()
    }
    name, version, url = values.get("name", ""), values.get("version", ""), values.get("url")
    for text in (name, version):
        if not text or len(text) > _LONGEST or not text.isprintable():
            return None
    if url is not None and (len(url) > _LONGEST or not url.isprintable() or not _URL.fullmatch(url)):
        return None
    return Announcement(name=name, version=version, url=url)
