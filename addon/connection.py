"""Which farm, and whether Blender may talk to it.

Blender asks extensions to stay off the internet unless its *Allow Online Access* is on.  A coordinator on this very
machine is no internet and may always be asked; any other address needs the permission, one in the same building too:
only the artist knows whose network that is.
"""

import ipaddress
import urllib.parse
from dataclasses import dataclass

from .client import FarmClient, FarmError

#: The :class:`FarmError` code for a farm that Blender's own settings keep out of reach.
OFFLINE = "offline"

_OTHER_KINDS = {
    "rf_join_": "This is a join token, which is for agents.",
    "rf_agent_": "This is an agent's own token.",
    "rf_session_": "This is a browser's token.",
}


@dataclass(frozen=True)
class Connection:
    """An address and a token that look right; whether they are, the coordinator says."""

    address: str
    """With ``http://`` or ``https://`` and without a slash at its end."""
    token: str

    def client(self) -> FarmClient:
        """Return a client of one's own."""
        return FarmClient(self.address, self.token)

    @property
    def host(self) -> str:
        """The coordinator's name and port, for people."""
        return urllib.parse.urlsplit(self.address).netloc

    def job_page(self, job_id: int) -> str:
        """Return the address of a job's page, for a browser."""
        return f"{self.address}/#/jobs/{job_id}"


def connect(address: str, token: str, *, online_access: bool, offline_for_good: bool = False) -> Connection:
    """Return the connection for what the artist entered; asks no one yet.

    Args:
        address: a ``http://`` in front may be left out.
        token: an admin token.
        online_access: Blender's *Allow Online Access* is on.
        offline_for_good: it cannot be turned on, because Blender was started with ``--offline-mode``.

    Raises:
        FarmError: what is wrong and what to do; its code is :data:`OFFLINE` where the permission is missing.
    """
    address, token = read_address(address), token.strip()
    if not token:
        raise FarmError(
            "token_missing", "The farm's token is missing.", "Press Connect…, or enter an admin token (rf_admin_…)."
        )
    for prefix, sentence in _OTHER_KINDS.items():
        if token.startswith(prefix):
            raise FarmError("forbidden", sentence, "Enter an admin token (it begins with rf_admin_).")
    check_network(address, online_access=online_access, offline_for_good=offline_for_good)
    return Connection(address, token)


def read_address(address: str) -> str:
    """Return the address that the artist entered, with ``http://`` or ``https://`` and without a slash at its end.

    Raises:
        FarmError: it is none.
    """
    if not address.strip():
        raise FarmError("bad_address", "The farm's address is missing.", "Enter it, like http://192.168.1.10:8420.")
    return FarmClient(address, "").base_url


def check_network(address: str, *, online_access: bool, offline_for_good: bool = False) -> str:
    """Return the address as :func:`read_address` does, if Blender may ask what is there.

    Raises:
        FarmError: it is none; its code is :data:`OFFLINE` where the permission is missing.
    """
    address = read_address(address)
    if not online_access and not _is_this_machine(address):
        raise FarmError(
            OFFLINE,
            f"Blender may not use the network, so the farm at {Connection(address, '').host} cannot be reached.",
            "Start Blender without --offline-mode."
            if offline_for_good
            else "Turn on Allow Online Access (Preferences → System → Network).",
        )
    return address


def _is_this_machine(address: str) -> bool:
    host = urllib.parse.urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
