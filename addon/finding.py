"""Looks for farms on the local network: those that announce themselves, and answer."""

import ipaddress
import re
from dataclasses import dataclass

from .background import BackgroundTask
from .client import FarmClient, FarmError
from .mdns import GROUP, PORT, Service, find_services

#: What coordinators announce (docs/PROTOCOL.md, Discovery).
SERVICE_TYPE = "_renderfarm._tcp.local."
#: Seconds in which an announcement is waited for.
LOOK_SECONDS = 3.0
#: More than so many are not asked: anyone on a network can announce anything.
MOST_FARMS = 20

_LONGEST = 200
_URL = re.compile(r"https?://[^/\s@]+")


@dataclass(frozen=True)
class FoundFarm:
    """A farm that answers."""

    name: str
    """Of the coordinator's machine."""
    address: str


@dataclass(frozen=True)
class Search:
    """How far the search is."""

    message: str
    farms: tuple[FoundFarm, ...] = ()
    done: bool = False


class Finding(BackgroundTask):
    """One search: ``start()`` it and look at ``progress()``."""

    def __init__(self, target: tuple[str, int] = (GROUP, PORT)) -> None:
        super().__init__("renderfarm-finding")
        self._target = target
        self._progress = Search("Looking for farms on this network…")

    def progress(self) -> Search:
        """Return what was found so far; from any thread."""
        return self._progress

    def _run(self) -> None:
        try:
            services = find_services(SERVICE_TYPE, LOOK_SECONDS, self._cancelled.is_set, target=self._target)
        except OSError as error:
            reason = error.strerror or str(error)
            self._progress = Search(f"The local network cannot be searched ({reason}).", done=True)
            return
        farms: dict[str, FoundFarm] = {}
        silent = ""
        for service in services[:MOST_FARMS]:
            if self._cancelled.is_set():
                break
            farm = _first_that_answers(service)
            if farm is None:
                silent = service.text.get("name", "")[:_LONGEST] or "a machine"
            else:
                farms[farm.address] = farm
        if farms:
            message = "Choose your farm:"
        elif silent:
            message = f"A farm announces itself on {silent} and does not answer: a firewall may be in the way."
        else:
            message = "No farm announces itself on this network.  Ask whoever runs it for the address."
        self._progress = Search(message, tuple(sorted(farms.values(), key=lambda farm: farm.name)), done=True)


def addresses_of(service: Service) -> list[str]:
    """Return where an announced coordinator may be, the likeliest first; none for what is no announcement of one."""
    name, url = service.text.get("name", ""), service.text.get("url")
    if not name or len(name) > _LONGEST or not name.isprintable():
        return []
    if url is not None:
        return [url] if len(url) <= _LONGEST and url.isprintable() and _URL.fullmatch(url) else []
    if not service.port:
        return []
    plain = sorted((ipaddress.ip_address(text) for text in service.addresses), key=lambda address: address.version)
    usable = [address for address in plain if not address.is_link_local]
    return [f"http://[{it}]:{service.port}" if it.version == 6 else f"http://{it}:{service.port}" for it in usable]


def _first_that_answers(service: Service) -> FoundFarm | None:
    for address in addresses_of(service):
        try:
            with FarmClient(address, "") as client:
                client.health()
        except FarmError:
            continue
        return FoundFarm(service.text["name"], address)
    return None
